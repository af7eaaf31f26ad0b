"""Tests of the four reserved words of PostgreSQL that SQLAlchemy does not quote."""

import ast

import pytest

from scaffold.python_code.field_code import sql_name
from scaffold.spec.vocabulary import reserved_names
from scripts.quote_names import quote_names
from tests.harness.skeleton import text_of

WORD = 'sa.quoted_name("lateral", quote=True)'


def test_only_these_words_are_quoted() -> None:
    assert sql_name("lateral") == WORD
    assert sql_name("order") == '"order"'


def test_migrations_know_the_same_words() -> None:
    tree = ast.parse(text_of("alembic/env.py"))
    (words,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "UNQUOTED"
    ]
    assert words == reserved_names.UNQUOTED_BY_SQLALCHEMY


@pytest.mark.parametrize(
    "line",
    [
        "op.drop_table(#)",
        "op.rename_table(#, 'other')",
        "op.rename_table('other', #)",
        "op.drop_column('ä', #)",
        "op.alter_column(#, #, new_column_name=#)",
        "op.create_index(op.f('ix_lateral'), #, ['id', #], unique=False)",
        "op.create_foreign_key(op.f('fk'), 'other', #, ['lateral_id'], ['id'])",
        "op.create_table(#, sa.Column(#, sa.String(20), server_default='lateral'))",
        "op.add_column(#, sa.Column(#, sa.Text(), comment='lateral'))",
        "op.create_check_constraint(op.f('ck'), #, '\"lateral\" > 0')",
        'op.execute("SELECT 1 FROM lateral")',
    ],
)
def test_names_in_a_migration_are_quoted(line: str) -> None:
    before, after = (line.replace("#", word) for word in ('"lateral"', WORD))
    assert quote_names(before) == after
    assert quote_names(after) == after


def test_lines_and_columns_stay_apart() -> None:
    source = 'x = "lateral"\nop.drop_column(\n    "lateral",\n    "tablesample",\n)\n'
    assert quote_names(source) == (
        f'x = "lateral"\nop.drop_column(\n    {WORD},\n'
        '    sa.quoted_name("tablesample", quote=True),\n)\n'
    )


def test_a_migration_that_had_no_use_for_sqlalchemy_imports_it() -> None:
    source = 'from alembic import op\n\nop.drop_table("lateral")\n'
    assert quote_names(source) == (
        f"import sqlalchemy as sa\nfrom alembic import op\n\nop.drop_table({WORD})\n"
    )
    plain = source.replace("lateral", "other")
    assert quote_names(plain) == plain
