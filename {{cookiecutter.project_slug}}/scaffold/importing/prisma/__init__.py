"""Reads the schema language of Prisma."""
