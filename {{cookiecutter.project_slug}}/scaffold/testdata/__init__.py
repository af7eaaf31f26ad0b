"""Sample values, boundaries and cases of the generated tests."""
