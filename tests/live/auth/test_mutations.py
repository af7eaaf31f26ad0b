"""Each condition of access is taken out once: the project's own tests fail each time."""

import contextlib
import copy
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from scaffold.rendering.access_matrix import AccessMatrix
from scaffold.rendering.app import generate_modular_app
from scaffold.spec.loading import Spec, parse
from tests.harness.project import ROOT, Project, clean_environment

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.xdist_group("auth"),
]

HERE = Path(__file__).parent
SHOP = ROOT / "tests" / "specs" / "good" / "access_of_a_shop.json"
TARGET = {"name": "secret", "type": "many_to_one", "target": "Secret"}
DOCUMENT = json.loads(SHOP.read_text())
# Whoever sees a customer sees the profile, so the order of two checks shows nowhere. And
# a reference to rows that nobody may read shows what happens then.
DOCUMENT["entities"] = [
    {**one, "relations": [*one["relations"], TARGET]} if one["name"] == "Order" else one
    for one in DOCUMENT["entities"]
    if one["name"] != "Profile"
]
TESTS = "tests/integration/test_access_rules.py"
LAST = 500  # characters of what pytest says
OPTIONS = (
    *("-q", "--no-cov", "-p", "no:cacheprovider"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # of imported libraries
)
COPIES = 2  # of the project, whose tests run at the same time
ACTIONS = ("read", "create", "update", "delete")
ENDPOINT = re.compile(
    r"@permissions\.requires\((?P<rules>[^@]+)\)\nasync def (?P<name>\w+)"
)
RULES = re.compile(r"entities\.(\w+)Entity\.__access__\.(\w+)")
PARENT = re.compile(
    r"requires\((?P<rules>[^@]+)\)\nasync def (?P<name>(?:list|get)_\w+)\([^@]+?\n"
    r"(?P<line>    await service\.get_.+\n)"
)
Document = dict[str, Any]
Rules = list[str]
Right = tuple[str, str]  # an entity and an action


@dataclass(frozen=True)
class Mutation:
    """New texts of files, by path; `tests` are those that notice it, for `-k`."""

    name: str
    files: Mapping[str, str]
    tests: str = ""


# The rules of entities


def rules_of(name: str, action: str) -> Rules:
    """Return the rules of an entity for an action."""
    entity = next(one for one in DOCUMENT["entities"] if one["name"] == name)
    access = entity.get("access", DOCUMENT["access"])
    found = access[action] if isinstance(access, dict) else access
    return [found] if isinstance(found, str) else found


def others(rules: Rules) -> Iterator[Rules]:
    """Yield other rules: those that always hold, and each time one fewer."""
    if rules != ["public"]:
        yield ["public"]
    if rules != ["nobody"]:
        for rule in rules:
            yield [one for one in rules if one != rule] or ["nobody"]


def spec_of(document: Document) -> Spec:
    return parse(json.dumps(document).encode())


def code_of(document: Document) -> dict[str, str]:
    """Return the code that is generated from a document, without its tests."""
    files = generate_modular_app(spec_of(document)).files
    return {path: files[path] for path in files if path.startswith("src/")}


def mutations_of_rules() -> Iterator[Mutation]:
    """Yield the code with other rules of one entity for one action."""
    known = code_of(DOCUMENT)
    for number, entity in enumerate(spec_of(DOCUMENT).entities):
        access = {one: rules_of(entity.name, one) for one in ACTIONS}
        for action in ACTIONS:
            for rules in others(access[action]):
                changed = copy.deepcopy(DOCUMENT)
                changed["entities"][number]["access"] = {**access, action: rules}
                code = code_of(changed)
                files = {path: code[path] for path in code if code[path] != known[path]}
                name = f"{entity.name}: {action}: {access[action]} -> {rules}"
                yield Mutation(name, files, f"/api/v1/{entity.url}")


# The rules of endpoints, and the rows above child lists


def mutations_of_endpoints() -> Iterator[Mutation]:
    """Yield routes in which an endpoint lacks a rule, or does not look at the parent."""
    for path, text in code_of(DOCUMENT).items():
        if not path.startswith("src/api/routes/") or path.endswith("__init__.py"):
            continue
        prefix = re.search(r'prefix="(.+?)"', text)
        assert prefix is not None, path
        for found in ENDPOINT.finditer(text):
            before, after = text[: found.start()], text[found.end("rules") + 2 :]
            needed = RULES.findall(found["rules"])
            if not needed or not is_implied(needed):
                yield Mutation(found["name"], {path: before + after}, prefix[1])
            for one, other in [needed, needed[::-1]] if len(needed) == 2 else []:
                if not is_implied([one], other):
                    kept = "entities.{}Entity.__access__.{}".format(*other)
                    line = f"@permissions.requires({kept})\n"
                    name = f"{found['name']}: without {'.'.join(one)}"
                    yield Mutation(name, {path: before + line + after}, prefix[1])
        for found in PARENT.finditer(text):
            parent = RULES.findall(found["rules"])[0]
            if not is_implied([parent]):
                changed = text[: found.start("line")] + text[found.end("line") :]
                name = f"{found['name']}: without its parent"
                yield Mutation(name, {path: changed}, prefix[1])


def is_implied(needed: list[Right], *others: Right) -> bool:
    """Whether each caller who has the rights `others` has those that are needed."""
    callers = AccessMatrix(spec_of(DOCUMENT)).callers

    def may(caller: str, rights: Iterable[Right]) -> bool:
        return all(holds(rules_of(*one), caller) for one in rights)

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
        "return rule == PUBLIC\n": "return True\n",
        "return name in principal.roles": "return True",
        "return name in principal.scopes": "return True",
        'return rule in (PUBLIC, "authenticated")': "return True",
        "return Rows.OWN if principal": "return Rows.ALL if principal",
    },
    "src/core/permissions.py": {
        "if rows_for(rules, principal) is Rows.NONE:": "if False:",
        "try:\n                await enforce_access(request)\n": "try:\n",
    },
    "src/api/error_handlers.py": {
        "REFUSED_BODIES:\n        await enforce_access(request)\n": "REFUSED_BODIES:\n",
        "    await enforce_access(request)\n    await enforce_rate_limit": (
            "    await enforce_rate_limit"
        ),
    },
    ACCESS: {
        "return _is_sender(entity, getattr(entity, key))": "return sa.true()",
        "return column == sa.bindparam(": "return column != sa.bindparam(",
        ".where(_is_sender(target, owner))": "",
        "state.statement = _restricted(": "_restricted(",
        "owned(one) if found is Rows.OWN": "sa.true() if found is Rows.OWN",
        "else sa.false(),": "else sa.true(),",
        "is Rows.OWN:\n        return ForbiddenError()": (
            "is Rows.OWN and False:\n        return ForbiddenError()"
        ),
        "made[OWNER_ID] = principal.subject": "pass",
        'made["created_by"] = principal.subject': "pass",
        'return {"updated_by": principal.subject if': 'return {"updated_by": None if',
        'if rows(db, one.target, "read") is not Rows.ALL\n': "if False\n",
        "return ReferenceNotFoundError(missing)": "return None",
        "return of_others if foreign else None": "return None",
        "is_own = owned(target) if target in by_owner": "is_own = sa.true() if True",
        "column = owned(entity) if allowed is Rows.OWN": "column = sa.true() if True",
        "if row is not None and not row[1]:": "if False:",
        "return row is not None": "return True",
    },
    REPOSITORY: {
        '_lock_for("delete", ': '_lock_for("read", ',
        '_lock_for("update", entity_id)\n        if': (
            '_lock_for("read", entity_id)\n        if'
        ),
        "allowed is Rows.OWN and not is_own:": "False:",
        "(own, other) if self.links[name].key else (other, own)": "(own, other)",
        'self.db, *changed, "update"\n': "self.db, *changed\n",
        "_may_change_link(name, own_id, other_id):\n            return": (
            "_may_change_link(name, own_id, other_id) and False:\n            return"
        ),
        "await self._check_new_references(entity, changes, sent)": "pass",
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


class Runner:
    """Runs the tests in a copy of a project, with mutations of its code."""

    def __init__(self, project: Project, server: str) -> None:
        self.project = project
        self.process = subprocess.Popen(
            [project.python, HERE / "forked_tests.py"],
            cwd=project.path,
            env=clean_environment()
            | {"TEST_DATABASE_URL": server, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def survives(self, mutation: Mutation) -> str:
        """Return what the tests say if they do not notice a mutation."""
        root = self.project.path
        kept = {path: (root / path).read_text() for path in mutation.files}
        try:
            self._write(mutation.files)
            said = self.run("-x", "-k", mutation.tests)
        finally:
            self._write(kept)
        if re.search(r"^FAILED ", said, re.MULTILINE):
            return ""
        return f"{mutation.name}\n{said[-LAST:]}"

    def _write(self, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            (self.project.path / path).write_text(text)

    def run(self, *arguments: str) -> str:
        """Run the tests and return their output."""
        command = [TESTS, *OPTIONS, *arguments]
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline(), "the process has ended"
        return (self.project.path / "forked_tests.log").read_text()


Survivors = Callable[[Iterable[Mutation]], str]


@pytest.fixture(scope="module")
def shop(
    bake: Callable[..., Project], tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A project whose tests pass."""
    path = tmp_path_factory.mktemp("shop") / "entities.json"
    path.write_text(json.dumps(DOCUMENT))
    project = bake("mutated", f"entities_file={path}")
    project.run("make", "test", f"ARGS=--no-cov {TESTS}")
    return project


@pytest.fixture(scope="module")
def survivors(
    shop: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Survivors]:
    """Return the names of mutations that no test notices."""
    free: Queue[Runner] = Queue()
    with shop.database_server() as server, contextlib.ExitStack() as stack:
        for number in range(COPIES):
            path = tmp_path_factory.mktemp("copies") / str(number)
            left_out = shutil.ignore_patterns(".venv", ".git")
            shutil.copytree(shop.path, path, ignore=left_out)
            (path / ".venv").symlink_to(shop.path / ".venv")
            runner = Runner(Project(path), server)
            stack.callback(runner.process.wait)
            stack.callback(runner.process.communicate)
            free.put(runner)

        def survives(mutation: Mutation) -> str:
            runner = free.get()
            try:
                return runner.survives(mutation)
            finally:
                free.put(runner)

        def play(mutations: Iterable[Mutation]) -> str:
            with ThreadPoolExecutor(COPIES) as pool:
                return "\n".join(filter(None, pool.map(survives, mutations)))

        yield play


def test_tests_notice_other_rules_of_an_entity(
    shop: Project, survivors: Survivors
) -> None:
    for path, text in code_of(DOCUMENT).items():
        assert (shop.path / path).read_text() == text
    assert survivors(mutations_of_rules()) == ""


def test_tests_notice_an_endpoint_without_a_rule(survivors: Survivors) -> None:
    assert survivors(mutations_of_endpoints()) == ""


def test_tests_notice_missing_conditions_of_statements(
    shop: Project, survivors: Survivors
) -> None:
    assert survivors(mutations_of_code(shop)) == ""
