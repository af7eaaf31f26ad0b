"""Rendered files and a person's edits, merged as git merges."""
