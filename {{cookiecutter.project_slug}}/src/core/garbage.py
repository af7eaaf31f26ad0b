"""A speed piece: garbage collections skip the objects that exist after the start.

`freeze_garbage()` in the lifespan (src/main.py) switches it on.
"""

import gc


def freeze_garbage() -> None:
    """Exempt all objects that exist now from later garbage collections.

    They are most of the service's objects and live as long as the process, so looking
    through them would only take time from requests.
    """
    gc.collect(1)
    gc.freeze()
