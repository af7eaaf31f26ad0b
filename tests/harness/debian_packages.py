"""Programs of Debian's packages: found, installed where that is asked, or missed."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ASKED = "INSTALL_ENGINE"
LOCK = Path(tempfile.gettempdir()) / "devmatrix-apt.lock"


class Missing(Exception):
    """A program is not here, and is not to be installed; the message says why."""


def need(program: str, package: str = "") -> str:
    """The program's path; INSTALL_ENGINE=1 allows to install its package."""
    path = shutil.which(program)
    if path is None:
        install(package or program, why=program)
        path = shutil.which(program)
    if path is None:
        raise Missing(f"{program} is not in Debian's package {package or program}")
    return path


def install(*packages: str, why: str) -> None:
    """Install packages with apt-get, which takes root and a Debian."""
    if os.environ.get(ASKED) != "1":
        raise Missing(f"{why} is not installed; {ASKED}=1 installs it, as root")
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise Missing(f"{why} is not installed, and only root can do so, on Debian")
    with _alone():
        _update()
        _apt("install", "--no-install-recommends", *packages)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Several workers may miss something; apt gives up where another one is at it."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@cache
def _update() -> None:
    _apt("update")


def _apt(*words: str) -> None:
    patience = "DPkg::Lock::Timeout=120"  # somebody else's apt
    command = ["apt-get", "--yes", "--quiet", "--option", patience, *words]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-5:])
        raise Missing(f"{' '.join(command)} failed:\n{last}")
