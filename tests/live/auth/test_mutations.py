"""Each condition of access is taken out once: the project's own tests fail each time."""

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Queue
from typing import Any

import pytest

from scaffold.rendering.access_matrix import AccessMatrix
from scaffold.rendering.app import generate_modular_app
from scaffold.spec.loading import parse
from tests.harness.project import ROOT, Project, clean_environment

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.xdist_group("auth"),
]

SHOP = ROOT / "tests" / "specs" / "good" / "access_of_a_shop.json"
TESTS = "tests/integration/test_access_rules.py"
COPIES = 2  # of the project, whose tests run at the same time
ACTIONS = ("read", "create", "update", "delete")
ENDPOINT = re.compile(
    r"@permissions\.requires\((?P<rules>[^@]+)\)\n(?P<def>async def (?P<name>\w+))"
)
RULES = re.compile(r"entities\.(\w+)Entity\.__access__\.(\w+)")
PARENT = re.compile(
    r"(async def (?:list|get)_\w+\([^@]+?\n)    await service\.get_.+\n"
)
Document = dict[str, Any]
Rules = list[str]


@dataclass(frozen=True)
class Mutation:
    """New texts of files, by path; `tests` are those that notice it, for `-k`."""

    name: str
    files: Mapping[str, str]
    tests: str = ""


# The rules of entities


def rules_of(document: Document, name: str, action: str) -> Rules:
    """Return the rules of an entity for an action."""
    entity = next(one for one in document["entities"] if one["name"] == name)
    access = entity.get("access", document["access"])
    found = access[action] if isinstance(access, dict) else access
    return [found] if isinstance(found, str) else found


def others(rules: Rules) -> Iterator[Rules]:
    """Yield other rules: those that always hold, and each time one fewer."""
    if rules != ["public"]:
        yield ["public"]
    if rules != ["nobody"]:
        for rule in rules:
            yield [one for one in rules if one != rule] or ["nobody"]


def code_of(document: Document) -> dict[str, str]:
    """Return the code that is generated from a document, without its tests."""
    files = generate_modular_app(parse(json.dumps(document).encode())).files
    return {path: files[path] for path in files if path.startswith("src/")}


def mutations_of_rules(document: Document) -> Iterator[Mutation]:
    """Yield the code of a document in which one entity has other rules for an action."""
    known = code_of(document)
    for number, entity in enumerate(parse(json.dumps(document).encode()).entities):
        access = {one: rules_of(document, entity.name, one) for one in ACTIONS}
        for action in ACTIONS:
            for rules in others(access[action]):
                changed = copy.deepcopy(document)
                changed["entities"][number]["access"] = {**access, action: rules}
                code = code_of(changed)
                files = {path: code[path] for path in code if code[path] != known[path]}
                name = f"{entity.name}: {action}: {access[action]} -> {rules}"
                yield Mutation(name, files, f"/api/v1/{entity.url}")


# The rules of endpoints, and the rows above child lists


def mutations_of_endpoints(document: Document) -> Iterator[Mutation]:
    """Yield routes in which an endpoint lacks a rule, or does not look at the parent."""
    for path, text in code_of(document).items():
        if not path.startswith("src/api/routes/") or path.endswith("__init__.py"):
            continue
        prefix = re.search(r'prefix="(.+?)"', text)
        assert prefix is not None, path
        for found in ENDPOINT.finditer(text):
            before, after = text[: found.start()], text[found.end("rules") + 2 :]
            needed = RULES.findall(found["rules"])
            if not needed or not is_implied(document, needed):
                yield Mutation(found["name"], {path: before + after}, prefix[1])
            for one, other in [needed, needed[::-1]] if len(needed) == 2 else []:
                if not is_implied(document, [one], other):
                    kept = "entities.{}Entity.__access__.{}".format(*other)
                    line = f"@permissions.requires({kept})\n"
                    name = f"{found['name']}: without {'.'.join(one)}"
                    yield Mutation(name, {path: before + line + after}, prefix[1])
        for found in PARENT.finditer(text):
            changed = text[: found.end(1)] + text[found.end() :]
            name = found[0].partition("(")[0] + ": without its parent"
            yield Mutation(name, {path: changed}, prefix[1])


def is_implied(
    document: Document, needed: list[tuple[str, str]], *others: tuple[str, str]
) -> bool:
    """Whether each caller who has the rights `others` has those that are needed."""
    callers = AccessMatrix(parse(json.dumps(document).encode())).callers

    def may(caller: str, rights: Iterable[tuple[str, str]]) -> bool:
        return all(holds(rules_of(document, *one), caller) for one in rights)

    return all(may(caller, needed) for caller in callers if may(caller, others))


def holds(rules: Rules, caller: str) -> bool:
    """Whether one of the rules holds for some rows."""
    if "public" in rules:
        return True
    with_token = caller != "no token" and {"authenticated", "owner"} & {*rules}
    return bool(with_token) or caller in rules


# The code that is the same in every project

