"""Values: defaults that the database makes, null beside a default, sizes, checks."""

import datetime as dt
import decimal as decimal_module
import json
import operator as operator_module
import re
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from scaffold.migrations import casts, column_changes
from scaffold.rendering.app import generate_modular_app
from scaffold.spec.loading import parse
from scaffold.spec.model import Entity, Field
from scaffold.spec.windows import limits
from scaffold.testdata.boundaries import edges
from scaffold.testdata.compared import breaking
from scaffold.testdata.samples import series

Document = dict[str, Any]


def field_of(type_name: str, **keys: Any) -> Field:
    field = {"name": "a", "type": type_name, **keys}
    document = {"entities": [{"name": "Visit", "fields": [field]}]}
    return parse(json.dumps(document).encode()).entities[0].fields[0]


def rendered(*fields: Document, **entity: Any) -> dict[str, str]:
    document = {"entities": [{"name": "Visit", "fields": fields, **entity}]}
    return dict(generate_modular_app(parse(json.dumps(document).encode())).files)


def flat(source: str) -> str:
    """Return source code with each statement on one line."""
    return re.sub(r"\(\s+", "(", re.sub(r",?\s+\)", ")", re.sub(r"\s+", " ", source)))


@pytest.mark.parametrize(
    ("keys", "is_nullable"),
    [
        ({}, True),
        ({"default": 1}, False),
        ({"default": 1, "nullable": False}, False),
        ({"default": 1, "nullable": True}, True),
        ({"required": True}, False),
        ({"required": True, "default": 1}, False),
    ],
)
def test_what_may_be_null(keys: Document, is_nullable: bool) -> None:
    assert field_of("integer", **keys).nullable is is_nullable


def test_none_is_stored_beside_a_default() -> None:
    """Without this, SQLAlchemy leaves None to the default of the column."""
    source = rendered(
        {"name": "a", "type": "integer", "default": 1, "nullable": True},
        {"name": "b", "type": "string", "default": "x", "nullable": True},
        {"name": "c", "type": "json", "default": {}, "nullable": True},
        {"name": "d", "type": "integer", "default": 1},
    )["src/models/entities.py"]
    table = flat(source)
    assert "a: orm.Mapped[int | None] = orm.mapped_column(" in table
    assert 'sa.BigInteger().evaluates_none(), server_default="1"' in table
    assert 'sa.String(255, collation="C").evaluates_none()' in table
    assert "base.NullableJSONB(none_as_null=True)" in table
    assert table.count("evaluates_none") == 2


MADE = [
    {"name": "a", "type": "datetime", "default": "now"},
    {"name": "b", "type": "date", "default": "now"},
    {"name": "c", "type": "time", "default": "now", "nullable": True},
    {"name": "d", "type": "uuid", "default": "random"},
    {"name": "e", "type": "string", "default": "now"},
]


def test_the_database_makes_defaults() -> None:
    files = rendered(*MADE)
    table = flat(files["src/models/entities.py"])
    assert "sa.DateTime(timezone=True), server_default=sa.func.now()" in table
    assert "server_default=sa.text(\"(timezone('UTC'::text, now()))::date\")" in table
    assert "now()))::time without time zone" in table
    assert 'sa.Uuid, server_default=sa.text("gen_random_uuid()")' in table
    assert 'server_default="now"' in table  # of the string
    repository = flat(files["src/repositories/visit.py"])
    assert 'made_by_default = frozenset({"a", "b", "c", "d"})' in repository


def test_creates_leave_defaults_to_the_database() -> None:
    schemas = flat(rendered(*MADE)["src/models/schemas.py"])
    now = 'default_factory=base.unset, description="By default the current time."'
    assert f"a: types.DateTime = pydantic.Field({now})" in schemas
    assert "d: types.UUID = base.UNSET" in schemas  # of a PATCH
    assert 'e: VisitE = "now"' in schemas


def test_a_put_may_omit_a_required_field_that_the_database_makes() -> None:
    field = {"name": "a", "type": "datetime", "default": "now", "required": True}
    schemas = flat(rendered(field)["src/models/schemas.py"])
    base, _, replace = schemas.partition("class VisitReplace")
    assert "a: types.DateTime class VisitCreate" in base
    assert "a: types.DateTime = pydantic.Field(default_factory=base.unset)" in replace


