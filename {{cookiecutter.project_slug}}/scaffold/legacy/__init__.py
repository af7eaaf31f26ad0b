"""`mode=legacy`: one main.py that keeps everything in memory, for a demonstration."""
