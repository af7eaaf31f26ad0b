"""An entity's schemas, as the template of models/schemas.py uses them."""

import json
from collections.abc import Iterable
from functools import cached_property
from urllib.parse import urlencode

from scaffold.python_code import field_code, id_code
from scaffold.python_code.formatting import literal
from scaffold.rendering.derived_names import DerivedNames
from scaffold.rendering.list_queries import ListQueries, embeddable
from scaffold.spec.model import MISSING, Entity, Field, Link, Reference, Spec
from scaffold.testdata.boundaries import example_expression
from scaffold.testdata.cases import CaseView

READ = "json_schema_extra=base.read_only"
UNCHANGED = "Set on create; it cannot be changed."
# How the expressions of defaults begin whose values can change.
MUTABLE = ("[", "{", "list[")
# What the database makes if a create does not send it.
MADE = {
    "datetime": "By default the current time.",
    "date": "By default the current date in UTC.",
    "time": "By default the current time in UTC.",
    "uuid": "By default a random UUID.",
}


class SchemaView:
    """The fields of requests and responses, each as a Python statement."""

    entity: Entity
    names: DerivedNames
    spec: Spec

    @property
    def base_schema(self) -> str:
        return self.names.schemas[self.entity.name, "Base"]

    @property
    def create_schema(self) -> str:
        return self.names.schemas[self.entity.name, "Create"]

    @property
    def replace_schema(self) -> str:
        return self.names.schemas[self.entity.name, "Replace"]

    @property
    def batch_create_schema(self) -> str:
        return self.names.schemas[self.entity.name, "BatchCreate"]

    @property
    def batch_schema(self) -> str:
        return self.names.schemas[self.entity.name, "Batch"]

    @property
    def item_schema(self) -> str:
        """The resource in lists: the entity's own one, or one with fewer fields."""
        return self.names.list_items[self.entity.name]

    @property
    def page_schema(self) -> str:
        return self.names.schemas[self.entity.name, "Page"]

    @property
    def query_schema(self) -> str:
        return self.names.schemas[self.entity.name, "Query"]

    @property
    def update_schema(self) -> str:
        return self.names.schemas[self.entity.name, "Update"]

    @cached_property
    def tests(self) -> CaseView:
        """The view for the templates of tests, and for examples."""
        return CaseView(self.entity, self.names.spec)

    @cached_property
    def own_types(self) -> list[str]:
        """The types of fields with choices or limits, which are declared once."""
        choices = [
            _choices(self._choice(field), field.values)
            for field in self.entity.fields
            if field.type == "enum"
        ]
        limited = []
        for field in self.entity.fields:
            if item := self._item(field):
                annotation = field_code.item_annotation(field, self._choice(field))
                limited.append(f"{item} = {annotation}")
            if own_type := self.names.types.get((self.entity.name, field.name)):
                limited.append(f"{own_type} = {self._annotation(field)}")
        return choices + limited

    @property
    def id_types(self) -> list[str]:
        """The type of a string id, which other entities use as well."""
        if self.entity.name not in self.names.ids:
            return []
        own_type = id_code.own_type(self.entity.id)
        return [f"{self.names.ids[self.entity.name]} = {own_type}"]

    def _requested_id(self, entity: Entity) -> str:
        """Return the type of an entity's id in requests."""
        return id_code.request_type(entity.id, self.names.ids.get(entity.name, ""))

    @property
    def path_type(self) -> str:
        """The type of the id in paths."""
        own_type = self.names.ids.get(self.entity.name, "")
        return id_code.path_type(self.entity.id, own_type)

    @property
    def replacement_base(self) -> str:
        return "base.Replacement" if self.entity.is_standard else "base.BareReplacement"

    @property
    def resource_base(self) -> str:
        return "base.Resource" if self.entity.is_standard else "base.BareResource"

    @property
    def create_blocks(self) -> list[list[str]]:
        """The id of an entity whose clients send it."""
        key = self.entity.id
        if key.generated:
            return []
        others = [f"**{self._create_example}"] if self._create_example else []
        example = ", ".join([self.tests.example_id, *others])
        config = self._configured(f"{{{example}}}") if self.tests.example_id else []
        own = self._own(f"id: {self._requested_id(self.entity)}", key.json, "id")
        return [block for block in (config, [own]) if block]

    @property
    def replace_blocks(self) -> list[list[str]]:
        """What a PUT may repeat, and the fields that it keeps if they are omitted."""
        fields = [
            self._ignored_field(one) for one in self.entity.fields if one.read_only
        ]
        fields += [self._kept_field(one) for one in self.entity.fields if _is_kept(one)]
        config = self._configured(self._changes_example) if self._has_immutable else []
        return [block for block in (config, [*self._repeated, *fields]) if block]

    @property
    def has_own_replacement(self) -> bool:
        """Whether a body of PUT has other keys than a create, or needs fewer of them."""
        return any(one.read_only or _is_kept(one) for one in self.entity.fields)

    @property
    def _has_immutable(self) -> bool:
        return any(field.immutable for field in self.entity.fields)

    def _ignored_field(self, field: Field) -> str:
        arguments = ["default=base.UNSET", "exclude=True", READ]
        return self._own(
            f"{field.attribute}: typing.Any", field.json, field.attribute, *arguments
        )

    def _kept_field(self, field: Field) -> str:
        arguments = ["default_factory=base.unset"]
        if described := _described(field, UNCHANGED if field.immutable else ""):
            arguments.append(described)
        declared = f"{field.attribute}: {self._request_type(field)}"
        return f"{declared} = pydantic.Field({', '.join(arguments)})"

    @property
    def _repeated(self) -> list[str]:
        """The keys that a PUT may repeat, where they are not the usual ones."""
        if self.entity.is_standard:
            return []
        lines = [("id", self._requested_id(self.entity), self.entity.id.json)]
        lines += [(name, "types.DateTime", key) for name, key in self._times_json]
        return [
            self._own(f"{name}: {annotation}", key, name, "default=base.UNSET", READ)
            for name, annotation, key in lines
        ]

    @property
    def _times_json(self) -> list[tuple[str, str]]:
        """The attributes of the times, with their JSON keys."""
        times = self.entity.timestamps
        names = ("created_at", "updated_at")
        return list(zip(names, times.json, strict=True)) if times else []

    def _own(self, declared: str, key: str, attribute: str, *arguments: str) -> str:
        alias = field_code.own_alias(attribute, key, camel=self.entity.id.camel)
        first = [one for one in arguments if one.startswith("default=")]
        others = [one for one in arguments if one not in first]
        every = [*first, *([alias] if alias else []), *others]
        return f"{declared} = pydantic.Field({', '.join(every)})" if every else declared

    @cached_property
    def base_blocks(self) -> list[list[str]]:
        lines = [self._request_field(field) for field in self._sent_fields]
        lines += [self._request_reference(item) for item in self.entity.references]
        lines += [self._request_link(item) for item in self.entity.links if item.owner]
        config = self._configured(self._create_example)
        return [block for block in (config, lines) if block]

    @property
    def _sent_fields(self) -> list[Field]:
        """The fields of requests."""
        return [field for field in self.entity.fields if not field.read_only]

    @cached_property
    def update_blocks(self) -> list[list[str]]:
        lines = [self._request_field(item, update=True) for item in self._sent_fields]
        lines += [
            self._request_reference(item, update=True)
            for item in self.entity.references
        ]
        lines += [
            self._request_link(item, update=True)
            for item in self.entity.links
            if item.owner
        ]
        config = self._configured(self._changes_example, described=False)
        return [block for block in (config, lines) if block]

    @cached_property
    def response_blocks(self) -> list[list[str]]:
        lines = self._response_keys
        hidden = self.entity.left_out_of_lists
        shown = [
            one for one in self.entity.fields if not (one.write_only or one in hidden)
        ]
        lines += [self._response_field(field) for field in shown]
        lines += [self._response_reference(item) for item in self.entity.references]
        lines += [self._response_link(item) for item in self.entity.links if item.owner]
        lines += [self._embedded(item) for item in embeddable(self.entity, self.spec)]
        return [block for block in (self._configured(), lines) if block]

    @property
    def unlisted(self) -> list[str]:
        """The fields that lists leave out."""
        return [self._response_field(one) for one in self.entity.left_out_of_lists]

    @property
    def query_types(self) -> list[str]:
        """The types of `sort` and `include`."""
        return [*self._list_queries.types()]

    @cached_property
    def _list_queries(self) -> ListQueries:
        return ListQueries(self.entity, self.names)

    @property
    def search_words(self) -> list[str]:
        """The keys of what lists search."""
        keys = self.entity.json_keys
        return [keys[column] for column in self.entity.search]

    @property
    def lowered_words(self) -> list[str]:
        """The keys that lists filter and sort by without regard to case."""
        shown = (one for one in self.entity.fields if one.filterable or one.sortable)
        return [one.json for one in shown if one.case_insensitive]

    @property
    def array_words(self) -> list[str]:
        """The keys of arrays that lists filter by an item."""
        return [one.json for one in self.entity.fields if one.array and one.filterable]

    @property
    def restricted_words(self) -> list[str]:
        """The keys that not all may filter or sort by."""
        shown = (one for one in self.entity.fields if one.filterable or one.sortable)
        return [one.json for one in shown if one.read_access]

    @property
    def sort_words(self) -> list[str]:
        """What lists can be sorted by."""
        return self._list_queries.sorted

    @property
    def include_words(self) -> list[str]:
        """What lists can embed."""
        return self._list_queries.included

    @property
    def filter_words(self) -> list[tuple[str, list[str]]]:
        """What lists can be filtered by, with the operators besides equality."""
        return [
            (one.key, [operator for operator in one.operators if operator])
            for one in self._list_queries.filters()
        ]

    @property
    def list_example(self) -> str:
        """The URL of a list with a filter by the example, if it has such a field."""
        example = self.tests.example_values
        known = {one.key: one.operators[0] for one in self._list_queries.filters()}
        for field in self.entity.fields:
            if field.read_access:
                known.pop(field.json, None)
        given = [
            (f"{key}{known[key]}", value[0] if isinstance(value, list) else value)
            for key, value in example.items()
            if key in known and value != []
        ]
        query = [*given[:1], ("sort", f"-{self.sort_words[-1]}"), ("limit", 5)]
        return f"http://127.0.0.1:8000/api/v1/{self.entity.url}?{urlencode(query)}"

    @cached_property
    def query_blocks(self) -> list[list[str]]:
        """What a list can be asked for: its order, relations to embed, and filters."""
        config = "model_config = pydantic.ConfigDict(alias_generator=queries.camel)"
        return [[config]] * self.entity.id.camel + [[*self._list_queries.lines()]]

    def _embedded(self, reference: Reference) -> str:
        name = f"included_{reference.attribute}"
        description = reference.description
        described = f", {literal(description)}" if description else ""
        value = f"base.embedded({literal(reference.included)}{described})"
        return f'{name}: "{self.names.list_items[reference.target]} | None" = {value}'

    def _configured(self, example: str = "", *, described: bool = True) -> list[str]:
        """Return the configuration of a schema: its keys, and what OpenAPI says of it."""
        extra = []
        if described and self.entity.description:
            extra.append(f'"description": {literal(self.entity.description)}')
        if example:
            extra.append(f'"examples": [{example}]')
        options = ["alias_generator=base.camel"] if self.entity.id.camel else []
        if extra:
            options.append(f"json_schema_extra={{{', '.join(extra)}}}")
        if not options:
            return []
        return [f"model_config = pydantic.ConfigDict({', '.join(options)})"]

    @property
    def examples(self) -> list[tuple[str, str]]:
        """The name and the value of each example of requests."""
        made = [(self._create_example, self.tests.example)]
        if self._changes_example != self._create_example:
            made.append((self._changes_example, self.tests.example_of_changes))
        return [(name, value) for name, value in made if name]

    @property
    def batch_config(self) -> list[str]:
        """The configuration of a batch: its example in OpenAPI."""
        if not self._create_example:
            return []
        example = f'{{"examples": [{{"items": [{self._create_example}]}}]}}'
        return [f"model_config = pydantic.ConfigDict(json_schema_extra={example})"]

    @property
    def _create_example(self) -> str:
        """The name of the example; empty if there is none."""
        return f"{self.entity.snake.upper()}_EXAMPLE" if self.tests.example else ""

    @property
    def _changes_example(self) -> str:
        """The name of the example without what cannot be changed."""
        if not self._has_immutable:
            return self._create_example
        name = f"{self.entity.snake.upper()}_EXAMPLE_OF_CHANGES"
        return name if self.tests.example_of_changes else ""

    def _choice(self, field: Field) -> str:
        """Return the name of an enum's type, or nothing for another type."""
        return self.names.choices.get((self.entity.name, field.name), "")

    def _item(self, field: Field) -> str:
        """Return the name of the type of an array's items, if they have limits."""
        return self.names.items.get((self.entity.name, field.name), "")

    def _request_field(self, field: Field, *, update: bool = False) -> str:
        default: str | None = "base.UNSET"
        if not update:
            default = field_code.schema_default(field, self._choice(field))
        told = UNCHANGED if update and field.immutable else ""
        if field.default_is_made and not update and not field.required:
            default, told = None, MADE[field.type]
        described = _described(field, told)
        arguments = [described] if described else []
        if field.type == "binary" and field.has_default and not update:
            arguments.append("validate_default=True")  # it is base64
        if default is None and told and not update:
            arguments.insert(0, "default_factory=base.unset")
        assigned = _assigned(default, arguments)
        return f"{field.attribute}: {self._request_type(field)}{assigned}"

    def _request_type(self, field: Field) -> str:
        own_type = self.names.types.get((self.entity.name, field.name))
        return own_type or self._annotation(field)

    def _annotation(self, field: Field) -> str:
        choice, item = self._choice(field), self._item(field)
        return field_code.request_annotation(field, choice, item)

    def _request_reference(self, reference: Reference, *, update: bool = False) -> str:
        annotation = self._requested_id(self.spec.entity(reference.target))
        if reference.nullable:
            annotation += " | None"
        default = "None" if reference.nullable else None
        arguments = self._named(
            reference.column_attribute, reference.json, reference.description
        )
        text = _assigned("base.UNSET" if update else default, arguments)
        return f"{reference.column_attribute}: {annotation}{text}"

    def _request_link(self, link: Link, *, update: bool = False) -> str:
        arguments = self._named(link.ids_attribute, link.ids, link.description)
        text = _assigned("base.UNSET" if update else "[]", arguments)
        target = self.spec.entity(link.target)
        ids = "types.Ids"
        if target.id.type != "uuid":
            ids = f"types.IdsOf[{self._requested_id(target)}]"
        return f"{link.ids_attribute}: {ids}{text}"

    @property
    def _response_keys(self) -> list[str]:
        """The id and the times, where they are not the usual ones."""
        if self.entity.is_standard:
            return []
        key = self.entity.id
        read_only = [READ] if key.generated else []
        lines = [
            self._own(f"id: {id_code.response_type(key)}", key.json, "id", *read_only)
        ]
        return lines + [
            self._own(f"{name}: dt.datetime", json, name, READ)
            for name, json in self._times_json
        ]

    def _response_link(self, link: Link) -> str:
        target = self.spec.entity(link.target)
        annotation = f"list[{id_code.response_type(target.id)}]"
        return self._declared(
            link.ids_attribute, annotation, link.ids, link.description
        )

    def _response_field(self, field: Field) -> str:
        annotation = field_code.response_annotation(field, self._choice(field))
        description = field.description
        more = []
        if field.read_access:
            annotation = f"base.Restricted[{annotation}]"
            description = (
                f"{description} Shown to: {_rules(field.read_access)}.".strip()
            )
        if field.example is not MISSING:
            more.append(f"examples=[{example_expression(field)}]")
        if field.read_only:
            more.append(READ)
        return self._declared(
            field.attribute, annotation, field.json, description, *more
        )

    def _response_reference(self, reference: Reference) -> str:
        annotation = id_code.response_type(self.spec.entity(reference.target).id)
        if reference.nullable:
            annotation += " | None"
        return self._declared(
            reference.column_attribute,
            annotation,
            reference.json,
            reference.description,
        )

    def _named(self, attribute: str, key: str, description: str) -> list[str]:
        alias = field_code.own_alias(attribute, key, camel=self.entity.id.camel)
        arguments = [alias] if alias else []
        if description:
            arguments.append(f"description={literal(description)}")
        return arguments

    def _declared(
        self, attribute: str, annotation: str, key: str, description: str, *more: str
    ) -> str:
        arguments = [*self._named(attribute, key, description), *more]
        return f"{attribute}: {annotation}{_assigned(None, arguments)}"


