"""The laws of the house (docs/architecture.md), tried on every good entities.json."""

import functools
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from scaffold.rendering.app import generate_modular_app
from scaffold.spec.loading import load
from tests.harness.example_projects import without_access
from tests.harness.project import ROOT, clean_environment, cookiecutter
from tests.harness.skeleton import EVERY_FLAG, FLAGS, optional_files, text_of

TREE = ROOT / "{{cookiecutter.project_slug}}"
EXAMPLES = TREE / "scaffold" / "examples"
SHOP = EXAMPLES / "ecommerce_api.json"
LIBRARY = ROOT / "tests" / "live" / "library.json"  # tables, ids and columns of its own
SPECS = [
    *sorted(EXAMPLES.glob("*.json")),
    *sorted((ROOT / "tests" / "specs" / "good").glob("*.json")),
]
# What needs the project's environment; the code is complete without it.
STEPS = "environment,migration,openapi,format,git"

# One worker renders them all, once.
pytestmark = [pytest.mark.bake, pytest.mark.xdist_group("law")]


def stem(path: Path) -> str:
    return path.stem


def generator(project: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", ".devmatrix/generator.pyz", command],
        cwd=project,
        env={**clean_environment(), "DEVMATRIX_SKIP": STEPS},
        capture_output=True,
        text=True,
    )


def files(folder: Path) -> dict[str, bytes]:
    """Everything but .env, whose secrets differ, runs, and versions for the first lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".env", "runs", "auth.txt")
    }


@pytest.fixture(scope="session")
def baked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Bake a project of an entities.json, without an environment, once."""

    @functools.cache
    def made(document: str) -> Path:
        folder = tmp_path_factory.mktemp("baked")
        entities = folder / "entities.json"
        entities.write_text(document)
        subprocess.run(
            cookiecutter(folder, "project_slug=shop", f"entities_file={entities}"),
            env={**clean_environment(), "DEVMATRIX_SKIP": STEPS},
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
        return folder / "shop"

    return made


@pytest.fixture
def bake(baked: Callable[[str], Path], tmp_path: Path) -> Callable[..., Path]:
    """Return a new project of some entities."""

    def made(name: str, document: Mapping[str, Any]) -> Path:
        target = tmp_path / name / "shop"
        shutil.copytree(baked(json.dumps(document)), target)
        return target

    return made


# Law 1: rendering is pure


@pytest.fixture(scope="session")
def renderings() -> dict[str, dict[str, str]]:
    return {path.stem: dict(generate_modular_app(load(path)).files) for path in SPECS}


ELSEWHERE = """
import json, sys
from pathlib import Path
from scaffold.rendering.app import generate_modular_app
from scaffold.spec.loading import load
names = [Path(name) for name in reversed(sys.argv[1:])]
found = {path.stem: dict(generate_modular_app(load(path)).files) for path in names}
sys.stdout.buffer.write(json.dumps(found).encode())
"""


@pytest.mark.parametrize(
    "surroundings",
    [
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "PYTHONUTF8": "0", "LANG": "de_DE.ISO-8859-1"},
    ],
    ids=lambda one: one["PYTHONHASHSEED"],
)
def test_the_same_entities_give_the_same_bytes_everywhere(
    renderings: dict[str, dict[str, str]],
    surroundings: dict[str, str],
    tmp_path: Path,
) -> None:
    """In other surroundings, in the opposite order, from another folder."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", ELSEWHERE, *map(str, SPECS)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TREE), **surroundings},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout) == renderings


# Law 2: what comes later comes out alike


OPEN = {"auth": True, "access": "public"}


def without(document: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Leave entities out, and what points to them."""
    entities = []
    for entity in document["entities"]:
        if entity["name"] in names:
            continue
        relations = entity.get("relations", ())
        left = [one for one in relations if one["target"] not in names]
        gone = {one["name"] for one in relations if one not in left}
        kept = {**entity, "relations": left}
        for key in ("unique", "indexes"):
            together = [one for one in entity.get(key, ()) if not gone & set(one)]
            kept[key] = together
        entities.append(kept)
    return {**document, "entities": entities}


@pytest.mark.parametrize(
    "names",
    [("Review",), ("Category",), ("Order", "OrderItem", "Payment"), ("Customer",)],
    ids="-".join,
)
def test_an_entity_may_come_later_or_go(
    bake: Callable[..., Path], names: tuple[str, ...]
) -> None:
    document = without_access(json.loads(SHOP.read_text()))
    _may_come_later(bake, document, without(document, *names))


@pytest.mark.parametrize("names", [("Language",), ("Copy", "Book")], ids="-".join)
def test_an_entity_with_names_of_its_own_may_come_later_or_go(
    bake: Callable[..., Path], names: tuple[str, ...]
) -> None:
    document = {"json_case": "camel", **json.loads(LIBRARY.read_text())}
    _may_come_later(bake, document, without(document, *names))


