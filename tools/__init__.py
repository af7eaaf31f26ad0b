"""What `make` runs for people who work on the template."""
