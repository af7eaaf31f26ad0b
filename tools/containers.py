"""`python -m tools.containers COMMAND…`: runs a command with a container engine.

It uses the machine's engine, or starts one for the time of the command, with stand-ins
for published images. If neither is possible, the command is skipped, with the reason.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.harness import base_images, compose_stack, container_engine, debian_packages


def main(command: list[str]) -> int:
    """Run the command, or print why it is skipped; return the exit status."""
    try:
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            container_engine.running(Path(folder)) as found,
        ):
            if found.ours:
                images = Path(folder, "images")
                images.mkdir()
                base_images.make(found, compose_stack.published_images(), images)
            given = {**os.environ, container_engine.GIVEN: found.to_text()}
            return subprocess.run(command, env=given).returncode
    except debian_packages.Missing as reason:
        print(f"SKIPPED: {reason}")
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
