"""Renders a `Spec` to the files of a service."""
