"""Finds programs, and installs their Debian packages if INSTALL_ENGINE=1."""

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
    """A program is missing and cannot be installed; the message says why."""


def need(program: str, package: str = "") -> str:
    """Return the program's path; install its package if INSTALL_ENGINE=1."""
    path = shutil.which(program)
    if path is None:
        install(package or program, why=program)
        path = shutil.which(program)
    if path is None:
        raise Missing(f"{program} is not in Debian's package {package or program}")
    return path


def install(*packages: str, why: str) -> None:
    """Install packages with apt-get, as root on Debian."""
    if os.environ.get(ASKED) != "1":
        raise Missing(f"{why} is not installed; {ASKED}=1 installs it, as root")
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise Missing(f"{why} is not installed; only root on Debian can install it")
    with _alone():
        _update()
        _apt("install", "--no-install-recommends", *packages)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold a lock: several workers may need packages, and apt does not wait."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@cache
def _update() -> None:
    _apt("update")


def _apt(*words: str) -> None:
    patience = "DPkg::Lock::Timeout=120"  # wait for another apt
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
