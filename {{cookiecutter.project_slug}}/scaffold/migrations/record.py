"""Which entities.json a migration stands for: its names tell what was renamed since."""

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from scaffold.spec.loading import SpecError, load
from scaffold.spec.model import Spec

SPEC = Path("entities.json")
FOLDER = Path(".devmatrix") / "migrated"


def recall(config: Config) -> Spec | None:
    """The spec of the newest migration that has one; somebody's own has none."""
    for script in ScriptDirectory.from_config(config).walk_revisions():
        try:
            return load(_path(script.revision))
        except SpecError:  # there is none, or it follows older rules
            continue
    return None


def keep(config: Config) -> None:
    """Note that the newest migration stands for the spec as it is."""
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head()
    if head is None:
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    _path(head).write_bytes(SPEC.read_bytes())
    known = {script.revision for script in scripts.walk_revisions()}
    for path in FOLDER.glob("*.json"):
        if path.stem not in known:
            path.unlink()


def _path(revision: str) -> Path:
    return FOLDER / f"{revision}.json"