def test_auth_may_come_later_or_go(bake: Callable[..., Path]) -> None:
    document = json.loads(SHOP.read_text())
    _may_come_later(bake, document, without_access(document))


def test_soft_delete_may_come_later_or_go(bake: Callable[..., Path]) -> None:
    document = json.loads(LIBRARY.read_text())
    marked = [{**one, "soft_delete": True} for one in document["entities"]]
    _may_come_later(bake, {**document, "entities": marked}, document)


def test_an_edit_stays_when_auth_comes_and_goes(bake: Callable[..., Path]) -> None:
    document = without_access(json.loads(SHOP.read_text()))
    project = bake("edited", document)
    main, config = project / "src" / "main.py", project / "src" / "core" / "config.py"
    first = "        # Next to the router"
    middleware = "        Middleware(Own),\n"
    main.write_text(main.read_text().replace(first, middleware + first))
    setting = '\n    # Logging\n    own_setting: str = "own"\n'
    config.write_text(config.read_text().replace("\n    # Logging\n", setting))
    before = files(project)
    for auth, opened in ((True, OPEN), (False, {})):
        (project / "entities.json").write_text(json.dumps({**document, **opened}))
        done = generator(project, "apply")
        assert done.returncode == 0, done.stderr
        assert middleware in main.read_text()
        assert setting in config.read_text()
        assert ("AuthenticationMiddleware" in main.read_text()) == auth
        assert ("auth_issuer" in config.read_text()) == auth
    after = files(project)
    for path in ("entities.json", ".devmatrix/entities.json"):
        del before[path], after[path]
    assert after == before


def _may_come_later(
    bake: Callable[..., Path], document: Mapping[str, Any], less: Mapping[str, Any]
) -> None:
    whole, part = bake("whole", document), bake("part", less)
    before = files(part)
    (part / "entities.json").write_bytes((whole / "entities.json").read_bytes())
    grown = generator(part, "apply")
    assert grown.returncode == 0, grown.stderr
    assert files(part) == files(whole)
    (part / "entities.json").write_bytes(before["entities.json"])
    assert generator(part, "apply").returncode == 0
    assert files(part) == before


def test_an_entity_keeps_the_names_that_are_pinned_when_it_is_renamed(
    bake: Callable[..., Path],
) -> None:
    """Code is renamed, also that of a person; the table, the URL and keys stay."""
    document = {"json_case": "camel", **json.loads(LIBRARY.read_text())}
    project = bake("before", document)
    service = project / "src" / "services" / "genre.py"
    edit = 'TABLE, NAMES = "genres", [{}Entity]\n'
    service.write_text(service.read_text() + edit.format("Genre"))
    by_name = {one["name"]: one for one in document["entities"]}
    genre, books = by_name["Genre"], by_name["Book"]["relations"]
    genre |= {"name": "Kind", "renamed_from": "Genre", "table": "genres"}
    genre["url"] = "genres"
    label = {"name": "title", "renamed_from": "label", "column": "label"}
    genre["fields"][0] |= {**label, "json": "label"}
    for relation in books:
        relation["target"] = relation["target"].replace("Genre", "Kind")
    editor = {"name": "reviser", "renamed_from": "editor", "column": "editor_id"}
    books[1] |= {**editor, "json": "editorId"}
    wanted = files(bake("after", document))
    (project / "entities.json").write_bytes(wanted["entities.json"])
    done = generator(project, "apply")
    assert done.returncode == 0, done.stderr
    wanted["src/services/kind.py"] += edit.format("Kind").encode()
    assert files(project) == wanted


# Law 3: a second run changes nothing, and nobody's edit is lost


def test_a_second_run_changes_nothing(bake: Callable[..., Path]) -> None:
    project = bake("shop", json.loads(SHOP.read_text()))
    before = files(project)
    written = {path: (project / path).stat().st_mtime_ns for path in before}
    assert generator(project, "plan").returncode == 0
    assert generator(project, "apply").returncode == 0
    assert files(project) == before
    for path in before:
        if not path.startswith(".devmatrix/"):
            assert (project / path).stat().st_mtime_ns == written[path], path


def test_an_edit_is_merged(bake: Callable[..., Path]) -> None:
    project, service = edited(bake, "class ReviewService", "MOST_STARS = 5\n\n\n")
    plan = generator(project, "plan")
    assert plan.returncode == 2
    assert "merged  src/services/review.py" in plan.stdout
    done = generator(project, "apply")
    assert done.returncode == 0, done.stdout + done.stderr
    text = service.read_text()
    assert "MOST_STARS = 5" in text
    assert '"remark"' in text


