"""The spec: immutable entities, fields and relations, checked and resolved."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import cached_property

from scaffold.spec import naming
from scaffold.spec.vocabulary import keys


class Missing(Enum):
    """The type of MISSING, which means no default (None is the JSON value null)."""

    MISSING = "missing"


MISSING = Missing.MISSING
UUID_LENGTH = 36


@dataclass(frozen=True)
class Id:
    """The primary key; `name` is its column and its key in JSON.

    A client sends the id with a create if it is not `generated`.
    """

    name: str = "id"
    type: str = "uuid"  # uuid, integer or string
    generated: bool = True
    bits: int = 64
    max_length: int | None = None
    pattern: str | None = None
    camel: bool = False

    @property
    def column(self) -> str:
        return self.name

    @property
    def json(self) -> str:
        return naming.json_key(self.name, camel=self.camel)

    @property
    def length(self) -> int:
        """The maximum number of characters of a string, which are ASCII."""
        return self.max_length or UUID_LENGTH

    @property
    def index_bytes(self) -> int:
        """How many bytes an id has in an index at most."""
        return {"uuid": 16, "integer": self.bits // 8, "string": self.length}[self.type]


@dataclass(frozen=True)
class Timestamps:
    """The times that the service sets; the names are columns and keys in JSON."""

    created_at: str = "created_at"
    updated_at: str = "updated_at"
    camel: bool = False

    @property
    def json(self) -> tuple[str, str]:
        created, updated = self.created_at, self.updated_at
        return (
            naming.json_key(created, camel=self.camel),
            naming.json_key(updated, camel=self.camel),
        )


@dataclass(frozen=True)
class Access:
    """Who may do what with rows: of the rules of each, one must hold.

    A rule is public, authenticated, owner, nobody, role:NAME or scope:NAME. A tuple with
    more than one has only owner, role:NAME and scope:NAME.
    """

    read: tuple[str, ...]
    create: tuple[str, ...]
    update: tuple[str, ...]
    delete: tuple[str, ...]

    @property
    def rules(self) -> frozenset[str]:
        """All rules."""
        return frozenset((*self.read, *self.create, *self.update, *self.delete))


STANDARD_ID, STANDARD_TIMES = Id(), Timestamps()
_CAMEL = (Id(camel=True), Timestamps(camel=True))


@dataclass(frozen=True)
class Field:
    """A field of an entity; limits that are not set are None.

    `own_nullable`, `own_column` and
    `own_json` are set where entities.json has them.
    """

    name: str
    type: str
    required: bool = False
    default: object = MISSING
    unique: bool = False
    index: bool = False
    filter: bool | None = None
    sort: bool | None = None
    description: str = ""
    renamed_from: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    gt: object = None
    ge: object = None
    lt: object = None
    le: object = None
    multiple_of: int | None = None
    bits: int = 64
    precision: int = 0
    scale: int = 0
    values: tuple[str, ...] = ()
    array: bool = False  # then the keys of its type are those of each item
    min_items: int | None = None
    max_items: int | None = None
    markup: str | None = None
    case_insensitive: bool = False
    read_only: bool = False
    write_only: bool = False
    immutable: bool = False
    read_access: tuple[str, ...] = ()  # as in Access; empty: as the entity
    write_access: tuple[str, ...] = ()
    example: object = MISSING
    own_nullable: bool = False
    own_column: str | None = None
    own_json: str | None = None
    camel: bool = False

    @property
    def column(self) -> str:
        """The name of the column."""
        return self.own_column or self.name

    @property
    def json(self) -> str:
        """The key in JSON."""
        return self.own_json or naming.json_key(self.name, camel=self.camel)

    @property
    def attribute(self) -> str:
        """The Python attribute: the name, with an underscore if it is reserved."""
        return naming.attribute(self.name)

    @classmethod
    def of(cls, values: Mapping[str, object]) -> "Field":
        """Return a field with these attributes, eight times as fast as the constructor.

        The others have their defaults, which are attributes of the class.
        """
        made = object.__new__(cls)
        made.__dict__.update(values)
        return made

    @classmethod
    def of_subject(cls, name: str, *, camel: bool) -> "Field":
        """Return a column that the service sets to the subject of a token."""
        return cls(
            name=name,
            type="string",
            index=name == keys.OWNER_ID,
            max_length=keys.MAX_SUBJECT,
            markup="keep",
            read_only=True,
            camel=camel,
        )

    def with_values(self, **values: object) -> "Field":
        """Return a copy with other values, ten times as fast as dataclasses.replace."""
        copy = object.__new__(Field)
        copy.__dict__.update(self.__dict__, **values)
        return copy

    @property
    def is_kept(self) -> bool:
        """Whether a PUT that does not send the field keeps its value."""
        return self.write_only or self.immutable or self.default_is_made

    @property
    def has_default(self) -> bool:
        return self.default is not MISSING

    @property
    def default_is_made(self) -> bool:
        """Whether the database makes the default: the time, or a random UUID."""
        return not self.array and self.default == keys.MADE_DEFAULTS.get(self.type)

    @property
    def nullable(self) -> bool:
        return self.own_nullable or not (self.required or self.has_default)

    @property
    def filterable(self) -> bool:
        """Whether lists can be filtered by it: by default if it has an index."""
        shown = not self.write_only and (self.index or self.unique)
        return shown if self.filter is None else self.filter

    @property
    def sortable(self) -> bool:
        """Whether lists can be sorted by it: by default if it has an index."""
        shown = not (self.write_only or self.array) and (self.index or self.unique)
        return shown if self.sort is None else self.sort

    @property
    def has_index(self) -> bool:
        """Whether it has an index with the id, besides that of a unique constraint.

        A unique constraint sorts all rows but those with null.
        """
        if self.array:
            return False
        if self.unique:
            return self.nullable and self.sortable
        if self.type == "binary":
            return False  # a value can be larger than an index entry
        return self.index or self.filterable or self.sortable

    @property
    def has_item_index(self) -> bool:
        """Whether it is an array with an index of its items."""
        return self.array and (self.index or self.filterable)

    @property
    def of_items(self) -> "Field":
        """The field that one item of an array would be."""
        values = {"array": False, "required": True, "own_nullable": False}
        return self.with_values(**values, default=MISSING, example=MISSING)


# The least and the greatest value of a field, as numbers.
Window = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class Comparison:
    """What must hold between two columns of a row, unless one of them is null."""

    left: str
    operator: str  # lt, le, gt, ge or ne
    right: str


@dataclass(frozen=True)
class Reference:
    """A to-one relation with a column on this entity."""

    name: str
    kind: str
    target: str
    required: bool = False
    on_delete: str = "set_null"
    reverse: str | None = None
    description: str = ""
    renamed_from: str | None = None
    index: bool = True
    filter: bool | None = None
    sort: bool | None = None
    own_column: str | None = None
    own_json: str | None = None
    camel: bool = False

    @property
    def attribute(self) -> str:
        return naming.attribute(self.name)

    @property
    def included(self) -> str:
        """The key of the embedded target in JSON, and what `include` calls it."""
        return naming.json_key(self.name, camel=self.camel)

    @property
    def unique(self) -> bool:
        return self.kind == "one_to_one"

    @property
    def filterable(self) -> bool:
        """Whether lists can be filtered by it: by default if it has an index."""
        return self.index if self.filter is None else self.filter

    @property
    def sortable(self) -> bool:
        """Whether lists can be sorted by it: by default if it has an index."""
        return self.index if self.sort is None else self.sort

    @property
    def has_index(self) -> bool:
        """Whether it has an index with the id, besides that of a unique constraint."""
        if self.unique:
            return self.nullable and self.sortable
        return self.index or self.filterable or self.sortable

    @property
    def column(self) -> str:
        """The name of the column with the target's id."""
        return self.own_column or naming.key(self.name)

    @property
    def json(self) -> str:
        """The key of the target's id in JSON."""
        return self.own_json or naming.json_key(naming.key(self.name), camel=self.camel)

    @property
    def column_attribute(self) -> str:
        return naming.attribute(naming.key(self.name))

    @property
    def nullable(self) -> bool:
        return not self.required


