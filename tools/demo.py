"""`make demo`: generates the e-commerce example into .demo and runs it."""

import argparse
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.harness.issuer import ROLES, token_of
from tests.harness.project import (
    HOST,
    ROOT,
    Ended,
    Project,
    cookiecutter,
    free_port,
    is_free,
    wait_until_healthy,
)
from tools.smoke import smoke

DEMO = ROOT / ".demo"
SHOP = Project(DEMO / "shop")
PORT = 8000


def generate() -> None:
    """Generate the example again, unless the last one has been changed."""
    if SHOP.path.exists():
        if _changed():
            print(f"{SHOP.path.relative_to(ROOT)} has your changes; it is kept")
            return
        shutil.rmtree(SHOP.path)
    answers = ["project_name=Shop", "example=ecommerce_api"]
    subprocess.run(cookiecutter(DEMO, *answers), check=True)
    migrations = SHOP.path / "alembic" / "versions"
    if not Path(SHOP.python).exists() or not any(migrations.glob("*.py")):
        raise Ended("the project is not complete; the reason is shown above")


def _changed() -> bool:
    """Return whether there are changes since the first commit."""
    if not (SHOP.path / ".git").exists():
        return False
    commits = SHOP.run("git", "rev-list", "--count", "HEAD").strip()
    return commits != "1" or SHOP.run("git", "status", "--porcelain") != ""


def run() -> int:
    """Run the service until Ctrl-C, which it gets from the terminal."""
    port = PORT if is_free(PORT) else free_port()
    url = f"http://{HOST}:{port}"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    command = [SHOP.python, "-m", "scripts.dev", "--port", str(port)]
    with subprocess.Popen(command, cwd=SHOP.path) as process:
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        wait_until_healthy(process, url)
        print(
            f"\n  Swagger UI   {url}/docs"
            f"\n  ReDoc        {url}/redoc"
            f"\n  Health       {url}/health/health"
            f"\n  Readiness    {url}/health/ready"
            f"\n  Metrics      {url}/metrics/metrics"
            f"\n\n  A token for Authorize in the docs, where the shop has rules:"
            f"\n  make -C {SHOP.path.relative_to(ROOT)} -s token SUB=ada ROLES={ROLES}"
            f"\n\n  The project is in {SHOP.path.relative_to(ROOT)}. Ctrl-C stops it.\n",
            flush=True,
        )
        return process.wait()


def run_smoke() -> int:
    """Run the service, test every entity over HTTP, and stop it."""
    SHOP.log.unlink(missing_ok=True)
    # One client sends more writes than the default limit of ten per minute.
    with SHOP.serving({"RATE_LIMIT_ENABLED": "false"}) as url:
        print(f"the service runs at {url}, its log is {SHOP.log.relative_to(ROOT)}")
        passed = smoke(url, token_of(SHOP))
    return 0 if passed else 1


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="test it, and stop it")
    options = parser.parse_args(arguments)
    try:
        generate()
        return run_smoke() if options.smoke else run()
    except subprocess.CalledProcessError as error:
        print(f"make demo: generating failed: {error.returncode}", file=sys.stderr)
    except Ended as error:
        print(f"make demo: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
