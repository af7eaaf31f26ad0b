"""Renders the demonstration from entities.json, and removes every other file."""

import datetime as dt
import json
import os
import shutil
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scaffold.python_code import field_code
from scaffold.python_code.formatting import literal, wrap
from scaffold.rendering.entity_view import views
from scaffold.spec.loading import SpecError, load, report
from scaffold.spec.model import Entity, Field, Reference
from scaffold.testdata.samples import series

HERE = Path(__file__).parent
KEPT = {
    ".editorconfig",
    ".git",
    ".gitattributes",
    ".gitignore",
    ".venv",
    "LICENSE",
    "poetry.lock",
    "poetry.toml",
    "uv.lock",
}
ANNOTATIONS = {
    "string": "str",
    "text": "str",
    "integer": "int",
    "float": "float",
    "decimal": "decimal.Decimal",
    "boolean": "bool",
    "date": "dt.date",
    "time": "dt.time",
    "datetime": "pydantic.AwareDatetime",
    "uuid": "uuid.UUID",
    "email": "pydantic.EmailStr",
    "url": "str",
    "json": "typing.Any",
}
# What makes a default that the database of a service makes.
MADE = {
    "datetime": "_now",
    "date": "lambda: _now().date()",
    "time": "lambda: _now().time()",
    "uuid": "uuid.uuid4",
}


def attributes(entity: Entity) -> Iterator[str]:
    """Yield the fields of a schema, one line each; a to-one relation is an id."""
    for field in entity.fields:
        arguments = list(field_code.schema_arguments(field))
        default = field_code.schema_default(field)
        if field.default_is_made and not field.required:
            default = None
            arguments.insert(0, f"default_factory={MADE[field.type]}")
        yield _attribute(field.attribute, _annotation(field), default, arguments)
    for reference in entity.references:
        yield _reference(reference)


def _annotation(field: Field) -> str:
    if field.type == "enum":
        annotation = f"typing.Literal[{', '.join(map(literal, field.values))}]"
    else:
        annotation = ANNOTATIONS[field.type]
    if field.array:
        limits = ", ".join(field_code.limits(field))
        item = f"typing.Annotated[{annotation}, pydantic.Field({limits})]"
        annotation = f"list[{item if limits else annotation}]"
    return f"{annotation} | None" if field.nullable else annotation


def _reference(reference: Reference) -> str:
    arguments = []
    if reference.column_attribute != reference.column:
        arguments.append(f"alias={literal(reference.column)}")
    annotation = "uuid.UUID | None" if reference.nullable else "uuid.UUID"
    default = "None" if reference.nullable else None
    return _attribute(reference.column_attribute, annotation, default, arguments)


def _attribute(
    name: str, annotation: str, default: str | None, arguments: list[str]
) -> str:
    if arguments:
        given = [default] if default is not None else []
        return f"{name}: {annotation} = pydantic.Field({', '.join(given + arguments)})"
    return f"{name}: {annotation}" + (f" = {default}" if default is not None else "")


def payload(entity: Entity) -> str | None:
    """Return the body with which a test creates a row, or None without a sample."""
    values: dict[str, object] = {}
    for field in entity.fields:
        if field.required:
            found = series(entity, field)
            if found is None:
                return None
            values[field.name] = found.at(1)
    for reference in entity.references:
        if reference.required:
            values[reference.column] = uuid.UUID(int=0)
    text = json.dumps(values, ensure_ascii=False, default=_text)
    return expression(json.loads(text))


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def expression(value: object) -> str:
    """Return JSON as a Python expression."""
    if isinstance(value, dict):
        items = (f"{literal(key)}: {expression(item)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(expression, value)) + "]"
    return literal(value) if isinstance(value, str) else repr(value)


def render(root: Path, answers: Mapping[str, str]) -> dict[str, str]:
    """Return the text of every file of the demonstration, by its name."""
    spec = load(root / "entities.json")
    environment = Environment(
        loader=FileSystemLoader(HERE, encoding="utf-8"),
        autoescape=False,  # noqa: S701  # nosec B701 - neither HTML nor for a browser
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["literal"] = literal
    environment.filters["toml"] = lambda text: json.dumps(text, ensure_ascii=False)
    environment.globals.update(attributes=attributes, payload=payload)
    words = {key: " ".join(value.split()) for key, value in answers.items()}
    files = {"requirements.txt": (HERE / "requirements.txt").read_text("utf-8")}
    for template in sorted(HERE.glob("*.jinja")):
        name = template.name.removesuffix(".jinja")
        text = environment.get_template(template.name).render(
            words,
            entities=views(spec),
            types={field.type for entity in spec.entities for field in entity.fields},
        )
        files[name] = wrap(text) if name.endswith(".py") else text
    return files


def generate(root: Path, answers: Mapping[str, str]) -> int:
    """Return 0, or 1 if entities.json is invalid and nothing was changed."""
    try:
        files = render(root, answers)
    except SpecError as error:
        print(report(error), file=sys.stderr)
        return 1
    for path in root.iterdir():
        if path.name not in KEPT:
            remove = shutil.rmtree if path.is_dir() else os.unlink
            remove(path)
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8", newline="\n")
    return 0
