"""A speed piece: garbage collections that leave out what the process holds for good.

`freeze_garbage()` in the lifespan (src/main.py) is the line that switches it on.
"""

import gc


def freeze_garbage() -> None:
    """Exempt all objects of the start from later garbage collections.

    They are most of what a service ever holds, and looking through them again and again
    takes time from requests.
    """
    gc.collect(1)
    gc.freeze()
