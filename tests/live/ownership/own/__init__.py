"""A person's own code in a generated project: `src/own/`."""
