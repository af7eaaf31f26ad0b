"""What the tests run on: projects, databases, proxies, engines, images and clients."""