def test_a_random_default_is_added_without_writing_the_table_anew() -> None:
    """PostgreSQL computes such a default for each row in one step, under a lock."""
    made = sa.Column("a", sa.Uuid, server_default=sa.text("gen_random_uuid()"))
    now = sa.Column("a", sa.DateTime, server_default=sa.func.now(), nullable=False)
    assert column_changes.differs_by_row(made)
    assert not column_changes.differs_by_row(now)
    made.nullable = False
    added, default, fill, required = column_changes.add_and_fill("visits", made)
    assert added.column.nullable
    assert added.column.server_default is None
    assert default.modify_server_default is made.server_default
    assert "SET a = DEFAULT WHERE a IS NULL" in " ".join(fill.lines)
    assert required.modify_nullable is False


@pytest.mark.parametrize(
    ("bits", "column", "request_type", "response", "query"),
    [
        (16, "SmallInteger", "SmallInteger", "StoredInteger32", "SmallInteger"),
        (32, "Integer", "Integer32", "StoredInteger32", "Integer32"),
        (64, "BigInteger", "Integer", "StoredInteger", "Integer"),
    ],
)
def test_integers_have_their_size(
    bits: int, column: str, request_type: str, response: str, query: str
) -> None:
    limited = {"name": "b", "type": "integer", "bits": bits, "required": True, "ge": 1}
    plain = {"name": "a", "type": "integer", "bits": bits, "index": True}
    files = rendered({**plain, "required": True}, limited)
    assert f"a: orm.Mapped[int] = orm.mapped_column(sa.{column})" in flat(
        files["src/models/entities.py"]
    )
    schemas = flat(files["src/models/schemas.py"])
    assert f"a: types.{request_type} b: VisitB class" in schemas
    assert f"[int, pydantic.Field(ge=1), types.INT{bits}]" in schemas
    assert f"a: types.{response} b: types.{response}" in schemas
    assert f"a: queries.{query} = base.UNSET" in schemas
    assert f"a__in: queries.ListOf[queries.{query}]" in schemas


def test_the_limits_of_an_integer_are_tested() -> None:
    small = edges(field_of("integer", bits=16))
    assert small.accepted == ["-32768", "32767"]
    assert small.refused == ["-32769", "32768"]
    bounded = edges(field_of("integer", bits=32, ge=5))
    assert bounded.accepted == ["5", "2147483647"]
    assert bounded.refused == ["-2147483649", "2147483648", "4"]
    assert edges(field_of("integer")).refused == []


def test_factories_stay_within_the_size() -> None:
    for keys in ({}, {"gt": 32_000}, {"lt": -32_000}, {"multiple_of": 9_000}):
        field = field_of("integer", bits=16, **keys)
        made = series(Entity("Visit", "visits"), field)
        assert made is not None
        assert all(-32_768 <= made.at(n) <= 32_767 for n in (*range(200), 99_999))


SIZES = {16: sa.SmallInteger(), 32: sa.Integer(), 64: sa.BigInteger()}


@pytest.mark.parametrize("old", SIZES)
@pytest.mark.parametrize("new", SIZES)
def test_only_fewer_bits_lose_values(old: int, new: int) -> None:
    cast = casts.find_cast("a", SIZES[old], SIZES[new])
    least, most = -(2 ** (new - 1)), 2 ** (new - 1) - 1
    unfit = f"a NOT BETWEEN {least} AND {most}" if new < old else ""
    assert (cast.using, cast.unfit) == ("", unfit)


def test_casts_to_a_small_integer_are_checked_for_its_range() -> None:
    for old in (sa.Double(), sa.Numeric(18, 2)):
        cast = casts.find_cast("a", old, sa.SmallInteger())
        assert cast.using == "a::SMALLINT"
        assert cast.unfit == "a <> trunc(a) OR a < -(2^15) OR a >= 2^15"


def entity_of(*fields: Document, **entity: Any) -> Entity:
    document = {"entities": [{"name": "Visit", "fields": fields, **entity}]}
    return parse(json.dumps(document).encode()).entities[0]


def test_a_check_is_a_constraint_that_names_both_columns() -> None:
    files = rendered(
        {"name": "from", "type": "date", "column": "from day"},
        {"name": "until", "type": "date"},
        checks=[["from", "le", "until"]],
    )
    check = '"from day", "le", "until", \'"from day" <= until\''
    assert f"base.compare({check})" in flat(files["src/models/entities.py"])
    checks = 'checks=[support.Check("from", "le", "until", broken='
    assert checks in flat(files["tests/cases.py"]).replace("[ ", "[")


