"""Reads and checks entities.json, and returns an immutable `Spec`."""
