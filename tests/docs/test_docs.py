"""Tests of the documentation: what a page names exists, and limits are correct."""

import ast
import json
import re
import textwrap
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from scaffold.patterns import portable
from scaffold.spec import problems
from scaffold.spec.json import decoding, parsing
from scaffold.spec.loading import SpecError, parse
from scaffold.spec.vocabulary import field_types, keys
from scaffold.spec.vocabulary.field_types import TYPES
from tests.harness.documentation import blocks
from tests.harness.project import ROOT
from tests.harness.skeleton import (
    EVERY_FLAG,
    TREE,
    exists,
    modules,
    optional_files,
    text_of,
)

RENDERED = TREE / "scaffold" / "rendering" / "templates"
TEMPLATES = TREE / "scaffold" / "rendering" / "templates"
OURS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
PROJECTS = [
    TREE / "README.md",
    *sorted((TREE / "docs").glob("*.md")),
    TREE / "scaffold" / "rendering" / "templates" / "README.md",
]
# The commands of these pages are run in a generated project.
IN_A_PROJECT = [
    *PROJECTS,
    *(ROOT / "docs" / f"{n}.md" for n in ("tutorial", "recipes", "importing")),
]
ENTITIES = (ROOT / "docs" / "entities.md").read_text()


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def targets(makefile: str) -> dict[str, str]:
    """Return each target with its line of help."""
    return dict(re.findall(r"^([a-z-]+):.*?(?:## (.*))?$", makefile, re.MULTILINE))


OUR_MAKEFILE = (ROOT / "Makefile").read_text()
MAKEFILE = text_of("Makefile", **EVERY_FLAG)


# Links


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")
        for heading in headings
    }


@pytest.mark.parametrize("page", [*OURS, *PROJECTS], ids=name)
def test_internal_links_resolve(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link or link.startswith("../../actions/"):  # GitHub's own pages
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if target.is_relative_to(TREE):
            rendered = RENDERED / f"{target.relative_to(TREE)}.jinja"
            if rendered.exists():  # a page that is made from the entities
                continue
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


# Commands


@pytest.mark.parametrize(
    "makefile", [OUR_MAKEFILE, MAKEFILE], ids=["ours", "the project's"]
)
def test_every_target_has_a_line_of_help(makefile: str) -> None:
    found = targets(makefile)
    assert found["help"]
    assert [target for target, text in found.items() if not text] == []


@pytest.mark.parametrize("page", [*OURS, *PROJECTS], ids=name)
def test_commands_are_targets(page: Path) -> None:
    text = page.read_text()
    ours, theirs = targets(OUR_MAKEFILE), targets(MAKEFILE)
    typed = "\n".join(block.text for block in blocks(text) if block.language == "sh")
    allowed = theirs if page in IN_A_PROJECT else ours
    for target in re.findall(r"^(?:\w+=\S+ )*make ([a-z-]+)", typed, re.MULTILINE):
        assert target in allowed, target
    for target in re.findall(r"`(?:\w+=\S+ )?make ([a-z-]+)", text):
        assert target in ours.keys() | theirs.keys(), target


def test_our_readme_names_the_two_commands() -> None:
    typed = [block.text for block in blocks((ROOT / "README.md").read_text())]
    assert re.findall(r"^make (\w+)", "".join(typed), re.MULTILINE) == ["demo", "test"]


# Options


def options() -> dict[str, Any]:
    answers = json.loads((ROOT / "cookiecutter.json").read_text())
    return {key: value for key, value in answers.items() if key[0] != "_"}


def test_every_option_is_documented() -> None:
    page = (ROOT / "docs" / "options.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*)$", page, re.MULTILINE))
    assert list(rows) == list(options())
    for option, default in options().items():
        values = default if isinstance(default, list) else [default or "empty"]
        if "{{" not in values[0]:
            for value in values:
                assert f"`{value}`" in rows[option] or value in rows[option], option


# entities.json


def rows(heading: str) -> list[str]:
    """Return the keys in the table under a heading."""
    section = ENTITIES.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = section.partition("\n### ")[0]
    return re.findall(r"^\| `(\S+)` \|", table, re.MULTILINE)


@pytest.mark.parametrize(
    ("heading", "known"),
    [
        ("An entity", keys.ENTITY),
        ("A field", keys.FIELD),
        ("A relation", keys.RELATION),
    ],
)
def test_every_key_is_documented(heading: str, known: Mapping[str, object]) -> None:
    assert sorted(rows(heading)) == sorted(known)