@dataclass(frozen=True)
class Reverse:
    """The other side of a Reference, without a column; `kind` is "many" or "one"."""

    name: str
    kind: str
    source: str
    reference: str
    description: str = ""

    @property
    def attribute(self) -> str:
        return naming.attribute(self.name)


@dataclass(frozen=True)
class Link:
    """One side of a many_to_many; only the `owner` has a key for its ids."""

    name: str
    target: str
    owner: bool
    reverse: str | None
    table: str
    left_column: str
    right_column: str
    description: str = ""
    renamed_from: str | None = None
    in_full: bool = False  # another link of the entity has the same singular
    camel: bool = False
    schema: str | None = None

    @property
    def table_key(self) -> str:
        """What SQLAlchemy's metadata calls the table: `crm.accounts`."""
        return naming.table_key(self.table, self.schema)

    @property
    def attribute(self) -> str:
        return naming.attribute(self.name)

    @property
    def ids(self) -> str:
        """The JSON key of the owner's list of ids, such as `tag_ids` for `tags`."""
        return naming.json_key(self._ids, camel=self.camel)

    @property
    def ids_attribute(self) -> str:
        return naming.attribute(self._ids)

    @property
    def _ids(self) -> str:
        return f"{self.name if self.in_full else naming.singular(self.name)}_ids"


