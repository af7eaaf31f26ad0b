"""A merge defines each name once, and `entities-check` finds what is defined twice."""

import json
import sys
from pathlib import Path

import pytest

from scaffold.merging import merge, three_way
from scaffold.merging.python_source import is_valid
from scaffold.project import consistency, skeleton

PATH = "src/api/routes/tasks.py"


def merged(yours: str, before: str, new: str) -> three_way.Merged:
    return three_way.merge(PATH, yours, before, new, "entities.json")


def conflict(yours: str, new: str) -> str:
    return (
        f"<<<<<<< yours\n{yours}||||||| written by the last run\n"
        f"=======\n{new}>>>>>>> entities.json\n"
    )


MODULE = '''\
"""Routes."""

ROUTERS = [
    tags.router,
    users.router,
]

TAGS = [
    {"name": "tags"},
    {"name": "users"},
]


class Base:
    """A class."""

    title: str
    notes: str


@router.get("/{task_id}")
def get_task(task_id):
    return 1


def create_app():
    app.include_router(tags.router)
    app.include_router(users.router)
    return app


LAST = 1
'''
# A person's addition, where it is put, what is generated, and where that is put.
ADDED = {
    "a class": (
        '\n\nclass New:\n    """Mine."""\n',
        "LAST = 1\n",
        '\n\nclass New:\n    """Theirs."""\n',
        "    notes: str\n",
    ),
    "a function": (
        "\n\ndef new():\n    return 1\n",
        "LAST = 1\n",
        "\n\ndef new():\n    return 2\n",
        "    notes: str\n",
    ),
    "an attribute": (
        "    due: int\n",
        "    notes: str\n",
        "    due: str\n",
        '    """A class."""\n\n',
    ),
    "a method": (
        "\n    def check(self):\n        return 1\n",
        "    notes: str\n",
        "    def check(self):\n        return 2\n\n",
        '    """A class."""\n\n',
    ),
    "a route of another name": (
        '\n\n@router.get("/{id}/notes")\ndef mine(id):\n    return 1\n',
        "LAST = 1\n",
        '\n\n@router.get("/{task_id}/notes")\ndef theirs(task_id):\n    return 2\n',
        "    notes: str\n",
    ),
    "a router": (
        '    app.include_router(new.router, prefix="/mine")\n',
        "    app.include_router(users.router)\n",
        "    app.include_router(new.router)\n",
        "def create_app():\n",
    ),
    "an item of a list": (
        '    {"name": "new", "description": "Mine."},\n',
        '    {"name": "users"},\n',
        '    {"name": "new", "description": "Theirs."},\n',
        "TAGS = [\n",
    ),
}


def with_added(text: str, above: str) -> str:
    assert MODULE.count(above) == 1
    return MODULE.replace(above, above + text)


@pytest.mark.parametrize("case", ADDED)
def test_what_both_sides_added_under_one_name_is_a_conflict(case: str) -> None:
    mine, place, theirs, generated = ADDED[case]
    new = with_added(theirs, generated)
    found = merged(with_added(mine, place), MODULE, new)
    shown = conflict(mine.strip("\n") + "\n", theirs.strip("\n") + "\n")
    assert found.conflicts == 1
    assert shown in found.text
    assert found.text.replace(shown, theirs.strip("\n") + "\n") == new
    assert is_valid(found.text.replace(shown, mine.strip("\n") + "\n"))


@pytest.mark.parametrize("case", ADDED)
def test_the_same_text_in_two_places_is_there_once(case: str) -> None:
    _, place, theirs, generated = ADDED[case]
    mine = theirs.strip("\n") + "\n"
    new = with_added(theirs, generated)
    found = merged(with_added(mine, place), MODULE, new)
    assert found == three_way.Merged(new)


def test_a_router_that_both_registered_is_there_once() -> None:
    yours = with_added("    new.router,\n", "    users.router,\n")
    new = with_added("    new.router,\n", "ROUTERS = [\n")
    assert merged(yours, MODULE, new) == three_way.Merged(new)


def test_a_list_on_one_line_is_a_conflict_of_lines() -> None:
    before = "A = [a, b]\n\n\nLAST = 1\n"
    yours, new = before.replace("b]", "b, mine]"), before.replace("b]", "b, new]")
    found = merged(yours, before, new)
    assert found.conflicts == 1
    assert "A = [a, b, mine]\n" in found.text
    assert "A = [a, b, new]\n" in found.text


def test_properties_and_overloads_are_not_defined_twice() -> None:
    mine = (
        "\n    @property\n    def due(self):\n        return 1\n"
        "\n    @due.setter\n    def due(self, value):\n        pass\n"
    )
    found = merged(
        with_added(mine, "    notes: str\n"),
        MODULE,
        with_added("NEW = 1\n", "LAST = 1\n"),
    )
    assert not found.conflicts
    assert mine in found.text


