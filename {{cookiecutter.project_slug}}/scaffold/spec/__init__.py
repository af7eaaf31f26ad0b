"""entities.json: read, checked, and made into an immutable `Spec`."""
