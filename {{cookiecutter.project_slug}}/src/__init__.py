"""The service.

What its import makes, stays: hundreds of thousands of objects where there are hundreds
of entities. Python would look through them for garbage after every 700 new ones, which
takes a fifth of the start. It does so less often here, and while serving as well.
"""

import gc

gc.set_threshold(10_000, 10, 10)
