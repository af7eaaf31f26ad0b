"""Reads the catalog of a PostgreSQL database."""