def test_another_conflict_beside_it_is_shown_as_well() -> None:
    mine, place, theirs, generated = ADDED["a class"]
    yours = with_added(mine, place).replace("title: str", "title: bytes")
    new = with_added(theirs, generated).replace("title: str", "title: int")
    found = merged(yours, MODULE, new)
    assert found.conflicts == 2
    for line in ("title: bytes", "title: int", '"""Mine."""', '"""Theirs."""'):
        assert line in found.text


def test_two_definitions_against_one_are_all_shown() -> None:
    """One has the name of what is generated, the other one its route."""
    path = '@router.get("/{id}/x")'
    mine = f"\n\n{path}\ndef other(id):\n    return 1\n"
    mine += "\n\ndef theirs():\n    return 2\n"
    theirs = f"\n\n{path}\ndef theirs(id):\n    return 3\n"
    yours, new = with_added(mine, "LAST = 1\n"), with_added(theirs, "    notes: str\n")
    found = merged(yours, MODULE, new)
    assert found.conflicts
    for number in (1, 2, 3):
        assert f"    return {number}\n" in found.text


TWICE = {
    "a class": ("\n\nclass Base:\n    pass\n", "Base", 14),
    "a function": ("\n\ndef create_app():\n    pass\n", "create_app", 26),
    "a route": (
        '\n\n@router.get("/{id}")\ndef another(id):\n    pass\n',
        "the route router.get '/{}'",
        21,
    ),
}


@pytest.mark.parametrize("case", TWICE)
def test_check_names_what_is_defined_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    text, label, first = TWICE[case]
    path = tmp_path / PATH
    path.parent.mkdir(parents=True)
    path.write_text(MODULE + text)
    plan = merge.Plan(tmp_path, {PATH: MODULE.encode()}, [])
    assert not consistency.check(tmp_path, plan)
    line = MODULE.count("\n") + 3
    assert (
        f"code           {PATH}:{line}: {label} is there already, in line {first}; "
        "delete one of them\n" in capsys.readouterr().err
    )
    path.write_text(MODULE + "\n\ndef mine():\n    pass\n")
    consistency.check(tmp_path, plan)
    assert "code           agrees with entities.json\n" in capsys.readouterr().out
    path.write_text("def (\n")
    consistency.check(tmp_path, plan)
    assert "code           agrees with entities.json\n" in capsys.readouterr().out


def test_check_names_an_item_and_an_attribute_that_are_there_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / PATH
    path.parent.mkdir(parents=True)
    text = with_added("    tags.router,\n", "    users.router,\n")
    path.write_text(
        text.replace("    notes: str\n", "    notes: str\n    title: int\n")
    )
    plan = merge.Plan(tmp_path, {PATH: MODULE.encode()}, [])
    assert not consistency.check(tmp_path, plan)
    said = capsys.readouterr().err
    assert f"{PATH}:6: tags.router in ROUTERS is there already, in line 4;" in said
    assert f"{PATH}:20: Base.title is there already, in line 18;" in said


def test_check_names_a_router_that_the_application_includes_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = "src/main.py"
    answers = {"project_name": "Shop", "project_slug": "shop"}
    (tmp_path / ".devmatrix").mkdir()
    (tmp_path / ".devmatrix" / "answers.json").write_text(json.dumps(answers))
    text = skeleton.render(answers)[main].decode()
    routers = "(health.router, metrics.router, *ROUTERS)"
    assert routers in text
    (tmp_path / "src").mkdir()
    again = routers.replace(")", ", health.router)")
    (tmp_path / main).write_text(text.replace(routers, again))
    assert not consistency.check(tmp_path, merge.Plan(tmp_path, {}, []))
    line = text[: text.index(routers)].count("\n") + 1
    assert (
        f"{main}:{line}: health.router in create_app is there already, in line {line};"
        in capsys.readouterr().err
    )


def test_check_names_a_route_that_is_registered_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In two files, too: FastAPI warns when it builds the document."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "scripts").mkdir()
    told = (
        f"Duplicate Operation ID get_task for function get_task at {tmp_path}/src/a.py"
    )
    (tmp_path / "scripts" / "openapi.py").write_text(
        f"import warnings\n\nwarnings.warn({told!r})\nprint('up to date')\n"
    )
    assert not consistency.check(tmp_path, merge.Plan(tmp_path, {}, []))
    assert (
        "openapi.json   Duplicate Operation ID get_task for function get_task at "
        "src/a.py\n" in capsys.readouterr().err
    )