def test_every_key_of_an_id_and_of_the_top_is_documented() -> None:
    section = ENTITIES.partition("\n### Ids\n")[2].partition("\n### ")[0]
    table = re.findall(r"^\| `(\S+)` \|", section, re.MULTILINE)
    assert sorted(table) == sorted(keys.ID)
    for key in (*keys.TOP, *keys.TIMESTAMPS, *keys.ID_TYPES):
        assert f"`{key}`" in ENTITIES


def test_every_type_is_documented() -> None:
    headings = re.findall(r"^### ([a-z_]+)$", ENTITIES, re.MULTILINE)
    assert sorted(headings) == sorted([*TYPES, *keys.RELATION_TYPES])


@pytest.mark.parametrize("type_name", TYPES)
def test_the_keys_of_a_type_are_documented(type_name: str) -> None:
    section = ENTITIES.partition(f"\n### {type_name}\n")[2].partition("\n##")[0]
    own = re.search(r"Its own keys?: (.*?)(?:\n\n|```)", section, re.DOTALL)
    named = set(re.findall(r"`(\w+)`(?! by default)", own[1] if own else ""))
    assert named == TYPES[type_name].keys.keys() - keys.ARRAY.keys()
    assert own or "no keys of its own" in section


def test_arrays_and_their_types_are_documented() -> None:
    section = ENTITIES.partition("\n### Arrays\n")[2].partition("\n### ")[0]
    table = re.findall(r"^\| `(.+)` \|.* \|.* \|$", section, re.MULTILINE)
    assert [key for cell in table for key in cell.split("`, `")] == [*keys.ARRAY]
    listed = re.findall(
        r"`(\w+)`", section.partition("of the type: of ")[2].partition(".")[0]
    )
    assert listed == [name for name, one in TYPES.items() if "array" in one.keys]
    assert "All types but `time` and `json` have the keys of [arrays]" in ENTITIES


def examples() -> list[dict[str, Any]]:
    texts = [one.text for one in blocks(ENTITIES) if one.language == "json"]
    return [json.loads(text) for text in texts]


def whole(example: dict[str, Any]) -> dict[str, Any]:
    """Return a file with this field, relation or entity."""
    if "entities" in example:
        return example
    if "type" not in example:
        return {"entities": [example]}
    kind = "relations" if "target" in example else "fields"
    entities: list[dict[str, Any]] = [{"name": "Sample", kind: [example]}]
    if "target" in example:
        entities.append({"name": example["target"]})
    return {"entities": entities}


@pytest.mark.parametrize("example", examples(), ids=lambda one: one.get("name", "file"))
def test_every_example_is_accepted(example: dict[str, Any]) -> None:
    parse(json.dumps(whole(example)).encode())


RECIPES = (ROOT / "docs" / "recipes.md").read_text()


@pytest.mark.parametrize("recipe", re.split(r"^## ", RECIPES, flags=re.MULTILINE)[1:])
def test_every_recipe_shows_what_to_write(recipe: str) -> None:
    found = list(blocks(recipe))
    assert {"json", "diff", "python"} & {block.language for block in found}
    for block in found:
        if block.language == "json":
            parse(block.text.encode())
        elif block.language == "python":
            ast.parse(textwrap.dedent(block.text))


def test_the_contents_list_every_recipe() -> None:
    titles = re.findall(r"^## (.*)$", RECIPES, re.MULTILINE)
    contents = RECIPES.partition("\n## ")[0]
    assert re.findall(r"\[([^]]+)\]\(#", contents) == titles


def test_there_is_an_example_of_everything() -> None:
    used: dict[str, set[str]] = {"entity": set(), "field": set(), "relation": set()}
    of_type: dict[str, set[str]] = {}
    for example in examples():
        for entity in whole(example)["entities"]:
            used["entity"] |= entity.keys()
            for field in entity.get("fields", ()):
                used["field"] |= field.keys() & keys.FIELD.keys()
                of_type.setdefault(field["type"], set()).update(field)
            for relation in entity.get("relations", ()):
                used["relation"] |= relation.keys()
                of_type.setdefault(relation["type"], set()).update(relation)
    assert used["entity"] == set(keys.ENTITY)
    assert used["field"] == set(keys.FIELD)
    assert used["relation"] == set(keys.RELATION)
    assert set(of_type) == {*TYPES, *keys.RELATION_TYPES}
    seen = set.union(*of_type.values())
    own = {key for found in TYPES.values() for key in found.keys}
    assert own <= seen


