"""Test data of the generated tests: sample values, boundary values, cases."""
