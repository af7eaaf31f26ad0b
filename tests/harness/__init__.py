"""Code that the tests share: projects, databases, services, clients and engines."""