def test_the_limits_are_those_of_the_checker() -> None:
    section = ENTITIES.partition("\n| what | at most |\n")[2]
    table = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", section, re.MULTILINE))
    stated = [int(n) for cell in table.values() for n in re.findall(r"\d+", cell)]
    size = decoding.MAX_BYTES // 2**20
    members = [keys.MAX_ENTITIES, keys.MAX_MEMBERS, keys.MAX_NAME, keys.MAX_ID]
    together = [keys.MAX_TOGETHER, keys.MAX_COLUMNS]
    index = [field_types.INDEX_BYTES, field_types.INDEXED_LENGTH]
    regex = [portable.MAX_PATTERN, portable.MAX_REPEAT, portable.MAX_NESTING]
    regex.append(portable.MAX_SIZE // 10**6)
    values = TYPES["enum"].keys["values"]
    text: Any = values.schema["items"]
    enum = [values.limit("maxItems"), text["maxLength"]]
    types = (TREE / "src" / "models" / "types.py").read_text()
    ids = re.findall(r"^MAX_LINKS = ([\d_]+)", types, re.MULTILINE)
    assert stated == [
        *[size, parsing.MAX_DEPTH, *members, *together, *index, parsing.MAX_NUMBER],
        *[*regex, *enum, *map(int, ids), keys.MAX_LEAST_ITEMS, keys.MAX_ITEMS],
        keys.MAX_RULES,
    ]
    assert f"shows {problems.SHOWN} problems" in ENTITIES


def test_the_messages_are_those_of_the_checker() -> None:
    bad = {"name": "Task", "fields": [{"name": "a", "type": "boolean"}]}
    fields: list[dict[str, Any]] = [
        {"name": "title", "type": "string", "min_length": 10, "max_length": 5},
        {"name": "b", "type": "date"},
        {"name": "c", "type": "strng"},
    ]
    bad["fields"] = fields
    with pytest.raises(SpecError) as caught:
        parse(json.dumps({"entities": [bad]}, indent=2).encode())
    said = {f"{one.path}: {one.message}" for one in caught.value.problems}
    text = next(one.text for one in blocks(ENTITIES) if "did you mean" in one.text)
    shown = set(re.findall(r"^entities\.json:\d+:\d+: (.*)$", text, re.MULTILINE))
    assert shown == said


# Settings and files


CURRENT = [  # decisions and the changelog also describe former versions
    page
    for page in [*OURS, *PROJECTS]
    if page.parent.name != "decisions" and page.stem not in ("CHANGELOG", "performance")
]
# Variables that other programs read.
FOREIGN = {
    "SENTRY_DSN",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_SERVICE_NAME",
    "ON_DELETE",
}


def settings() -> set[str]:
    config = text_of("src/core/config.py", **EVERY_FLAG)
    names = re.findall(r"^    (\w+): ", config, re.MULTILINE)
    return {name.upper() for name in names}


@pytest.mark.parametrize("page", CURRENT, ids=name)
def test_settings_that_a_page_names_exist(page: Path) -> None:
    known = settings() | FOREIGN
    for variable in re.findall(r"`([A-Z]+_[A-Z_]+)(?:=[^`]*)?`", page.read_text()):
        assert variable in known or variable in mentioned(), variable


@cache
def mentioned() -> str:
    """Return the files that read variables of their own: of tools, tests and stacks."""
    folders = ("tools", "tests/harness", "tests/live", "benchmarks", "hooks", ".ci")
    own = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    theirs = [
        path for at in ("scripts", "docker", "tests") for path in (TREE / at).rglob("*")
    ]
    files = [
        path for path in [*own, *theirs] if path.suffix in (".py", ".yml", ".example")
    ]
    files += [ROOT / "Makefile", ROOT / ".ci" / "run"]
    texts = [path.read_text() for path in files]
    return "\n".join([*texts, *optional_files(**EVERY_FLAG).values()])


@pytest.mark.parametrize("page", CURRENT, ids=name)
def test_modules_that_a_page_names_exist(page: Path) -> None:
    for path in re.findall(r"`(src/[\w/]+(?:\.py)?)`", page.read_text()):
        made_by_recipe = f"`{path}`" in RECIPES
        of_an_entity = re.search(r"/(tasks?|projects?)\.py$", path)
        there = exists(path) or (TEMPLATES / f"{path}.jinja").exists()
        assert there or of_an_entity or made_by_recipe, path


# The project's README


def test_the_variables_in_the_readme_are_those_of_the_example() -> None:
    example = text_of(".env.example")
    known = dict(re.findall(r"^([A-Z_]+)=(.*)$", example, re.MULTILINE))
    for variable in re.findall(r"^# ([A-Z_]+)=", example, re.MULTILINE):
        known[variable] = ""  # commented out: an example of a value
    section = (TREE / "README.md").read_text().partition("## Environment variables")[2]
    table = re.findall(r"^\| (`[A-Z_`, ]+`) \| (.*?) \|", section, re.MULTILINE)
    assert table
    for variables, defaults in table:
        names = re.findall(r"[A-Z_]+", variables)
        values = defaults.replace("`", "").replace("none", "").split(", ")
        for variable, value in zip(names, values, strict=True):
            # The default of the service is for production, the example for development.
            if variable != "ENVIRONMENT":
                assert known[variable] == value


def test_the_recipe_for_a_required_setting_names_the_existing_env_file() -> None:
    readme = " ".join((TREE / "README.md").read_text().split())
    recipe = readme[readme.index("A setting of your own is") :].split(" ## ")[0]
    assert "add it to every existing `.env`" in recipe


# The other pages


def test_decisions_are_short_and_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = sorted(path.name for path in folder.glob("*.md"))
    assert [page[:4] for page in pages] == [f"{n + 1:04}" for n in range(len(pages))]
    index = (folder / pages[0]).read_text()
    for page in pages:
        text = (folder / page).read_text()
        title = text.splitlines()[0].removeprefix(f"# {page[:4]} ")
        if page != pages[0]:  # the index
            assert len(text.splitlines()) <= 40
            assert f"[{page[:4]}]({page}) {title}" in index
        for part in ("Context", "Decision", "Consequences"):
            assert f"**{part}.**" in text


def test_paths_that_a_decision_names_exist_unless_it_is_superseded() -> None:
    for page in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        text = page.read_text()
        if "Superseded by" not in text:
            for path in re.findall(
                r"`((?:scaffold|scripts|src|tests|tools|hooks)/[\w./]+)`", text
            ):
                assert (ROOT / path).exists() or exists(path), (page, path)


def test_the_pages_name_every_speed_piece() -> None:
    pieces = [
        path
        for path, text in modules(TREE / "src").items()
        if text.startswith('"""A speed piece: ')
    ]
    assert len(pieces) == 3
    for page in (
        TREE / "README.md",
        *(ROOT / "docs" / f"{name}.md" for name in ("architecture", "performance")),
    ):
        for path in pieces:
            assert f"`{path}`" in page.read_text(), page
    counted = [page for page in CURRENT if "hree modules" in page.read_text()]
    assert {page.name for page in counted} == {"README.md", "architecture.md"}
    assert "Three modules only make requests faster" in (OURS[2].read_text())


def test_the_architecture_has_its_two_diagrams() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    drawn = [one.text for one in blocks(text) if one.language == "mermaid"]
    assert [one.split()[0] for one in drawn] == ["flowchart", "sequenceDiagram"]


def test_everything_that_the_mission_map_names_exists() -> None:
    page = (ROOT / "docs" / "mission.md").read_text()
    tasks = re.findall(r"^\| (\d\.\d+) \|", page, re.MULTILINE)
    groups = {1: 4, 2: 7, 3: 7, 4: 7, 5: 7, 6: 6, 7: 5, 8: 10}
    expected = [f"{g}.{n}" for g, most in groups.items() for n in range(1, most + 1)]
    assert tasks == expected
    assert len(expected) == 53
    for path in re.findall(r"`([\w*-][\w./*-]*(?:/|\.\w+)[\w./*-]*)`", page):
        places = [ROOT / path, TEMPLATES / f"{path}.jinja"]
        assert exists(path) or any(place.exists() for place in places), path


def test_the_lock_file_names_no_index() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert "--index" not in text
    assert text.count("==") < text.count("--hash=sha256:")


# Tests that pages name

SECURITY = TREE / "docs" / "security.md"
ROWS = "live/naive/rows.py"  # functions that test_rows.py in the same folder runs
RELIABILITY = ROOT / "docs" / "reliability.md"


def test_every_test_that_security_md_names_exists() -> None:
    page = SECURITY.read_text()
    named = re.findall(r"`template/([\w/]+\.py)::(\w+)`", page)
    assert len(named) == page.count("`template/") - 1 > 10  # the one in the explanation
    rows = (ROOT / "tests" / ROWS).read_text().partition("REQUESTS: list[Row] = [")[2]
    for path, test in named:
        source = (ROOT / "tests" / path).read_text()
        assert re.search(rf"^(async )?def {test}\(", source, re.MULTILINE), test
        # It must be run: as a test, or by test_rows.py.
        assert test.startswith("test_") or (path == ROWS and f"    {test},\n" in rows)


def test_every_path_in_reliability_md_exists() -> None:
    for path in re.findall(r"`(t(?:ests|ools)/[\w/.]+)`", RELIABILITY.read_text()):
        assert (ROOT / path).exists(), path
