"""The tests of the template and of the projects that it generates."""
