"""Rules of entities.json that a single value, a field or the whole file has to keep."""
