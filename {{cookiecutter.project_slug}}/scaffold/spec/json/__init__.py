"""Parses JSON with positions, so that an error can name its line and column."""
