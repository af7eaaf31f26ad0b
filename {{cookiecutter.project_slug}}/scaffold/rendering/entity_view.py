"""An entity as the templates use it: names, expressions and lines of Python."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from scaffold.python_code import id_code
from scaffold.python_code.formatting import docstring, import_key, literal
from scaffold.rendering.derived_names import DerivedNames, single_links
from scaffold.rendering.list_queries import embeddable
from scaffold.rendering.schema_view import SchemaView
from scaffold.rendering.table_view import TableView, reference_of
from scaffold.spec import naming
from scaffold.spec.model import Entity, Link, Reference, Reverse, Spec
from scaffold.spec.vocabulary import keys

NOBODY = (keys.NOBODY,)


class EntityView(TableView, SchemaView):
    """One entity; other attributes are those of the entity in the spec."""

    def __getattr__(self, name: str) -> object:
        return getattr(self.entity, name)

    # Words

    @property
    def id(self) -> str:
        return f"{self.entity.snake}_id"

    @property
    def a_title(self) -> str:
        return naming.with_article(self.entity.title)

    @property
    def A_title(self) -> str:
        return self.a_title.capitalize()

    @property
    def order_words(self) -> str:
        return order_words(self.entity)

    @property
    def replace_words(self) -> str:
        """What happens to fields that a PUT does not send."""
        kept = any(one.is_kept or one.write_access for one in self.entity.fields)
        return "their default or null, or are kept" if kept else "their default or null"

    @property
    def about(self) -> str:
        return self.entity.description or f"Operations on {self.entity.titles}."

    @property
    def docstring(self) -> str:
        text = self.entity.description or f"A row of {self.entity.table}."
        return docstring(text, indent=4)

    # Access

    @property
    def access(self) -> str:
        """The rules of the entity."""
        access = self.entity.access
        rules = {} if access is None else dataclasses.asdict(access)
        items = (f"{action}={_tuple(names)}" for action, names in rules.items())
        return f"base.Access({', '.join(items)})"

    @property
    def field_access(self) -> str:
        """The rules of the fields that have some; empty if none has."""
        items = []
        for field in self.entity.fields:
            rules = {"read": field.read_access, "write": field.write_access}
            named = [f"{key}={_tuple(names)}" for key, names in rules.items() if names]
            if named:
                access = f"base.FieldAccess({', '.join(named)})"
                items.append(f"{literal(field.attribute)}: {access}")
        return f"{{{', '.join(items)}}}" if items else ""

    @property
    def owner_path(self) -> str:
        """The relationships that lead to the owner; empty if there is no owner."""
        if not self.entity.owner:
            return ""
        return _tuple(map(naming.attribute, self.entity.owner_path))

    def requires(self, action: str) -> str:
        """Return the line before an endpoint with the rules that it needs."""
        return _requires(self.spec, (self.entity, action))

    def problems(self, *statuses: int) -> str:
        """Return the documented errors of a route that sets fields."""
        forbidden = any(one.write_access for one in self.entity.fields)
        every = [403, *statuses] if forbidden else [*statuses]
        return f"http.problems({', '.join(map(str, every))})"

    @property
    def list_problems(self) -> str:
        """The documented errors of a list of the entity, after those of all lists."""
        return _list_problems(self.entity)

    # Repositories

    @property
    def repository_base(self) -> str:
        """The class that the repository inherits."""
        if self.entity.soft_delete:
            return "soft_delete.SoftDeleteRepository"
        return "base.Repository"

    @property
    def repository_links(self) -> Iterator[str]:
        own = [
            f'"{link.attribute}": base.Link(entities.{link.table}, "{link.left_column}", '
            f'"{link.right_column}"'
            + (f', "{link.ids_attribute}")' if link.owner else ")")
            for link in self.entity.links
        ]
        if own:
            yield f"links: typing.ClassVar = {{{', '.join(own)}}}"
        others = [
            f'"{name}": base.Link(entities.{link.table}, '
            f'"{link.right_column}", "{link.left_column}")'
            for name, link in self._memberships.items()
        ]
        if others:
            yield f"memberships: typing.ClassVar = {{{', '.join(others)}}}"

    @property
    def repository_rules(self) -> Iterator[str]:
        """The attributes that are set on create only, not shown, or made by defaults."""
        rules = {
            "immutable": "immutable",
            "write_only": "write_only",
            "made_by_default": "default_is_made",
        }
        for rule, flag in rules.items():
            names = [f.attribute for f in self.entity.fields if getattr(f, flag)]
            if names:
                yield f"{rule} = frozenset({{{', '.join(map(literal, names))}}})"

    @cached_property
    def _memberships(self) -> Mapping[str, Link]:
        named = memberships(self.entity, self.spec)
        return {name: link for (_, link), name in named.items()}

    # Services

    @property
    def service_base(self) -> str:
        """The class that the service inherits."""
        if self.entity.soft_delete:
            return "soft_delete.SoftDeleteService"
        return "base.Service"

    @property
    def schema_imports(self) -> str:
        name = self.entity.name
        names = [name, self.create_schema, self.page_schema, self.query_schema]
        names += [self.update_schema, self.batch_create_schema, self.batch_schema]
        return ", ".join(sorted(names, key=import_key))

    @property
    def batch(self) -> str:
        """The end of the name of the route that creates several."""
        return self.names.batches[self.entity.name]

    @property
    def service_types(self) -> str:
        name = self.entity.name
        return f"{name}Entity, {name}, {self.create_schema}, {self.update_schema}"

    @property
    def text_policy(self) -> Iterator[str]:
        for policy, markup in (("plain_text", "strip"), ("rich_text", "basic")):
            names = [f.attribute for f in self.entity.fields if f.markup == markup]
            if names:
                yield f"{policy} = frozenset({{{', '.join(map(literal, names))}}})"

    @property
    def filters(self) -> list[str]:
        """The columns and links that a list can be filtered by."""
        columns = [item.column_attribute for item in self.entity.references]
        return [*columns, *self._memberships]

    @property
    def unique_references(self) -> list["UniqueView"]:
        return [
            UniqueView(item, self)
            for item in self.entity.references
            if item.kind == "one_to_one" and item.reverse
        ]

    @property
    def link_views(self) -> list["LinkView"]:
        return [LinkView(item, self) for item in self.entity.links]

    @property
    def _filter_types(self) -> Iterator[tuple[str, str]]:
        """The filters with the types of their values."""
        for item in self.entity.references:
            target = self.spec.entity(item.target)
            yield item.column_attribute, id_code.python_type(target.id)
        for (source, _), name in memberships(self.entity, self.spec).items():
            yield name, id_code.python_type(self.spec.entity(source).id)

    @property
    def filter_parameters(self) -> str:
        if not self.filters:
            return ""
        return ", *, " + ", ".join(
            f"{name}: {kind} | None = None" for name, kind in self._filter_types
        )

    @property
    def filter_argument(self) -> str:
        if not self.filters:
            return ""
        # Besides the filters that were sent, which may be of the same column.
        columns = {item.column_attribute for item in self.entity.references}
        names = {n: f"{n}__eq" if n in columns else n for n in self.filters}
        items = (f"{literal(key)}: {name}" for name, key in names.items())
        return f", {{{', '.join(items)}}}"

    @property
    def filter_clause(self) -> str:
        return ", optionally of one parent" if self.filters else ""

    # Routes

    @property
    def can_include(self) -> bool:
        """Whether a GET can embed related resources."""
        return bool(embeddable(self.entity, self.spec))

    @property
    def include_parameter(self) -> str:
        """The parameter of a GET for the relations to embed, if there are any."""
        if not self.can_include:
            return ""
        paths = f"queries.Include[{self.names.schemas[self.entity.name, 'Include']}]"
        query = "fastapi.Query(default_factory=list)"
        return f", include: typing.Annotated[{paths}, {query}]"

    @property
    def reverse_lists(self) -> list["ReverseView"]:
        return self._reverses("many", "list")

    @property
    def child_lists(self) -> list[str]:
        """The ends of the URLs of lists of the rows that belong to one, or are linked."""
        linked = [one.url for one in self.link_views if one.is_listed]
        return [one.url for one in self.reverse_lists] + linked

    @property
    def reverse_ones(self) -> list["ReverseView"]:
        return self._reverses("one", "get")

    def _reverses(self, kind: str, operation: str) -> list["ReverseView"]:
        """Return the reverse relations whose rows the API shows."""
        return [
            ReverseView(item, self)
            for item in self.entity.reverses
            if item.kind == kind
            and operation in self.spec.entity(item.source).operations
        ]

    @property
    def route_imports(self) -> list[str]:
        names = {self.entity.name, self.create_schema, self.page_schema}
        names |= {self.batch_create_schema, self.batch_schema}
        names |= {self.replace_schema, self.update_schema}
        if self.can_include:
            names.add(self.names.schemas[self.entity.name, "Include"])
        names |= {self.query_schema}
        listed_apart = self.reverse_lists + self.link_views
        names |= {item.page_schema for item in listed_apart}
        names |= {item.query_schema for item in listed_apart}
        names |= {item.source.name for item in self.reverse_ones}
        linked = {self.entity.name, *(link.target for link in self.entity.links)}
        names |= {self.names.ids[name] for name in linked if name in self.names.ids}
        listed = ", ".join(sorted(names, key=import_key))
        return [f"from src.models.schemas import {listed}"]


def memberships(entity: Entity, spec: Spec) -> Mapping[tuple[str, Link], str]:
    """Return the name of the filter for each link to an entity.

    `user_group_members` could be User.group_members or UserGroup.members, or a field; in
    such a case there are two underscores between the words.
    """
    links = [
        (source, link)
        for source in spec.entities
        for link in source.links
        if link.target == entity.name
    ]
    taken = {item.column_attribute for item in entity.references}
    taken |= {item.attribute for item in entity.fields}
    plain = Counter(f"{source.snake}_{link.name}" for source, link in links)
    named = {}
    for source, link in links:
        name = f"{source.snake}_{link.name}"
        if plain[name] > 1 or name in taken:
            name = f"{source.snake}__{link.name}"
        while name in taken:
            name += "_"
        taken.add(name)
        named[source.name, link] = name
    return named


def _list_problems(entity: Entity, *statuses: int) -> str:
    """Return what documents the errors of a list besides those of all lists."""
    used = (one for one in entity.fields if one.filterable or one.sortable)
    if any(one.read_access for one in used):
        statuses = (403, *statuses)
    return f" | http.problems({', '.join(map(str, statuses))})" if statuses else ""


def _tuple(names: Iterable[str]) -> str:
    """Return a tuple of strings as Python code."""
    items = [f"{literal(name)}," for name in names]
    return f"({' '.join(items)})" if len(items) == 1 else f"({' '.join(items)[:-1]})"


def _requires(spec: Spec, *needed: tuple[Entity, str]) -> str:
    """Return the line before an endpoint with the rules that it needs; none without auth.

    No test can run an endpoint that nobody may call. Coverage knows it by this line.
    """
    if not spec.auth:
        return ""
    if any(getattr(one.access, action) == NOBODY for one, action in needed):
        return f"@permissions.requires({_tuple(NOBODY)})\n"
    rules = (f"entities.{one.name}Entity.__access__.{action}" for one, action in needed)
    return f"@permissions.requires({', '.join(dict.fromkeys(rules))})\n"


def order_words(entity: Entity) -> str:
    """Return how lists of an entity are sorted, unless a request says otherwise."""
    if entity.default_sort:
        return f"by {entity.default_sort.removeprefix('-')}" + (
            ", descending" if entity.default_sort.startswith("-") else ""
        )
    return "oldest first" if entity.timestamps else "in the order of their ids"


def views(spec: Spec) -> list[EntityView]:
    """Return the view of each entity, in the order of the file."""
    names = DerivedNames(spec)
    return [EntityView(entity, names) for entity in spec.entities]


class ReverseView:
    """A collection on the other side of a reference."""

    def __init__(self, reverse: Reverse, view: EntityView) -> None:
        spec = view.spec
        self.name = reverse.name
        self.operation = view.names.operations[view.entity.name, reverse.name]
        self.url = reverse.name.replace("_", "-")
        self.title = reverse.name.replace("_", " ")
        self.source = spec.entity(reverse.source)
        self.order_words = order_words(self.source)
        self.page_schema = view.names.schemas[reverse.source, "Page"]
        self.query_schema = view.names.schemas[reverse.source, "Query"]
        self.reference = reverse.reference
        self.filter = reference_of(self.source, reverse.reference).column_attribute
        self.requires = _requires(spec, (view.entity, "read"), (self.source, "read"))
        self.list_problems = _list_problems(self.source, 404)


class UniqueView:
    """A unique reference, by which a row can be found."""

    def __init__(self, reference: Reference, view: EntityView) -> None:
        target = view.spec.entity(reference.target)
        self.type = id_code.python_type(target.id)
        self.name = reference.name
        self.title = reference.name.replace("_", " ")
        self.filter = reference.column_attribute


class LinkView:
    """One side of a many-to-many relation."""

    def __init__(self, link: Link, entity: EntityView) -> None:
        self.name = link.name
        self.attribute = link.attribute
        self.url = link.name.replace("_", "-")
        self.title = link.name.replace("_", " ")
        self.one = single_links(entity.entity)[link]
        self.a_title = naming.with_article(self.one.replace("_", " "))
        self.target = entity.spec.entity(link.target)
        self.is_listed = "list" in self.target.operations
        owner = entity.entity if link.owner else self.target
        self.can_change = "update" in owner.operations
        linked = self.target if link.owner else entity.entity
        both = (entity.entity, "read"), (self.target, "read")
        self.requires_read = _requires(entity.spec, *both)
        self.list_problems = _list_problems(self.target, 404)
        self.requires_change = _requires(
            entity.spec, (owner, "update"), (linked, "read")
        )
        own_type = entity.names.ids.get(link.target, "")
        self.other_type = id_code.python_type(self.target.id)
        self.other_path = id_code.path_type(self.target.id, own_type)
        side = (entity.entity.name, link.name)
        self.operation = entity.names.operations[side]
        self.link_operation = entity.names.link_operations[side]
        self.order_words = order_words(self.target)
        self.page_schema = entity.names.schemas[link.target, "Page"]
        self.query_schema = entity.names.schemas[link.target, "Query"]
        named = memberships(self.target, entity.spec)
        self.membership = named[entity.entity.name, link]
        own = link.right_column == naming.key(entity.entity.snake)
        self.other_id = f"other_{link.right_column}" if own else link.right_column
