"""A team works on a shop for a while: its spec grows, its template does, its code stays.

One project goes through all of it, so the tests of this file run in their order.
"""

import json
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.harness.project import ROOT, Project, clean_environment
from tests.unit.evolution import Person, evolved, random_document

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("team")]

HERE = Path(__file__).parent
TREE = "{{cookiecutter.project_slug}}"
Rows = dict[str, list[dict[str, Any]]]

QUERY = '''
    async def find_by_sku(self, sku: str) -> entities.ProductEntity | None:
        """Return the product with this number."""
        statement = sa.select(self.entity).where(self.entity.sku == sku)
        return (await self.db.execute(statement)).scalar_one_or_none()
'''
RULE = """\
        if data.rating == 1 and not data.body:
            raise TooTerse()
"""
ERROR = '''

class TooTerse(errors.InvalidError):
    """One star needs a word on why."""
'''
DEPENDENCY = '''

async def get_greeting() -> str:
    """What the shop says first."""
    return greeting.HELLO


GreetingDep = Annotated[str, Depends(get_greeting)]
'''
ROUTES = '''\
"""HTTP routes of reports: our own."""

import fastapi

from src.api import dependencies as deps

router = fastapi.APIRouter(prefix="/api/v1/reports", tags=["reports"])


@router.get("")
async def show_report(greeting: deps.GreetingDep) -> dict[str, str]:
    """Greet."""
    return {"greeting": greeting}
'''
OWN_TEST = '''\
"""Our own tests."""

import httpx2


async def test_the_report_greets(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/reports")
    assert answer.json() == {"greeting": "Hello"}
'''
OWN_MIGRATION = """\
    op.execute("CREATE INDEX idx_products_lower ON products (lower(name))")
    op.create_check_constraint("ck_mine", "coupons", "discount < 1.5")
    op.execute("CREATE INDEX ix_products_name_lower ON products (name, lower(name))")
    op.execute("ALTER TABLE products ADD search text NOT NULL DEFAULT ''")
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Team", "-c", "user.email=team@example.com"]
    return subprocess.run(
        ["git", *identity, *arguments],
        cwd=folder,
        env=clean_environment(),
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--no-verify", "--message", message)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This template as a repository of its own, whose next version can be made."""
    folder = tmp_path_factory.mktemp("template") / "devmatrix"
    shutil.copytree(ROOT / "hooks", folder / "hooks", ignore=IGNORED)
    shutil.copytree(ROOT / TREE, folder / TREE, ignore=IGNORED)
    shutil.copyfile(ROOT / "cookiecutter.json", folder / "cookiecutter.json")
    git(folder, "init", "--quiet")
    commit(folder, "One")
    return folder


IGNORED = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis", ".venv")


