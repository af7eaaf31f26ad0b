"""Python source text: literals, line breaks, and the code of a field."""
