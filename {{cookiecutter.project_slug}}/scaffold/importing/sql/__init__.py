"""Reads .sql files: their statements run on a PostgreSQL that is thrown away."""
