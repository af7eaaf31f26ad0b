"""`mode=legacy`: a demonstration in one main.py, which stores all data in memory."""