ACCESS = "src/repositories/access.py"
REPOSITORY = "src/repositories/base.py"
CODE: dict[str, dict[str, str]] = {
    "src/core/access.py": {
        "return rule == PUBLIC\n    kind": "return True\n    kind",
        "return name in principal.roles": "return True",
        "return name in principal.scopes": "return True",
        'return rule in (PUBLIC, "authenticated")': "return True",
        "return Rows.OWN if principal": "return Rows.ALL if principal",
    },
    "src/core/permissions.py": {
        "if rows_for(rules, principal) is Rows.NONE:": "if False:",
        "            try:\n                await enforce_access(request)": "            try:",
    },
    ACCESS: {
        "return _is_sender(entity, getattr(entity, key))": "return sa.true()",
        "return column == sa.bindparam(": "return column != sa.bindparam(",
        ".where(_is_sender(target, owner))": "",
        "state.statement = _restricted(": "_restricted(",
        "owned(one) if found is Rows.OWN else sa.false()": "sa.false()",
        "if pair[1] is not Rows.ALL)": "if pair[1] is Rows.NONE)",
        "owned_only=allowed is Rows.OWN": "owned_only=False",
        'made["owner_id"] = principal.subject': "pass",
        'made["created_by"] = principal.subject': "pass",
        'return {"updated_by": principal.subject if': 'return {"updated_by": None if',
        "raise ReferenceNotFoundError(missing)": "pass",
        "if foreign:\n        raise ForbiddenError()": "",
        "column = owned(entity) if allowed is Rows.OWN else sa.true()": "column = sa.true()",
        "if row is not None and not row[1]:": "if False:",
        "return row is not None": "return True",
    },
    REPOSITORY: {
        'loaded=False, action="delete")': "loaded=False)",
        'entity = await self._lock(entity_id, loaded=True, action="update")': (
            "entity = await self._lock(entity_id, loaded=True)"
        ),
        'return await self._lock(entity_id, loaded=True, action="update")': (
            "return await self._lock(entity_id, loaded=True)"
        ),
        "if not is_own:\n": "if False:\n",
        "(own, other) if self.links[name].key else (other, own)": "(own, other)",
        '            self.db, *changed, "update"\n': "            self.db, *changed\n",
        "if not await self._may_change_link(name, own_id, other_id):\n            raise": (
            "if False:\n            raise"
        ),
        "if not await self._may_change_link(name, own_id, other_id):\n            return": (
            "if False:\n            return"
        ),
        "await self._check_new_references(entity, changes)": "pass",
    },
}


def mutations_of_code(project: Project) -> Iterator[Mutation]:
    """Yield files in which a piece of code is replaced."""
    for path, pieces in CODE.items():
        text = (project.path / path).read_text()
        for old, new in pieces.items():
            assert text.count(old) == 1, f"{path} has it {text.count(old)} times: {old}"
            yield Mutation(f"{path}: {old}", {path: text.replace(old, new)})


# Running the tests


@dataclass(frozen=True)
class Copies:
    """Copies of a project, and the URL of a server for their databases."""

    free: "Queue[Project]"
    server: str

    def survivors(self, mutations: Iterable[Mutation]) -> list[str]:
        """Return the mutations that no test notices."""
        with ThreadPoolExecutor(COPIES) as pool:
            results = list(pool.map(self._survives, mutations))
        return [name for name in results if name]

    def _survives(self, mutation: Mutation) -> str:
        project = self.free.get()
        kept = {one: (project.path / one).read_text() for one in mutation.files}
        try:
            write(project, mutation.files)
            said = self.run(project, "-x", "-k", mutation.tests)
        finally:
            write(project, kept)
            self.free.put(project)
        if re.search(r"^FAILED ", said, re.MULTILINE):
            return ""
        return f"{mutation.name}\n{said[-500:]}"

    def run(self, project: Project, *arguments: str) -> str:
        """Run the tests and return their output."""
        options = ["-q", "--no-cov", "-p", "no:cacheprovider", *arguments]
        settings = {"TEST_DATABASE_URL": self.server, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [project.python, "-m", "pytest", TESTS, *options],
            cwd=project.path,
            env=clean_environment() | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        return done.stdout


def write(project: Project, files: Mapping[str, str]) -> None:
    """Write the texts of files."""
    for path, text in files.items():
        (project.path / path).write_text(text)


@pytest.fixture(scope="module")
def shop(bake: Callable[..., Project]) -> Project:
    return bake("mutated", f"entities_file={SHOP}")


@pytest.fixture(scope="module")
def copies(shop: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copies]:
    free: Queue[Project] = Queue()
    for number in range(COPIES):
        path = tmp_path_factory.mktemp("copies") / str(number)
        shutil.copytree(shop.path, path, ignore=shutil.ignore_patterns(".venv", ".git"))
        (path / ".venv").symlink_to(shop.path / ".venv")
        free.put(Project(path))
    with shop.database_server() as server:
        made = Copies(free, server)
        said = made.run(shop)
        assert re.search(r" passed, \d+ subtests passed in ", said), said
        yield made


@pytest.fixture(scope="module")
def document() -> Document:
    document: Document = json.loads(SHOP.read_text())
    return document


def test_tests_notice_other_rules_of_an_entity(
    shop: Project, copies: Copies, document: Document
) -> None:
    for path, text in code_of(document).items():
        assert (shop.path / path).read_text() == text
    assert copies.survivors(mutations_of_rules(document)) == []


def test_tests_notice_an_endpoint_without_a_rule(
    copies: Copies, document: Document
) -> None:
    assert copies.survivors(mutations_of_endpoints(document)) == []


def test_tests_notice_missing_conditions_of_statements(
    shop: Project, copies: Copies
) -> None:
    assert copies.survivors(mutations_of_code(shop)) == []
