"""What `make import` writes is generated, migrated and green, and is read back."""

import shutil
from pathlib import Path

import pytest

from scaffold.importing import command, sources
from tests.harness.project import ROOT, Project
from tests.live.test_specs import INDEPENDENT
from tools.smoke import smoke

SAMPLES = ROOT / "tests" / "importing"
NAMES = (
    "chinook.sql",
    "northwind.sql",
    "pagila.sql",
    "store.jdl",
    "bug_tracker.jdl",
    "cloud.prisma",
)
# Names that a database does not have: of entities with a plural unlike them, and what was
# shortened to 63 bytes.
UNKNOWN = {
    "association_columns_of_over_63_bytes",
    "association_tables_of_over_63_bytes",
    "link_in_a_schema_of_over_63_bytes",
    "names_of_63_bytes",
}
GOOD = sorted((ROOT / "tests" / "specs" / "good").glob("*.json"))
# In `make test` too.
ALWAYS = {"chinook.sql", "every_type_required_with_default"}

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("base")]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ALWAYS else pytest.mark.slow)
        for name in NAMES
    ],
)
def test_imported_sample_makes_a_working_service(
    name: str, base: Project, tmp_path: Path
) -> None:
    sample = SAMPLES / name
    spec = tmp_path / "spec.json"
    spec.write_text(command.written(sources.find(str(sample)).read(), name))
    project = base.with_entities(spec, tmp_path / "service")

    # The project's own generator writes the same.
    (project.path / "entities.json").unlink()
    shutil.copy(sample, project.path / name)
    said = project.run("make", "import", f"FROM={name}")
    assert "Wrote entities.json" in said
    assert (project.path / "entities.json").read_text() == spec.read_text()
    (project.path / name).unlink()

    project.run("make", "check")
    left_out = [f"--ignore=tests/{one}.py" for one in INDEPENDENT]
    output = project.run(project.python, "-m", "pytest", "--no-cov", *left_out)
    assert " passed" in output
    assert "failed" not in output
    settings = {"RATE_LIMIT_ENABLED": "false", "PYTHONWARNINGS": "error"}
    with project.serving(settings) as url:
        assert smoke(url), project.log.read_text()


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(path, marks=() if path.stem in ALWAYS else pytest.mark.slow)
        for path in GOOD
        if path.stem not in UNKNOWN
    ],
    ids=lambda path: path.stem,
)
def test_database_of_a_spec_is_read_back(
    spec: Path, base: Project, tmp_path: Path
) -> None:
    """With what is imported from its database, there is nothing to migrate."""
    project = base.with_entities(spec, tmp_path / "service")
    with project.database_server() as url:
        environment = {"DATABASE_URL": url}
        project.run("make", "migrate", environment=environment)
        (project.path / "entities.json").unlink()
        project.run("make", "import", f"FROM={url}", environment=environment)
        said = project.run("make", "entities", environment=environment)
    assert "the migrations are up to date; none was written" in said
