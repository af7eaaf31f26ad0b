"""`python -m src.healthcheck`: checks whether the service in this container is ready.

It is the image's HEALTHCHECK. It runs every few seconds, so it imports very little.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException

TIMEOUT = 2.5


def main() -> int:
    """Print the response of /health/ready; return 0 if its status is 200."""
    port = int(os.environ.get("PORT") or "8000")
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        print(response.read().decode())
    except (OSError, HTTPException) as error:
        print(f"no answer at port {port}: {error}")
        return 1
    return 0 if response.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
