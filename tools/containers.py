"""`python -m tools.containers COMMAND…`: runs a command beside a container engine.

It is the machine's own, or one of ours, with stand-ins for published images, for as long
as the command takes. Where there can be none, the command is skipped.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import debian, engine, stack, standins


def main(command: list[str]) -> int:
    """Run the command, or say why not; return its status."""
    try:
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            engine.running(Path(folder)) as found,
        ):
            if found.ours:
                images = Path(folder, "images")
                images.mkdir()
                standins.make(found, stack.published_images(), images)
            given = {**os.environ, engine.GIVEN: found.to_text()}
            return subprocess.run(command, env=given).returncode
    except debian.Missing as reason:
        print(f"SKIPPED: {reason}")
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
