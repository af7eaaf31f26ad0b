"""Starts a service three times: the seconds to its first answer, and how it ends.

Runs in a project, within `python -m scripts.postgres --`, on the project's interpreter.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request


def start() -> tuple[float, int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "HOST": "127.0.0.1", "PORT": str(port)}
    url = f"http://127.0.0.1:{port}/health/health"
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "src"], env=environment)
    while process.poll() is None and time.monotonic() - began < 60:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            break
        time.sleep(0.01)
    seconds = time.monotonic() - began
    process.terminate()
    try:
        return seconds, process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()  # it would hold our output open
        return seconds, process.wait()


if __name__ == "__main__":
    starts = [start() for _ in range(3)]
    seconds, statuses = zip(*starts, strict=True)
    print(json.dumps({"seconds": seconds, "statuses": statuses}))