def _as_text(value: object) -> str:
    """Return a value as a URL has it: with the spelling of JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _choices(name: str, values: Iterable[str]) -> str:
    """Return a named type, which is one schema in OpenAPI, wherever it is used."""
    listed = ", ".join(map(literal, values))
    return (
        f"{name} = typing_extensions.TypeAliasType"
        f"({literal(name)}, typing.Literal[{listed}])"
    )


def _is_kept(field: Field) -> bool:
    """Whether a PUT may omit the field, and what is stored can be kept.

    A required one that only some may set is required of those by the repository.
    """
    if field.default_is_made and not (field.required or field.immutable):
        return False  # a create may omit it as well
    return field.is_kept or (field.required and bool(field.write_access))


def _described(field: Field, told: str) -> str:
    """Return the description of a field in requests, if it says more than its type.

    `told` is what the schema says of it: that it cannot be changed, or its default.
    """
    set_by = f"Set by: {_rules(field.write_access)}." if field.write_access else ""
    if not (told or set_by):
        return ""
    words = filter(None, (field.description, told, set_by))
    return f"description={literal(' '.join(words))}"


def _rules(rules: Iterable[str]) -> str:
    """Return rules of access as words."""
    return " or ".join(rules)


def _assigned(default: str | None, arguments: list[str] | None = None) -> str:
    """Return the right side of a field: nothing, a default, or pydantic.Field."""
    arguments = arguments or []
    if not arguments and not (default or "").startswith(MUTABLE):
        return "" if default is None else f" = {default}"
    if default is not None:
        arguments = [f"default={default}", *arguments]
    return f" = pydantic.Field({', '.join(arguments)})"