@dataclass(frozen=True)
class Entity:
    """An entity, with the names of its table, classes, modules and URLs."""

    name: str
    plural: str
    description: str = ""
    fields: tuple[Field, ...] = ()
    references: tuple[Reference, ...] = ()
    reverses: tuple[Reverse, ...] = ()
    links: tuple[Link, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    checks: tuple[Comparison, ...] = ()
    # Of the columns that are compared: ranges of values that pass all checks.
    windows: tuple[tuple[str, Window], ...] = ()
    renamed_from: str | None = None
    id: Id = STANDARD_ID
    timestamps: Timestamps | None = STANDARD_TIMES
    own_table: str | None = None
    own_url: str | None = None
    schema: str | None = None  # of PostgreSQL; None: the default one
    default_sort: str | None = None
    search: tuple[str, ...] = ()  # the columns that `q` searches, in their order
    operations: tuple[str, ...] = tuple(keys.OPERATIONS)
    access: Access | None = None  # None without auth
    owner: bool | str | None = None  # True, the name of a to-one relation, or None
    owner_path: tuple[str, ...] = ()  # relations that lead to an entity with owner True
    actors: bool = False
    history: bool = False
    soft_delete: bool = False

    @property
    def left_out_of_lists(self) -> tuple[Field, ...]:
        """The fields that GET of one row shows, and lists do not."""
        return tuple(
            one for one in self.fields if one.type == "binary" and not one.write_only
        )

    @property
    def has_restore_route(self) -> bool:
        """Whether the API restores deleted rows: where it deletes and shows them."""
        return self.soft_delete and {"get", "delete"} <= {*self.operations}

    @property
    def has_history_route(self) -> bool:
        """Whether the API shows the changes of a row: where it shows the row."""
        return self.history and "get" in self.operations

    @property
    def is_standard(self) -> bool:
        """Whether its id is a UUID called id, and its times have their usual names."""
        standard = (STANDARD_ID, STANDARD_TIMES)
        return (self.id, self.timestamps) in (standard, _CAMEL)

    @property
    def order(self) -> tuple[str, ...]:
        """The columns by which lists are sorted."""
        times = (self.timestamps.created_at,) if self.timestamps else ()
        return (*times, self.id.column)

    @property
    def subjects(self) -> tuple[str, ...]:
        """The columns that the service sets to the subject of the request's token."""
        owner = (keys.OWNER_ID,) if self.owner is True else ()
        return owner + (keys.ACTORS if self.actors else ())

    @property
    def marks(self) -> tuple[str, ...]:
        """The columns that mark a deleted row."""
        return keys.SOFT_DELETE if self.soft_delete else ()

    @property
    def members(self) -> tuple["Field | Reference", ...]:
        """What has a column: the fields and to-one relations."""
        return (*self.fields, *self.references)

    @property
    def sorted_indexes(self) -> list[tuple[str, ...]]:
        """The columns of the indexes that are not unique: each ends with the id.

        So rows with the same values have an order, and a list can be read from its index.
        """
        key = self.id.column
        times = self.timestamps
        found = [(times.created_at, key), (times.updated_at, key)] if times else []
        # A foreign key looks for deleted rows as well, which the constraint leaves out.
        partial = [one for one in self.references if one.unique and self.soft_delete]
        found += [
            (one.column, key) for one in self.members if one.has_index or one in partial
        ]
        return found + [(*columns, key) for columns in self.indexes]

    @property
    def item_indexes(self) -> list[str]:
        """The columns of arrays that have an index of their items."""
        return [field.column for field in self.fields if field.has_item_index]

    @cached_property
    def lowered(self) -> frozenset[str]:
        """The columns that indexes have without regard to case."""
        return frozenset(one.column for one in self.fields if one.case_insensitive)

    @property
    def json_keys(self) -> dict[str, str]:
        """The JSON keys of its columns."""
        keys = {self.id.column: self.id.json}
        if self.timestamps:
            created, updated = self.timestamps.json
            keys |= {self.timestamps.created_at: created}
            keys |= {self.timestamps.updated_at: updated}
        keys |= {one.column: one.json for one in self.fields}
        keys |= {one: naming.json_key(one, camel=self.id.camel) for one in self.marks}
        return keys | {one.column: one.json for one in self.references}

    @property
    def snake(self) -> str:
        return naming.snake(self.name)

    @property
    def table(self) -> str:
        """The name of the table, without its schema."""
        return self.own_table or self.plural

    @property
    def table_key(self) -> str:
        """What SQLAlchemy's metadata calls the table: `crm.accounts`."""
        return naming.table_key(self.table, self.schema)

    @property
    def url(self) -> str:
        return self.own_url or self.plural.replace("_", "-")

    @property
    def tag(self) -> str:
        """The name of its group of routes in OpenAPI."""
        return naming.tag(self.url)

    @property
    def module(self) -> str:
        """The name of its modules in repositories and services."""
        return naming.module(self.snake)

    @property
    def routes_module(self) -> str:
        """The name of its module in api/routes."""
        return naming.routes_module(self.plural)

    @property
    def variable(self) -> str:
        """The name of a variable for one row, which hides no other name."""
        return naming.variable(self.snake)

    @property
    def title(self) -> str:
        return self.snake.replace("_", " ")

    @property
    def titles(self) -> str:
        return self.plural.replace("_", " ")


@dataclass(frozen=True)
class Spec:
    """All entities, in the order of the file."""

    entities: tuple[Entity, ...]
    camel: bool = False  # whether the keys in JSON are in camelCase
    auth: bool = False  # whether the service verifies access tokens

    @cached_property
    def history(self) -> bool:
        """Whether an entity has a history."""
        return any(entity.history for entity in self.entities)

    @cached_property
    def soft_delete(self) -> bool:
        """Whether an entity has soft_delete."""
        return any(entity.soft_delete for entity in self.entities)

    def entity(self, name: str) -> Entity:
        """Return the entity with this name; raise KeyError if there is none."""
        return self._named[name]

    @cached_property
    def _named(self) -> dict[str, Entity]:
        return {entity.name: entity for entity in self.entities}
