"""The machine and versions of a measurement, and the CPU and memory of processes."""

import datetime as dt
import os
import platform
import re
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
PACKAGES = [
    "asyncpg",
    "fastapi",
    "orjson",
    "prometheus-client",
    "pydantic",
    "pydantic-core",
    "slowapi",
    "sqlalchemy",
    "starlette",
    "structlog",
    "uvicorn",
    "uvloop",
    "httptools",
]


def describe(python: str) -> dict[str, Any]:
    """Return the machine, and the versions that a Python environment has."""
    return {
        "date": dt.date.today().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(_memory() / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "versions": _versions(python),
    }


def _processor() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.processor()


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _versions(python: str) -> dict[str, str]:
    script = (
        "import platform, sys; from importlib.metadata import version; "
        "print('python', platform.python_version()); "
        "[print(name, version(name)) for name in sys.argv[1:]]"
    )
    said = subprocess.check_output([python, "-c", script, *PACKAGES], text=True)
    return dict(line.split() for line in said.splitlines())


def processes(root: int) -> list[int]:
    """Return a process and all that come from it."""
    found, pending = [], [root]
    while pending:
        pid = pending.pop()
        found.append(pid)
        with suppress(OSError):  # it may have ended meanwhile
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                pending += map(int, task.read_text().split())
    return found


def cpu_seconds(root: int) -> float:
    """Return the CPU time of a process tree, ended children included."""
    ticks = 0
    for pid in processes(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15] if pid == root else fields[11:13]))
    return ticks / TICKS


def busy_seconds() -> float:
    """Return the CPU time of the whole machine since its start."""
    fields = Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / TICKS


def memory_mib(root: int) -> float:
    """Return the proportional set size of a process tree."""
    total = 0
    for pid in processes(root):
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        found = re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)
        total += int(found[1]) if found else 0
    return total / 1024
