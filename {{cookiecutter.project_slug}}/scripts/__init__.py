"""Tools for developing the service; the service itself never imports them."""
