"""Does work in a process of its own, without the time that a new interpreter takes."""

import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import alembic.config

from scaffold import cli, processes

# Each project imports its own, and the metrics are counted once in a process.
FORGOTTEN = ("src", "scripts", "tests", "prometheus_client")


def in_fork(work: Callable[[], int | None], log: Path) -> tuple[int, str]:
    """Return the exit code and the output of some work."""
    if (child := os.fork()) == 0:
        with log.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        code = 3
        try:
            code = work() or 0
        except SystemExit as error:
            code = 1 if error.code else 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    said = log.read_text()
    log.unlink()
    return os.waitstatus_to_exitcode(status), said


def run(
    command: Sequence[str | Path],
    root: Path,
    *,
    extra: Mapping[str, str] | None = None,
) -> str:
    """Do what `processes.run` does for the calls of Alembic and the generator."""
    words = [str(word) for word in command]
    if words[1:3] == ["-m", "ruff"]:
        return processes.run(command, root, extra=extra)

    def work() -> int | None:
        for name in list(sys.modules):
            package = name.partition(".")[0]
            if package in FORGOTTEN or name.startswith("scaffold.migrations"):
                del sys.modules[name]
        os.chdir(root)
        os.environ.update(extra or {})
        sys.path.insert(0, str(root))
        if words[1:3] == ["-m", "alembic"]:
            return alembic.config.main(words[3:])
        return cli.main(words[2:], root)

    code, said = in_fork(work, root.with_name(f"{root.name}.log"))
    if code:
        lines = said.strip().splitlines()[-12:]
        raise processes.Unfinished("\n".join([f"{' '.join(words)} failed:", *lines]))
    return said
