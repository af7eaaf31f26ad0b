"""The generator: from entities.json to the files of this service."""
