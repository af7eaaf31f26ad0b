"""Python source code: literals, docstrings, line breaks, and the code of a field."""
