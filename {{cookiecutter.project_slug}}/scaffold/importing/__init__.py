"""Writes entities.json from what exists: a database, a dump, Prisma's or JHipster's schema.

A reader of each source returns a `Found`; `document` writes it in the language of
entities.json, and reports what the language cannot say.
"""
