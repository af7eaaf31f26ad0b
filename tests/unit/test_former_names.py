"""Tests of the columns that entities.json gives a new name."""

from typing import Any

import pytest

from scaffold.migrations.former_names import FormerNames
from tests.unit.evolution import spec_of


def spec(*fields: dict[str, Any]) -> Any:
    typed = [{"type": "float", **field} for field in fields]
    return spec_of({"entities": [{"name": "Task", "fields": typed}]})


BEFORE = spec({"name": "one", "column": "first"}, {"name": "two"})
# `two` has the values of `one`, in a column whose name stays, and `one` those of `two`.
AFTER = spec(
    {"name": "two", "renamed_from": "one", "column": "first"},
    {"name": "one", "renamed_from": "two"},
)


@pytest.mark.parametrize(
    ("old", "has_record"),
    [(BEFORE, True), (AFTER, True), (AFTER, False)],
    ids=["before the migration", "after it", "without a record"],
)
def test_names_change_places_beside_a_column_of_its_own(
    old: Any, has_record: bool
) -> None:
    ((_, columns),) = FormerNames(old, AFTER, has_record=has_record).tables()
    renamed = {one.was: one.name for one in columns if one.was != one.name}
    assert renamed == ({} if old is AFTER and has_record else {"two": "one"})
