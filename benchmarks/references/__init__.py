"""The services that the generated one is measured against."""
