"""The keys, field types, default values and reserved names of entities.json."""
