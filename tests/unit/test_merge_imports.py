"""Merging imports: every name stays bound to what a person or the generator bound it to."""

import builtins
import contextlib
import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaffold.merging import merge, three_way
from scaffold.merging.imports import unbound
from scaffold.project.entities import make_plan
from tests.unit.evolution import evolved, random_document

PATH = "src/api/module.py"


class Thing:
    """A module or anything in one; it is known by its full name."""

    def __init__(self, name: str, typing: bool = False) -> None:
        self._name = name
        self.TYPE_CHECKING = typing
        if name in STARS:
            self.__all__ = STARS[name]

    def __getattr__(self, name: str) -> "Thing":
        return Thing(f"{self._name}.{name}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing) and other._name == self._name

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return self._name


# What a star import of a module binds.
STARS = {"mine.all": ["star_one", "star_two"], "pkg.one": ["A", "B", "CONSTANT", "d"]}
ABSENT = "fast_json"


def run(text: str, *, typing: bool = False) -> dict[str, object]:
    """Run a module whose imports all succeed, and return what its names are."""

    def import_(
        name: str, globals_: Any, _locals: Any, names: Any, level: int = 0
    ) -> object:
        if name == ABSENT:
            raise ImportError(name)
        if name == "contextlib":
            return contextlib
        if level:
            package = globals_["__package__"].split(".")
            above = package[: len(package) - level + 1]
            name = ".".join(filter(None, [*above, name]))
        if name == "typing":
            return Thing(name, typing)
        return Thing(name if names else name.partition(".")[0])

    namespace: dict[str, object] = {
        "__builtins__": {**vars(builtins), "__import__": import_},
        "__package__": "src.api",
        "__name__": "src.api.module",
    }
    exec(compile(text, PATH, "exec"), namespace)  # noqa: S102
    return {k: v for k, v in namespace.items() if isinstance(v, Thing)}


# Statements that a generator may write, in its order: module, name, name here.
FUTURE = ("__future__", "annotations", "annotations")
POOL = [
    FUTURE,
    ("", "alpha", "alpha"),
    ("", "beta", "beta"),
    ("", "beta.deep", "beta"),
    ("", "gamma.deep", "g"),
    ("lib", "Z", "Z"),
    ("lib", "z", "z"),
    ("pkg", "one", "one"),
    ("pkg", "two", "second"),
    ("pkg.one", "CONSTANT", "CONSTANT"),
    ("pkg.one", "A", "A"),
    ("pkg.one", "B", "B"),
    ("pkg.one", "d", "d"),
    ("pkg.two", "A", "A2"),
    ("pkg.two", "E", "E"),
]
Bound = tuple[str, str, str]


def target(bound: Bound) -> Thing:
    module, name, here = bound
    if not module and name.partition(".")[0] == here:
        return Thing(here)
    return Thing(f"{module}.{name}".strip("."))


def statement(module: str, names: list[Bound]) -> str:
    listed = ", ".join(
        name if here in (name, name.partition(".")[0]) else f"{name} as {here}"
        for _, name, here in names
    )
    return f"from {module} import {listed}" if module else f"import {listed}"


def grouped(bound: list[Bound]) -> list[str]:
    """Statements as a generator writes them: plain names of a module are joined."""
    joined: dict[tuple[str, str], list[Bound]] = {}
    for one in bound:
        module, name, here = one
        own = "" if module and name == here else name
        joined.setdefault((module, own), []).append(one)
    return [statement(module, names) for (module, _), names in joined.items()]


def generated(bound: list[Bound]) -> str:
    sections: dict[str, list[str]] = {}
    for line in grouped(bound):
        first = line.split()[1].partition(".")[0]
        name = {"__future__": "0", "lib": "2", "pkg": "3"}.get(first, "1")
        sections.setdefault(name, []).append(line)
    imports = "\n\n".join("\n".join(lines) for _, lines in sorted(sections.items()))
    uses = "".join(f"{here}_used = {here}\n" for _, _, here in bound if here[0] != "a")
    uses += "".join(f"alpha_used = {here}\n" for _, _, here in bound if here == "alpha")
    return f'"""A module."""\n\n{imports}\n\nFIRST = 1\n\n{uses}\nLAST = 1\n'


COMMENTS = ["# a remark", "# isort: split", "# fmt: off"]
OWN = [
    "import mine",
    "import mine.deep",
    "import mine as my_own",
    "from mine import thing as other, thing",
    "from mine.all import *",
    "from . import near",
    "from ..core import base as above",
    "from pkg.one import A as mine_too",
    "if typing.TYPE_CHECKING:\n    from mine.types import Only",
    f"try:\n    import {ABSENT} as json\nexcept ImportError:\n    import json",
    f"try:\n    import {ABSENT}\nexcept ImportError:\n    {ABSENT} = None",
    "with contextlib.suppress(ImportError):\n    import extra",
    "SETTING = 1",
    "import mine\nMINE = mine.path",
]
NEEDS = {"typing.": "import typing", "contextlib.": "import contextlib"}


def rewritten(bound: list[Bound], random: random.Random) -> str:
    """The imports of these names as a person may write them."""
    plain = [one for one in bound if one != FUTURE]
    lines: list[str] = []
    style = random.choice(["single", "joined", "as generated", "wild"])
    if style == "as generated":
        lines = grouped(plain)
    elif style == "single":
        lines = [statement(one[0], [one]) for one in plain]
    else:
        modules: dict[str, list[Bound]] = {}
        for one in plain:
            part = random.choice(["", "x"]) if style == "wild" else ""
            modules.setdefault(one[0] + part, []).append(one)
        for names in modules.values():
            random.shuffle(names)
            lines.append(statement(names[0][0], names))
    if random.random() < 0.2 and any(one[0] == "pkg.one" for one in plain):
        lines = [line for line in lines if not line.startswith("from pkg.one ")]
        lines.append("from pkg.one import *")
    own = random.sample(OWN, random.randint(0, 3))
    needed = [line for name, line in NEEDS.items() if name in "".join(own)]
    lines += own
    if random.random() < 0.7:
        random.shuffle(lines)
    lines = [
        *([statement("__future__", [FUTURE])] if FUTURE in bound else []),
        *needed,
        *(laid_out(line, random) for line in lines),
    ]
    text = ""
    for line in lines:
        above = random.choice(["", "", "", "\n", random.choice(COMMENTS) + "\n"])
        if text.endswith("; ") and (above or line.startswith(("if", "try", "with"))):
            text = text.removesuffix("; ") + "\n"
        may_join = "\n" not in line and "#" not in line and random.random() < 0.1
        text += above + line + ("; " if may_join else "\n")
    return text.removesuffix("; ").removesuffix("\n")


def laid_out(line: str, random: random.Random) -> str:
    """One statement: on a line, on several, with comments."""
    start, found, names = line.partition(" import ")
    if found and "\n" not in line and "*" not in line and random.random() < 0.4:
        remark = random.choice(["", "  # noqa: F401", "  # why"])
        listed = "".join(f"    {name},{remark}\n" for name in names.split(", "))
        return f"{start} import (\n{listed})"
    if "\n" not in line and random.random() < 0.2:
        return line + random.choice(["  # noqa: F401", "  # why"])
    return line


def merged(yours: str, before: str, new: str) -> three_way.Merged:
    return three_way.merge(PATH, yours, before, new, "entities.json")


def used(text: str) -> set[str]:
    return set(re.findall(r"^\w+ = (\w+)", text, re.MULTILINE))


def check(seed: random.Random) -> None:
    old = [one for one in POOL if seed.random() < 0.6]
    now = [one for one in POOL if seed.random() < (0.8 if one in old else 0.4)]
    before, new = generated(old), generated(now)
    _, _, rest = before.partition("FIRST")
    yours = f'"""A module."""\n\n{rewritten(old, seed)}\n\nFIRST{rest}'
    bound = sorted(run(yours).keys() - {"annotations"})
    names = [name for name in bound if not name.endswith("_used")]
    mine = seed.sample(names, min(len(names), seed.randint(0, 3)))
    yours += "".join(f"mine_{n} = {name}\n" for n, name in enumerate(mine))
    found = merged(yours, before, new)
    assert not found.conflicts, found.text
    gone = {one[2] for one in old} - {one[2] for one in now}
    for typing in (False, True):
        was, is_now = run(yours, typing=typing), run(found.text, typing=typing)
        for name, thing in was.items():
            if name.endswith("_used") or (
                name in gone and name not in used(found.text)
            ):
                continue
            assert is_now.get(name) == thing, (name, yours, found.text)
        for one in now:
            assert is_now[one[2]] == target(one), (one, yours, found.text)
    for one in ("# a remark", "# why", "# isort: split"):
        assert found.text.count(one) <= yours.count(one)
    for line in yours.split("\n"):
        if line.startswith("#"):
            assert line in found.text


quiet = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
long = settings(max_examples=20000, suppress_health_check=[HealthCheck.too_slow])
seeds = given(seed=st.randoms(use_true_random=False))


@quiet
@seeds
def test_every_name_stays_bound_to_the_same_thing(seed: random.Random) -> None:
    check(seed)


@pytest.mark.slow
@long
@seeds
def test_every_name_stays_bound_at_length(seed: random.Random) -> None:
    check(seed)


BEFORE = '"""A module."""\n\nimport alpha\n\nfrom pkg import A\n\nalpha, A\n'
HAND_WRITTEN = {
    "a name of a statement that a person split": (
        "import alpha\n\nfrom pkg import A\nfrom pkg import mine",
        "import alpha\n\nfrom pkg import A, B",
        "import alpha\n\nfrom pkg import A\nfrom pkg import B\nfrom pkg import mine\n",
    ),
    "a name beside one with an alias": (
        "import alpha\n\nfrom pkg import A\nfrom pkg import thing as mine",
        "import alpha\n\nfrom pkg import A, B",
        "import alpha\n\nfrom pkg import A, B\nfrom pkg import thing as mine\n",
    ),
    "a name beside one with a comment": (
        "import alpha\n\nfrom pkg import A  # why",
        "import alpha\n\nfrom pkg import A, B",
        "import alpha\n\nfrom pkg import A  # why\nfrom pkg import B\n",
    ),
    "a name that a person has already": (
        "import alpha\n\nfrom pkg import A\nfrom pkg import B as B",
        "import alpha\n\nfrom pkg import A, B",
        "import alpha\n\nfrom pkg import A\nfrom pkg import B as B\n",
    ),
    "a name that a person has for type checkers": (
        "import alpha\n\nfrom pkg import A\n\nif TYPE_CHECKING:\n    from pkg import B",
        "import alpha\n\nfrom pkg import A, B",
        "import alpha\n\nfrom pkg import A, B\n\nif TYPE_CHECKING:\n    from pkg import B\n",
    ),
    "a section of its own": (
        "import alpha\nimport mine\n\nfrom pkg import A",
        "import alpha\n\nfrom lib import z\n\nfrom pkg import A",
        "import alpha\nimport mine\n\nfrom lib import z\n\nfrom pkg import A\n",
    ),
    "a name below a line with another statement": (
        "import alpha; MINE = 1; from pkg import (\n    A,\n)",
        "import alpha\n\nfrom pkg import A, B",
        "import alpha; MINE = 1; from pkg import (\n    A,\n)\nfrom pkg import B\n",
    ),
    "a name below a person's statement": (
        "import mine\nmine.path.append(1)\nimport alpha\n\nfrom pkg import A",
        "from pkg import A, B",
        "import mine\nmine.path.append(1)\n\nfrom pkg import A, B\n",
    ),
    "a name that only a person's statement among the imports uses": (
        "import alpha\nalpha.path.append(1)\nimport mine\n\nfrom pkg import A",
        "from pkg import A, B",
        "import alpha\nalpha.path.append(1)\nimport mine\n\nfrom pkg import A, B\n",
    ),
    "a name that nothing uses any more": (
        "import alpha\nimport mine\n\nfrom pkg import A",
        "from pkg import A",
        "import mine\n\nfrom pkg import A\n",
    ),
    "a name that is gone, with a person's comment": (
        "import mine\nimport alpha  # why\n\nfrom pkg import A",
        "from pkg import A",
        "import mine\n\n# why\n\nfrom pkg import A\n",
    ),
    "a name that nothing uses any more, which a person wants all the same": (
        "import alpha  # noqa: F401\nimport mine\n\nfrom pkg import A",
        "from pkg import A",
        "import alpha  # noqa: F401\nimport mine\n\nfrom pkg import A\n",
    ),
}


def module(imports: str, uses: str = "alpha, A") -> str:
    return f'"""A module."""\n\n{imports}\n\n\nUSES = {uses}\nLAST = 1\n'


@pytest.mark.parametrize("case", HAND_WRITTEN)
def test_imports_are_added_and_removed_in_a_persons_layout(case: str) -> None:
    yours, new, expected = HAND_WRITTEN[case]
    uses = "A" if "alpha" not in new else "A, B" if "B" in new else "A, z"
    before = module("import alpha\n\nfrom pkg import A")
    found = merged(module(yours), before, module(new, uses))
    assert found == three_way.Merged(module(expected.rstrip("\n"), uses))


def test_a_generated_statement_above_a_persons_import_is_merged_as_a_line() -> None:
    text = "import alpha\n\nFIRST = 1\n{}\n\nLAST = alpha\n"
    found = merged(
        text.format("import mine"),
        text.format(""),
        text.format("").replace("FIRST = 1", "FIRST = 2"),
    )
    assert "FIRST = 2" in found.text
    assert "FIRST = 1" not in found.text or found.conflicts


def test_an_import_behind_the_end_of_another_statement() -> None:
    yours = module("MINE = (\n    1,\n); import alpha\nfrom pkg import A")
    before = module("import alpha\n\nfrom pkg import A")
    found = merged(yours, before, module("from pkg import A, B", "A, B"))
    expected = module("MINE = (\n    1,\n); import alpha\nfrom pkg import A, B", "A, B")
    assert found == three_way.Merged(expected)


def test_a_removed_import_goes_below_a_statement_of_a_persons_own() -> None:
    before = module("import alpha\n\nfrom pkg import A")
    yours = before.replace('"""A module."""', "MINE = 1")
    found = merged(yours, before, module("from pkg import A", "A"))
    assert not found.conflicts
    assert found.text.startswith("MINE = 1\n\nfrom pkg import A\n")


ABOVE = {
    "a statement": ("SETTING = 1  # noqa", "{future}SETTING = 1  # noqa"),
    "a statement with a remark": ("# why\nSETTING = 1", "{future}# why\nSETTING = 1"),
}


@pytest.mark.parametrize("case", ABOVE)
def test_a_future_import_goes_above_a_persons_statement(case: str) -> None:
    mine, expected = ABOVE[case]
    imports = "import alpha\n\nfrom pkg import A"
    future = "from __future__ import annotations\n\n"
    before, new = module(imports), module(future + imports)
    found = merged(module(f"{mine}\n{imports}"), before, new)
    top = expected.format(future=future)
    assert found == three_way.Merged(module(f"{top}\n\n{imports}"))
    compile(found.text, PATH, "exec")


USED = {
    "in a quoted annotation": 'mine: "alpha.Number" = 1\n',
    "in a function": "def mine() -> None:\n    alpha.do()\n",
    "in __all__": '__all__ = ["alpha"]\n',
    "in an annotation": "def mine(it: alpha.Number) -> None: ...\n",
}


@pytest.mark.parametrize("case", USED)
def test_a_removed_import_stays_where_a_person_uses_it(case: str) -> None:
    before = module("import alpha\n\nfrom pkg import A")
    yours = before + "\n\n" + USED[case]
    found = merged(yours, before, module("from pkg import A", "A"))
    assert not found.conflicts
    assert "\nimport alpha\n" in found.text


CLASHES = {
    "an import": ("import alpha\n\nfrom mine import B\nfrom pkg import A", ""),
    "a class": ("import alpha\n\nfrom pkg import A", "\n\nclass B:\n    pass\n"),
    "a statement": ("import alpha\nB = 1\n\nfrom pkg import A", ""),
}


@pytest.mark.parametrize("case", CLASHES)
def test_a_name_that_a_person_has_for_something_else_is_a_conflict(case: str) -> None:
    imports, rest = CLASHES[case]
    before = module("import alpha\n\nfrom pkg import A")
    new = module("import alpha\n\nfrom pkg import A, B", "alpha, A, B")
    found = merged(module(imports) + rest, before, new)
    assert found.conflicts == 1
    assert (
        f"<<<<<<< yours\n{imports}\n||||||| written by the last run\n"
        "import alpha\n\nfrom pkg import A\n=======\n"
        "import alpha\n\nfrom pkg import A, B\n>>>>>>> entities.json\n" in found.text
    )


def test_a_name_that_is_bound_to_something_else_now_is_a_conflict_if_it_is_used() -> (
    None
):
    before = module("import alpha\n\nfrom pkg import A")
    new = module("import alpha\n\nfrom elsewhere import A")
    assert not merged(before + "# mine\n", before, new).conflicts
    assert merged(before + "mine = A\n", before, new).conflicts == 1


def test_an_import_that_only_type_checkers_see_is_not_enough_for_new_code() -> None:
    yours = module(
        "import alpha\nfrom typing import TYPE_CHECKING\n\n"
        "if TYPE_CHECKING:\n    from pkg import A",
        "alpha",
    )
    before = module("import alpha\n\nfrom pkg import A", "alpha")
    before += "\n\ndef f(it: 'A') -> None: ...\n"
    yours += "\n\ndef f(it: 'A') -> None: ...\n"
    kept = merged(yours, before, before.replace("LAST = 1", "LAST = 2"))
    assert kept == three_way.Merged(yours.replace("LAST = 1", "LAST = 2"))
    found = merged(yours, before, before.replace("LAST = 1", "LAST = A"))
    assert "\nfrom pkg import A\n" in found.text


def test_unbound_names_are_found_in_every_scope() -> None:
    text = "import a\n\n\ndef f(b):\n    c = 1\n    return a, b, c, d, [e for e in g]\n"
    assert unbound(text) == {"d", "g"}
    assert unbound(f"from x import *\n{text}") == set()


def test_imports_are_merged_beside_a_conflict() -> None:
    before = module("import alpha\n\nfrom pkg import A")
    yours = before.replace("import alpha", "import alpha\nimport mine") + "\nmine\n"
    yours = yours.replace("LAST = 1", "LAST = 2")
    new = module("import alpha\n\nfrom pkg import A, B", "alpha, A, B")
    found = merged(yours, before, new.replace("LAST = 1", "LAST = 3"))
    assert found.conflicts == 1
    assert "\n\nimport alpha\nimport mine\n\nfrom pkg import A, B\n\n" in found.text


SORTERS = [
    "force-single-line = true",
    "force-sort-within-sections = true",
    "combine-as-imports = true",
    "order-by-type = false",
    "from-first = true",
    "length-sort = true",
    "no-lines-before = ['third-party', 'first-party']",
]


def ruff(root: Path, *arguments: str) -> None:
    known = "lint.isort.known-first-party = ['src', 'tests']"
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache"]
    done = subprocess.run(
        [*command, "--config", known, *arguments, str(root)], capture_output=True
    )
    assert done.returncode == 0, done.stdout.decode()


def apply(root: Path, document: object) -> merge.Plan:
    (root / "entities.json").write_text(json.dumps(document))
    plan = make_plan(root)
    merge.carry_out(plan)
    return plan


@pytest.mark.parametrize("sorter", SORTERS)
def test_imports_that_another_sorter_laid_out_are_merged(
    tmp_path: Path, sorter: str
) -> None:
    """Nothing is a conflict, and nothing is missing, unused or there twice."""
    seed = random.Random(sorter)
    document = random_document(seed)
    apply(tmp_path, document)
    ruff(tmp_path, "--select=I", "--fix", "--config", f"lint.isort.{sorter}")
    for _ in range(3):
        document = evolved(document, seed)
        plan = apply(tmp_path, document)
        assert not plan.with_outcome(merge.CONFLICT)
        ruff(tmp_path, "--select=E9,F401,F811,F821,F822,F823")
