"""The Python code of primary keys, and of the columns and parameters that hold them."""

from scaffold.python_code.field_code import INTEGERS, sql_name
from scaffold.python_code.formatting import literal
from scaffold.spec.model import Id

_PATHS = {16: "SmallIntegerId", 32: "Integer32Id", 64: "IntegerId"}
_PYTHON = {"uuid": "uuid.UUID", "integer": "int", "string": "str"}


def python_type(key: Id) -> str:
    """Return the annotation of an id."""
    return _PYTHON[key.type]


def request_type(key: Id, own_type: str) -> str:
    """Return the type of an id in requests; `own_type` is that of a string."""
    if key.type == "integer":
        return INTEGERS[key.bits][0]
    return own_type if key.type == "string" else "types.UUID"


def response_type(key: Id) -> str:
    """Return the type of an id in responses."""
    return INTEGERS[key.bits][1] if key.type == "integer" else _PYTHON[key.type]


def column_type(key: Id) -> str:
    """Return the type of the columns that hold an id."""
    if key.type == "integer":
        return INTEGERS[key.bits][2]
    if key.type == "string":
        # Sorted by its characters, as Python sorts it, in every database.
        return f'sa.String({key.length}, collation="C")'
    return "sa.Uuid"


def path_type(key: Id, own_type: str) -> str:
    """Return the type of a path parameter."""
    if key.type == "integer":
        return f"http.{_PATHS[key.bits]}"
    if key.type == "string":
        return f"typing.Annotated[{own_type}, http.ID]"
    return "http.Id"


def own_type(key: Id) -> str:
    """Return the definition of the type of a string id."""
    limits = ["min_length=1", f"max_length={key.length}"]
    if key.pattern is not None:
        limits.append(f"pattern={literal(key.pattern)}")
    return f"typing.Annotated[str, pydantic.Field({', '.join(limits)}), types.TEXT_ID]"


def column(key: Id) -> str:
    """Return the attribute of the table's class."""
    arguments = [column_type(key)]
    if key.column != "id":
        arguments.insert(0, sql_name(key.column))
    if key.type == "integer" and key.generated:
        arguments.append("sa.Identity(always=True)")
    arguments.append("primary_key=True")
    if key.generated and key.type == "uuid":
        arguments.append("default=base.new_id")
        arguments.append('server_default=sa.text("gen_random_uuid()")')
        arguments.append("insert_sentinel=True")
    elif key.generated and key.type == "string":
        arguments.append("default=base.text_id")
        arguments.append('server_default=sa.text("(gen_random_uuid())::text")')
        arguments.append("insert_sentinel=True")
    elif key.type == "integer" and not key.generated:
        arguments.append("autoincrement=False")
    call = f"orm.mapped_column({', '.join(arguments)})"
    return f"id: orm.Mapped[{python_type(key)}] = {call}"


def check(key: Id, quoted: str) -> str | None:
    """Return the CHECK of a string id, for the name of its column in SQL."""
    if key.type != "string":
        return None
    return f"{quoted} ~ '^[A-Za-z0-9._~-]+$' AND {quoted} NOT IN ('.', '..')"