@pytest.fixture(scope="module")
def team(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    output = tmp_path_factory.mktemp("team")
    answers = ["project_slug=shop", "example=ecommerce_api"]
    command = ["-m", "cookiecutter", str(template), "--no-input", "-o", str(output)]
    done = subprocess.run(
        [sys.executable, *command, *answers, "description={{ '{{ shop }}' }}"],
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert "  open  " not in done.stdout, done.stdout
    assert done.returncode == 0, done.stdout + done.stderr
    return Project(output / "shop")


def edit(project: Project, path: str, old: str, new: str) -> None:
    target = project.path / path
    text = target.read_text()
    assert old in text, (path, old)
    target.write_text(text.replace(old, new, 1))


def append(project: Project, path: str, text: str) -> None:
    target = project.path / path
    target.write_text(target.read_text() + text)


def create(project: Project, path: str, text: str) -> None:
    (project.path / path).write_text(text)


def on_database(project: Project, *command: str) -> str:
    kept = ["--data", ".data/postgres", "--"]
    return project.run(project.python, "-m", "scripts.postgres", *kept, *command)


def rows(project: Project, what: str) -> Rows:
    script = ["env", "PYTHONPATH=.", "python", str(HERE / "fill.py"), what]
    found: Rows = json.loads(on_database(project, *script).splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def edited(team: Project) -> Project:
    """Ten edits, as a team makes them, and a database with rows."""
    # a query of its own
    append(team, "src/repositories/product.py", QUERY)
    edit(
        team,
        "src/repositories/product.py",
        "from src.models import entities\n",
        "import sqlalchemy as sa\n\nfrom src.models import entities\n",
    )
    # a rule of its own, with an error of its own
    edit(
        team,
        "src/services/review.py",
        "        return await self._create(data)\n",
        f"{RULE}        return await self._create(data)\n",
    )
    edit(team, "src/services/review.py", "\n\nclass ", f"{ERROR}\n\nclass ")
    edit(
        team,
        "src/services/review.py",
        "from src.models.entities",
        "from src.core import errors\nfrom src.models.entities",
    )
    # a new file, a dependency, a route and its test
    create(team, "src/core/greeting.py", '"""What we say."""\n\nHELLO = "Hello"\n')
    append(team, "src/api/dependencies.py", DEPENDENCY)
    edit(
        team,
        "src/api/dependencies.py",
        "from src.core.database",
        "from src.core import greeting\nfrom src.core.database",
    )
    create(team, "src/api/routes/reports.py", ROUTES)
    edit(
        team,
        "src/api/routes/__init__.py",
        "    reviews,\n",
        "    reports,\n    reviews,\n",
    )
    edit(
        team,
        "src/api/routes/__init__.py",
        "    reviews.router,\n",
        "    reviews.router,\n    reports.router,\n",
    )
    create(team, "tests/integration/test_reports.py", OWN_TEST)
    # a docstring, a setting, a deleted file
    edit(
        team,
        "src/services/coupon.py",
        "Business rules of coupons",
        "What marketing wants",
    )
    edit(
        team,
        "src/core/config.py",
        "pool_size: int = Field(default=5",
        "pool_size: int = Field(default=7",
    )
    edit(team, ".env.example", "POOL_SIZE=5", "POOL_SIZE=7")
    edit(team, "tests/unit/test_config.py", "== (5, 10)", "== (7, 10)")
    (team.path / "docs" / "first-day.md").unlink()
    # a migration
    alembic = [team.python, "-m", "alembic", "revision", "--message", "our own"]
    team.run(*alembic, environment={"DATABASE_URL": "postgresql+asyncpg://h/d"})
    own = next((team.path / "alembic" / "versions").glob("*our_own*"))
    text = own.read_text()
    text = text.replace("    pass\n", OWN_MIGRATION, 1)
    own.write_text(
        text.replace("\n\nrevision", "\n\nfrom alembic import op\n\nrevision", 1)
    )
    team.run("make", "openapi")
    commit(team.path, "Our work")
    team.run("make", "migrate")
    return team


@pytest.fixture(scope="module")
def before(edited: Project) -> Rows:
    return rows(edited, "store")


EDITS = {
    "src/repositories/product.py": (QUERY, "import sqlalchemy as sa\n"),
    "src/services/review.py": (RULE, ERROR),
    "src/api/dependencies.py": (DEPENDENCY, "from src.core import greeting\n"),
    "src/api/routes/reports.py": (ROUTES,),
    "src/api/routes/__init__.py": ("    reports,\n", "    reports.router,\n"),
    "src/core/greeting.py": ('HELLO = "Hello"',),
    "src/core/config.py": ("pool_size: int = Field(default=7",),
    "src/services/coupon.py": ("What marketing wants",),
    "tests/integration/test_reports.py": (OWN_TEST,),
    ".env.example": ("POOL_SIZE=7",),
    "tests/unit/test_config.py": ("== (7, 10)",),
}


def check_edits(project: Project) -> None:
    for path, texts in EDITS.items():
        for text in texts:
            assert text in (project.path / path).read_text(), path
    assert not (project.path / "docs" / "first-day.md").exists()
    migrations = (project.path / "alembic" / "versions").glob("*our_own*")
    assert OWN_MIGRATION in next(migrations).read_text()


def grow(document: Any) -> None:
    entities = {entity["name"]: entity for entity in document["entities"]}
    names = [{"name": "name", "type": "string", "required": True, "max_length": 80}]
    document["entities"].append({"name": "Brand", "fields": names})
    product, review = entities["Product"], entities["Review"]
    fields = {field["name"]: field for field in product["fields"]}
    fields["weight"] |= {"name": "mass", "renamed_from": "weight"}
    product["fields"].remove(fields["manual"])
    product["fields"].append({"name": "ean", "type": "string", "max_length": 13})
    product["relations"].append(
        {
            "name": "brand",
            "type": "many_to_one",
            "target": "Brand",
            "back_populates": "products",
        }
    )
    review["fields"].append({"name": "verified", "type": "boolean", "default": False})
    entities["Customer"].setdefault("relations", []).append(
        {"name": "favourites", "type": "many_to_many", "target": "Product"}
    )


def check_rows(before: Rows, after: Rows) -> None:
    """Every row is there, the weight under its new name, the manual kept unused."""
    for table, found in before.items():
        for row in found:
            if table == "products":
                row = {**row, "mass": row["weight"]}
                del row["weight"]
            assert row in [{key: one.get(key) for key in row} for one in after[table]]


def test_edited_project_passes_the_check(edited: Project) -> None:
    edited.run(edited.python, ".devmatrix/generator.pyz", "check")
    check_edits(edited)


def test_changed_spec_keeps_manual_edits(edited: Project, before: Rows) -> None:
    document = json.loads((edited.path / "entities.json").read_text())
    grow(document)
    (edited.path / "entities.json").write_text(json.dumps(document, indent=2))
    plan = subprocess.run(
        [edited.python, ".devmatrix/generator.pyz", "plan"],
        cwd=edited.path,
        capture_output=True,
    )
    assert plan.returncode == 2
    said = edited.run("make", "entities")
    assert "conflict" not in said
    assert "the column products.manual and its values" in said
    for own in ("the column products.search", "the index ix_products_name_lower"):
        assert re.search(f"it is not from entities.json: .*{own}", said), said
    check_edits(edited)
    edited.run("make", "migrate")
    check_rows(before, rows(edited, "show"))
    assert "none was written" in edited.run("make", "entities")
    edited.run(edited.python, ".devmatrix/generator.pyz", "plan")
    commit(edited.path, "Grown")


@pytest.mark.slow
def test_its_checks_pass(edited: Project) -> None:
    edited.run("make", "check")


def test_its_own_tests_pass_for_what_is_new(edited: Project) -> None:
    words = "brand or review or report or openapi or migration"
    said = edited.run("make", "test", f"ARGS=-q -k '{words}'")
    assert " passed" in said


def test_upgrade_keeps_manual_edits(
    edited: Project, template: Path, before: Rows
) -> None:
    """Both parts of it: what it wrote once, and what it generates."""
    tree = template / TREE
    main, service = (
        tree / "src/main.py.jinja",
        tree / "scaffold/rendering/templates/src/services/ENTITY.py.jinja",
    )
    main.write_text(
        main.read_text().replace('"""The application:', '"""Our application:')
    )
    text = service.read_text()
    service.write_text(
        text.replace("and return it as stored", "and return what is stored")
    )
    config = tree / "src/core/config.py.jinja"
    config.write_text(
        config.read_text().replace(
            'log_level: Literal["DEBUG"', 'log_level: Literal["TRACE", "DEBUG"'
        )
    )
    (tree / "docs" / "news.md").write_text("# News\n")
    options = json.loads((template / "cookiecutter.json").read_text())
    options |= {"_version": "9.9.9", "colour": ["red", "green"]}
    (template / "cookiecutter.json").write_text(json.dumps(options, indent=2))
    commit(template, "Two")
    said = edited.run("make", "upgrade")
    assert "to 9.9.9" in said
    check_edits(edited)
    assert "Our application" in (edited.path / "src" / "main.py").read_text()
    assert '"TRACE"' in (edited.path / "src/core/config.py").read_text()
    assert (edited.path / "docs" / "news.md").exists()
    assert (
        "return what is stored" in (edited.path / "src/services/review.py").read_text()
    )
    answers = json.loads((edited.path / ".devmatrix/answers.json").read_text())
    assert answers["template_version"] == "9.9.9"
    assert answers["template"] == str(template)
    assert answers["template_commit"] == git(template, "rev-parse", "HEAD").strip()
    assert answers["description"] == "{{ shop }}"
    assert answers["colour"] == "red"
    edited.run("make", "migrate")
    check_rows(before, rows(edited, "show"))
    commit(edited.path, "Upgraded")
    assert "which is what the template has" in edited.run("make", "upgrade")
    assert git(edited.path, "status", "--porcelain") == ""


@pytest.mark.slow
def test_check_names_what_differs(edited: Project) -> None:
    check = [edited.python, ".devmatrix/generator.pyz", "check"]
    said = edited.run(*check)
    assert [line.split()[0] for line in said.splitlines()] == [
        *("entities.json", "generator", "code", "migrations", "openapi.json")
    ]
    document = json.loads((edited.path / "entities.json").read_text())
    document["entities"][0]["fields"].append({"name": "extra", "type": "date"})
    (edited.path / "entities.json").write_text(json.dumps(document))
    found = disagreements(edited)
    assert "differs, `make entities` fixes it: src/models/entities.py" in found["code"]
    edited.run(edited.python, ".devmatrix/generator.pyz", "apply")
    found = disagreements(edited)
    assert "add categories.extra" in found["migrations"]
    assert found["openapi.json"] == "outdated: make openapi"
    assert "code" not in found
    git(edited.path, "checkout", "--quiet", ".")


def disagreements(project: Project) -> dict[str, str]:
    done = subprocess.run(
        [project.python, ".devmatrix/generator.pyz", "check"],
        cwd=project.path,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    return dict(re.split(" +", line, maxsplit=1) for line in done.stderr.splitlines())


@pytest.mark.slow
def test_its_checks_pass_after_the_upgrade(edited: Project) -> None:
    edited.run("make", "check")


@pytest.mark.slow
def test_all_of_its_tests_pass(edited: Project) -> None:
    said = edited.run("make", "test", "ARGS=tests -n 2 -q")
    assert " passed" in said
    assert " failed" not in said


@pytest.mark.slow
def test_it_serves_what_was_stored(edited: Project) -> None:
    with edited.serving({"RATE_LIMIT_ENABLED": "false"}) as url:
        with urllib.request.urlopen(f"{url}/api/v1/products?limit=1") as answer:
            found = json.load(answer)
        with urllib.request.urlopen(f"{url}/api/v1/reports") as answer:
            assert json.load(answer) == {"greeting": "Hello"}
    assert found["total"] >= 3
    assert "mass" in found["items"][0]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_random_edits_leave_a_working_service(
    bake: Callable[..., Project], tmp_path: Path, seed: int
) -> None:
    """Random specs and random edits, as in tests/unit/test_merge.py, but all of it."""
    random = Random(seed)
    document = random_document(random)
    (tmp_path / "entities.json").write_text(json.dumps(document))
    project = bake(f"random_{seed}", f"entities_file={tmp_path / 'entities.json'}")
    paths, _ = json.loads(project.run(project.python, "-c", GENERATED))
    person = Person(project.path, random, ways=Person.HARMLESS)
    person.work(paths, edits=10)
    project.run(project.python, "-m", "ruff", "format", "src", "tests")
    commit(project.path, "Our work")
    for _ in range(10):  # until a change leaves no conflict, and needs no help
        later = evolved(document, random)
        (project.path / "entities.json").write_text(json.dumps(later))
        try:
            project.run("make", "entities")
            break
        except AssertionError as failure:
            if not any(help_ in str(failure) for help_ in NEEDS_HELP):
                raise
            git(project.path, "reset", "--quiet", "--hard")
            folders = ("src", "tests", "alembic", ".devmatrix")
            git(project.path, "clean", "--quiet", "--force", "-d", *folders)
    assert git(project.path, "status", "--porcelain") != ""
    remove_kept(project)
    project.run("make", "check")
    project.run("make", "test", "ARGS=tests -q -n 2")


# What a run says where a person has to decide: of a conflict, of a migration.
NEEDS_HELP = ("the new rendering changed the same lines", "No migration was written;")
GENERATED = """
import json, pathlib, sys
root = pathlib.Path()
sys.path.insert(0, str(pathlib.Path(".devmatrix/generator.pyz").resolve()))
from scaffold.project import skeleton, state
from scaffold.project.answers import read_answers
parts = state.last(root).files(), skeleton.render(read_answers(root))
print(json.dumps([[path for path in part if path.endswith(".py")] for part in parts]))
"""


def remove_kept(project: Project) -> None:
    """What is no longer generated, and was edited: its owner decides, here to go."""
    generated, fixed = json.loads(project.run(project.python, "-c", GENERATED))
    for layer in ("repositories", "services", "api/routes"):
        for path in (project.path / "src" / layer).glob("*.py"):
            name = path.relative_to(project.path).as_posix()
            if name not in generated and name not in fixed:
                path.unlink()
