"""The service.

With hundreds of entities, importing it creates hundreds of thousands of objects. By
default Python looks for garbage after every 700 new objects, which takes a fifth of the
time to start; with this threshold it does so less often.
"""

import gc

gc.set_threshold(10_000, 10, 10)
