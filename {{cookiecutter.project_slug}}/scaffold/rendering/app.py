"""Renders a spec to files: a pure function, the same bytes for the same input."""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files as resources
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from jinja2 import (
    DictLoader,
    Environment,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
)

from scaffold.processes import Unfinished
from scaffold.python_code.formatting import literal, natural_key, wrap
from scaffold.python_code.imports import prune_imports
from scaffold.rendering.access_matrix import AccessMatrix
from scaffold.rendering.entity_view import EntityView, views
from scaffold.spec.model import Entity, Spec

SUFFIX = ".jinja"


@dataclass(frozen=True)
class GeneratedApp:
    """The files that are generated from the entities, by their path in the project."""

    files: Mapping[str, str]


def generate_modular_app(
    spec: Spec, templates: Mapping[str, str] | None = None, *, only: str | None = None
) -> GeneratedApp:
    """Render every template: once, or once for each entity if its path has ENTITY.

    A template's path is its target's path. ENTITY stands for the entity's module
    (`order_item`), ENTITIES for that of its routes (`order_items`). A file that an `if`
    leaves empty is left out. `templates` are those of the project, by path, which replace
    ours. `only` names a template that is
    to be rendered alone. Raises `Unfinished` for a template that cannot be rendered.
    """
    known = {**packaged_templates(), **(templates or {})}
    environment = _environment(tuple(known.items()))
    entities = views(spec)
    access_matrix = AccessMatrix(spec)
    files = {}
    for name in sorted(map(_without_suffix, known)) if only is None else [only]:
        try:
            template = environment.get_template(name + SUFFIX)
            for path, context in _targets(name, entities):
                text = template.render(
                    context,
                    entities=entities,
                    by_module=_by_module,
                    auth=spec.auth,
                    access_matrix=access_matrix,
                    history=spec.history,
                    soft_delete=spec.soft_delete,
                )
                if text or not known[name + SUFFIX]:
                    files[path] = _finish(path, text)
        except TemplateSyntaxError as error:
            place = f"templates/{name}{SUFFIX}:{error.lineno}"
            raise Unfinished(f"{place}: {error.message}") from None
        except (TemplateError, SyntaxError) as error:
            raise Unfinished(f"templates/{name}{SUFFIX}: {error}") from None
    return GeneratedApp(dict(sorted(files.items())))


@functools.lru_cache(maxsize=2)  # to compile templates takes longer than to render them
def _environment(templates: tuple[tuple[str, str], ...]) -> Environment:
    environment = Environment(
        loader=DictLoader(dict(templates)),
        autoescape=False,  # noqa: S701  # nosec B701 - Python, not HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["literal"] = literal
    return environment


@functools.cache
def packaged_templates() -> Mapping[str, str]:
    """The templates that come with the generator, by path."""
    return dict(_read(resources(__package__) / "templates"))


def project_templates(folder: Path) -> dict[str, str]:
    """The templates in a folder of a project, by path; none if there is no folder."""
    return dict(_read(folder)) if folder.is_dir() else {}


def _read(folder: Traversable, parent: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _read(entry, f"{parent}{entry.name}/")
        elif entry.name.endswith(SUFFIX):
            yield parent + entry.name, entry.read_text(encoding="utf-8")


def _without_suffix(name: str) -> str:
    return name.removesuffix(SUFFIX)


def entity_paths(
    entity: Entity, templates: Mapping[str, str] | None = None
) -> list[str]:
    """Return the paths of an entity's own files, in the templates' order."""
    known = {*packaged_templates(), *(templates or {})}
    names = (name for name in sorted(map(_without_suffix, known)) if "ENTIT" in name)
    return [_target(name, entity) for name in names]


def _target(name: str, entity: Entity | EntityView) -> str:
    target = name.replace("ENTITIES", str(entity.routes_module))
    return target.replace("ENTITY", str(entity.module))


def _targets(
    name: str, entities: list[EntityView]
) -> Iterator[tuple[str, dict[str, object]]]:
    stem = PurePosixPath(name).name
    if "ENTIT" not in stem:
        yield name, {}
        return
    for entity in entities:
        yield _target(name, entity), {"entity": entity}


def _by_module(entities: list[EntityView], attribute: str) -> list[EntityView]:
    """Return the entities sorted by module, as an import sorter does."""
    return sorted(entities, key=lambda entity: natural_key(getattr(entity, attribute)))


@functools.cache  # a rename renders the same text several times
def _finish(path: str, text: str) -> str:
    if not path.endswith(".py"):
        return text
    return wrap(prune_imports(text))
