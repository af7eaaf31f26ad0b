"""Writes migrations that keep the rows: what entities.json became, step by step."""