RANGES: list[tuple[str, Document, Document]] = [
    ("integer", {}, {}),
    ("integer", {"ge": 0}, {"le": 1}),
    ("integer", {"bits": 16}, {"bits": 32, "lt": -40}),
    ("integer", {"multiple_of": 7}, {"le": 15, "default": 14}),
    ("integer", {"example": 900}, {"default": 950}),
    ("float", {"ge": 0}, {"le": 1}),
    ("float", {"gt": 1e300}, {}),
    ("decimal", {"precision": 4, "scale": 2}, {"scale": 0, "precision": 3}),
    ("decimal", {"ge": 0, "scale": 3}, {"lt": 1}),
    ("decimal", {"precision": 60, "scale": 40, "ge": 10**19}, {"precision": 50}),
    ("decimal", {"precision": 40, "scale": 40}, {"precision": 40, "scale": 40}),
    ("date", {}, {"default": "now"}),
    ("date", {"default": "now"}, {}),
    ("date", {"example": "1999-12-31"}, {"default": "2000-01-01"}),
    ("time", {}, {}),
    ("time", {"default": "23:59:58"}, {}),
    ("datetime", {}, {"example": "2026-01-01T00:00:30Z"}),
    ("datetime", {"default": "now"}, {"example": "2150-01-01T00:00:00Z"}),
]


@pytest.mark.parametrize("operator", ["lt", "le", "ne"])
@pytest.mark.parametrize(("type_name", "left", "right"), RANGES)
def test_values_of_any_two_rows_pass_a_check(
    operator: str, type_name: str, left: Document, right: Document
) -> None:
    fields = [{"name": "a", **left}, {"name": "b", **right}]
    typed = [{"type": type_name, **field} for field in fields]
    entity = entity_of(*typed, checks=[["a", operator, "b"]])
    a, b = (series(entity, field) for field in entity.fields)
    assert a is not None
    assert b is not None
    for n in (1, 2, 3, 12, 99, 1_000):
        for m in (1, 2, 24, 100):
            assert HOLDS[operator](a.at(n), b.at(m)), (n, m)
    for one, field in ((a, entity.fields[0]), (b, entity.fields[1])):
        values = {
            str(eval(one.expression, SCOPE, {"n": n}))  # noqa: S307
            for n in (2, 3, 50)
        }
        assert values == {str(one.at(n)) for n in (2, 3, 50)}, field.name


SUPPORT = SimpleNamespace(
    pick=lambda n, *choices: choices[n % len(choices)],
    first=lambda n, example, other: example if n == 1 else other,
)
SCOPE = {"dt": dt, "decimal": decimal_module, "support": SUPPORT}
HOLDS = {"lt": operator_module.lt, "le": operator_module.le, "ne": operator_module.ne}


def test_three_fields_in_a_row_have_values_in_their_order() -> None:
    names = ["a", "b", "c", "d"]
    fields = [{"name": n, "type": "integer", "ge": 1, "le": 4} for n in names]
    checks = [["b", "gt", "a"], ["b", "lt", "c"], ["c", "ne", "d"], ["d", "ge", "c"]]
    entity = entity_of(*fields, checks=checks)
    made = [series(entity, field) for field in entity.fields]
    assert [one.at(5) for one in made if one] == [1, 2, 3, 4]


@pytest.mark.parametrize(("type_name", "left", "right"), RANGES)
@pytest.mark.parametrize("operator", ["lt", "le", "ne"])
def test_values_that_break_a_check_are_allowed_by_their_fields(
    operator: str, type_name: str, left: Document, right: Document
) -> None:
    fields = [{"name": "a", **left}, {"name": "b", **right}]
    typed = [{"type": type_name, **field} for field in fields]
    entity = entity_of(*typed, checks=[["a", operator, "b"]])
    found = breaking(entity, entity.checks[0])
    assert found is not None
    assert not HOLDS[operator](*found)
    for field, value in zip(entity.fields, found, strict=True):
        if type_name in ("integer", "float", "decimal"):
            low, high, _ = limits(field)
            assert low <= value <= high