def test_two_changes_of_one_line_are_a_conflict(bake: Callable[..., Path]) -> None:
    project, service = edited(bake, "frozenset(", "set() | ")
    mine = service.read_text()
    done = generator(project, "apply")
    assert done.returncode == 1
    assert "conflict  src/services/review.py" in done.stdout
    text = service.read_text()
    assert "<<<<<<<" in text
    assert all(line in text for line in mine.splitlines())
    before = files(project)
    again = generator(project, "apply")
    assert again.returncode == 1
    assert "a conflict is still open" in again.stderr
    assert files(project) == before


def edited(bake: Callable[..., Path], anchor: str, addition: str) -> tuple[Path, Path]:
    """A shop with an edit in a service, and a new field that changes that service."""
    document = json.loads(SHOP.read_text())
    project = bake("shop", document)
    service = project / "src" / "services" / "review.py"
    service.write_text(service.read_text().replace(anchor, addition + anchor))
    review = next(one for one in document["entities"] if one["name"] == "Review")
    review["fields"].append({"name": "remark", "type": "string"})
    (project / "entities.json").write_text(json.dumps(document))
    return project, service


def test_a_bad_file_changes_nothing(bake: Callable[..., Path]) -> None:
    project = bake("shop", json.loads(SHOP.read_text()))
    (project / "entities.json").write_text('{"entities": [{"name": "task"}]}')
    before = files(project)
    for command in ("check", "plan", "apply"):
        done = generator(project, command)
        assert done.returncode == 1
        assert done.stderr.startswith("entities.json:1:")
        assert "Traceback" not in done.stderr
    assert files(project) == before


def test_a_plan_may_be_read_in_part(bake: Callable[..., Path]) -> None:
    project = bake("shop", json.loads(SHOP.read_text()))
    (project / "entities.json").write_text('{"entities": [{"name": "Other"}]}')
    command = [sys.executable, "-B", ".devmatrix/generator.pyz", "plan"]
    with subprocess.Popen(
        command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as planning:
        assert planning.stdout is not None
        assert planning.stderr is not None
        planning.stdout.close()  # as `head` does once it has enough
        said = planning.stderr.read().decode()
    assert said == ""


# Law 4: what is rendered needs no formatter


@pytest.fixture(scope="session")
def rendered(
    renderings: dict[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Every good example, and what `auth` adds, each in a folder as in a project."""
    folder = tmp_path_factory.mktemp("rendered")
    for spec, found in renderings.items():
        for name, text in found.items():
            target = folder / spec / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode())
    for values in itertools.product((True, False), repeat=len(FLAGS)):
        flags = dict(zip(FLAGS, values, strict=True))
        for name, text in optional_files(**flags).items():
            target = folder / "_".join(["skeleton", *map(str, values)]) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode())
    (folder / "pyproject.toml").write_text(text_of("pyproject.toml"))
    return folder


# Of names that no line has room for, black and ruff make different things, and neither
# makes a line of 88 characters.
TOO_LONG = "63_bytes"
# The skeleton's lines of text may be longer, as its .flake8 says.
LONG_LINES = f"--per-file-ignores=*{TOO_LONG}/*:E501,*skeleton_*/*:E501"
RUFF = ["--no-cache"]
SOURCES = 'known-first-party = ["scripts", "src", "tests"]'
FIRST_PARTY = ["--config", f"lint.isort.{SOURCES}"]
ISORT = ["--profile=black", "-psrc", "-ptests", "-pscripts"]


BLACK = ["black", "--check", "--quiet", "--diff", "--extend-exclude", TOO_LONG]
FLAKE8 = ["flake8", "--max-line-length=88", "--extend-ignore=E203,E701", LONG_LINES]
# In `make test` too: what differs most, and what depends on `auth`.
FEW = ["ecommerce_api", "every_type_required"]
FEW += ["_".join(["skeleton", *[str(flag)] * len(FLAGS)]) for flag in (False, True)]


@pytest.mark.parametrize(
    "command",
    [
        ["isort", "--check", "--diff", *ISORT],
        ["ruff", "format", "--diff", *RUFF],
        ["ruff", "check", *RUFF, *FIRST_PARTY],
        pytest.param(BLACK, marks=pytest.mark.slow),
        pytest.param(FLAKE8, marks=pytest.mark.slow),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_what_is_rendered_is_formatted_and_free_of_lint(
    rendered: Path, command: list[str]
) -> None:
    lint(rendered, *command, ".")


@pytest.mark.parametrize("command", [BLACK, FLAKE8], ids=lambda command: command[0])
def test_some_of_it_is_clean_under_slow_linters(
    rendered: Path, command: list[str]
) -> None:
    lint(rendered, *command, *FEW)


def lint(folder: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]


# Law 6: one place for each path


def test_a_path_is_in_the_tree_or_a_template(
    renderings: dict[str, dict[str, str]],
) -> None:
    for name in {name for found in renderings.values() for name in found}:
        assert not (TREE / name).exists(), name
    for name in optional_files(**EVERY_FLAG):
        assert not (TREE / name).exists(), name
        assert name not in renderings["minimal"], name
