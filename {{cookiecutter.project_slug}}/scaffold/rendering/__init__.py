"""A `Spec` as the files of a service."""
