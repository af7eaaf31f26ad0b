"""Rules for values of entities.json that depend on each other."""
