"""Writes what was found as the document of entities.json."""

from collections.abc import Iterable

from scaffold.importing import fitting, keys_and_times, language, names
from scaffold.importing.associations import associations
from scaffold.importing.draft import Draft, Json
from scaffold.importing.found import (
    Association,
    Column,
    Computed,
    Found,
    Reference,
    Table,
)
from scaffold.spec import naming
from scaffold.spec.model import MISSING
from scaffold.spec.vocabulary import keys

MANY, ONE, LINKS = "many_to_one", "one_to_one", "many_to_many"
# What a CHECK adds to a column.
_RULES = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "values")
_USUAL = {True: "restrict", False: "set_null"}


def write(found: Found) -> Json:
    """Return the document; what it cannot say is added to the losses."""
    links = associations(found)
    tables = [one for one in found.tables if one.key not in links]
    drafts = _name(tables, found, _linking(found, links.values()))
    for draft in drafts.values():
        if draft.table.keys.get("soft_delete"):
            draft.left |= {*keys.SOFT_DELETE}
        keys_and_times.write(draft, found)
    references = {
        key: _references(draft, drafts, found) for key, draft in drafts.items()
    }
    # What has a column keeps its name, so it comes before what has none.
    for key, draft in drafts.items():
        for column in draft.columns:
            if column.name not in references[key]:
                _field(draft, column, found)
    reverses: list[tuple[Json, str, Draft]] = []
    for key, draft in drafts.items():
        for column in draft.columns:
            if one := references[key].get(column.name):
                made = _relation(draft, column, one, drafts, found)
                reverses.append((made, one.reverse, drafts[one.target]))
        _together(draft, found)
        _checks(draft, found)
    found.associations = list(links.values())
    for association in found.associations:
        reverses.append(_association(association, drafts, found))
    for link in found.links:
        if link.source in drafts and link.target in drafts:
            owner, target = drafts[link.source], drafts[link.target]
            reverses.append((_link(owner, target, link.name), link.reverse, target))
        else:
            found.lose(link.place, "a relation to what was left out")
    for made, reverse, target in reverses:
        if reverse:
            back = names.many(reverse, target.taken)
            made["back_populates"] = back
            target.taken.add(back)
    document: Json = {"$schema": "./entities.schema.json"}
    if found.camel:
        document["json_case"] = "camel"
    document["entities"] = [_complete(draft) for draft in drafts.values()]
    return document


def _linking(found: Found, links: Iterable[Association]) -> set[str]:
    """Return the tables of a generated service whose plural is their name.

    Its association tables begin with the plural of the entity that owns the relation.
    """
    tables = found.by_key()
    return {
        side.target
        for one in links
        for side in (one.left, one.right)
        if tables[side.target].is_own
        and one.table.name.startswith(f"{tables[side.target].name}_")
    }


def _name(tables: Iterable[Table], found: Found, linking: set[str]) -> dict[str, Draft]:
    """Name each entity, its table, schema and URL."""
    drafts: dict[str, Draft] = {}
    taken: set[str] = set()
    plurals: set[str] = set()
    snakes: set[str] = set()  # the names of modules
    for table in tables:
        singular = naming.singular(names.snake(table.name)) or table.name
        name = names.entity(table.entity or singular, taken)
        schema = table.schema if table.schema != keys.DEFAULT_SCHEMA else None
        if schema and name.lower() != names.entity(singular, ()).lower():
            name = names.entity(f"{schema}_{singular}", taken)
        while naming.table(name) in plurals or naming.snake(name) in snakes:
            name = names.entity(name, {*taken, name})
            taken.add(name)
        taken.add(name)
        snakes.add(naming.snake(name))
        json: Json = {"name": name}
        plural = naming.table(name)
        is_plural = naming.plural(table.name) == table.name or table.key in linking
        is_plain = names.snake(table.name) == table.name
        if is_plural and is_plain and table.name not in (plural, *plurals):
            json["plural"] = plural = table.name
        plurals.add(plural)
        _stored(json, table, schema, plural, found)
        if table.description:
            json["description"] = _text(table.description)
        drafts[table.key] = Draft(table, name, json)
    return drafts


def _stored(
    json: Json, table: Table, schema: str | None, plural: str, found: Found
) -> None:
    """Keep the names of the table and its schema."""
    if table.name != plural:
        if names.is_table(table.name):
            json["table"] = table.name
        else:
            found.lose(table.place, f"the name {table.name}", f"the table {plural}")
    if schema and names.is_table(schema):
        json["schema"] = schema
    elif schema:
        found.lose(table.place, f"the schema {schema}", "the schema public")


def _references(
    draft: Draft, drafts: dict[str, Draft], found: Found
) -> dict[str, Reference]:
    """Return the foreign keys that become relations, by their columns."""
    references: dict[str, Reference] = {}
    for one in draft.table.references:
        if not _is_relation(one, draft, drafts):
            what = f"a foreign key on {', '.join(one.columns)}"
            target = drafts[one.target].name if one.target in drafts else one.target
            found.lose(one.place, f"{what} to {target}", "fields without a reference")
        elif one.columns[0] in references:
            found.lose(one.place, "a second foreign key on the same column")
        else:
            references[one.columns[0]] = one
    return references


def _is_relation(one: Reference, draft: Draft, drafts: dict[str, Draft]) -> bool:
    """Whether the reference has one column, and is to the key of an entity."""
    target = drafts.get(one.target)
    if target is None or len(one.columns) != 1 or one.columns[0] in draft.left:
        return False
    return not one.target_columns or one.target_columns == target.table.primary_key


def _field(draft: Draft, column: Column, found: Found) -> None:
    table = draft.table
    is_indexed = (column.name,) in table.indexes
    is_unique = table.is_unique(column.name)
    groups = [table.primary_key, *table.unique, *table.indexes]
    together = max((len(one) for one in groups if column.name in one), default=0)
    written = fitting.field(column, found, together=together)
    name = names.member(column.json or column.name, draft.taken)
    made: Json = {"name": name, **written}
    for key, is_wanted in (("unique", is_unique), ("index", is_indexed)):
        if is_wanted and not (key == "index" and is_unique):
            if language.can_say({**written, key: True}):
                made[key] = True
            else:
                found.lose(column.place, f"{key} on {written['type']}")
    if is_unique and _is_unsorted(column, is_indexed, table):
        made["sort"] = False
    _names(made, column, name, name, found)
    draft.taken.add(name)
    draft.members[column.name] = name
    draft.fields.append(made)


def _is_unsorted(column: Column, is_indexed: bool, table: Table) -> bool:
    """Whether a service made a unique column that lists are not sorted by.

    Otherwise it has an index beside the constraint, for rows with null.
    """
    return table.is_own and not is_indexed and not column.required


def _names(
    made: Json, column: Column, name: str, usual_column: str, found: Found
) -> None:
    """Keep the names of a column and of its key in JSON; add the description."""
    if column.name != usual_column:
        if names.is_column(column.name):
            made["column"] = column.name
        else:
            became = f"the column {usual_column}"
            found.lose(column.place, f"the name {column.name}", became)
    usual_key = naming.json_key(usual_column, camel=found.camel)
    if column.json and column.json != usual_key:
        if names.is_json_key(column.json):
            made["json"] = column.json
        else:
            found.lose(column.place, f"the key {column.json}", f"the key {usual_key}")
    if name.startswith("own_") and "json" not in made and not column.json:
        made["json"] = column.name
    if column.description:
        made["description"] = _text(column.description)


def _relation(
    draft: Draft,
    column: Column,
    reference: Reference,
    drafts: dict[str, Draft],
    found: Found,
) -> Json:
    """Write a to-one relation, without its reverse side."""
    target = drafts[reference.target]
    _lose_values(column, found)
    is_unique = draft.table.is_unique(column.name)
    stem = reference.name or names.snake(column.name).removesuffix("_id")
    name = names.relation(stem, draft.taken)
    made: Json = {"name": name, "type": ONE if is_unique else MANY}
    made["target"] = target.name
    if column.required:
        made["required"] = True
    on_delete = reference.on_delete
    if on_delete == "set_null" and column.required:
        what = "ON DELETE SET NULL of a column that is NOT NULL"
        found.lose(reference.place, what, on_delete := "restrict")
    if on_delete != _USUAL[column.required]:
        made["on_delete"] = on_delete
    is_indexed = not found.says_indexes or (column.name,) in draft.table.indexes
    if not is_unique and not is_indexed:
        made["index"] = False
    if is_unique and _is_unsorted(column, is_indexed, draft.table):
        made["sort"] = False
    draft.taken |= {name, naming.key(name)}
    _names(made, column, name, naming.key(name), found)
    if reference.description and "description" not in made:
        made["description"] = _text(reference.description)
    draft.members[column.name] = name
    draft.relations.append(made)
    return made


def _lose_values(column: Column, found: Found) -> None:
    """Report what a foreign key says of its values, which a relation cannot say."""
    if column.default is not MISSING:
        default = column.default
        shown = default.value if isinstance(default, Computed) else default
        found.lose(column.place, f"the default {shown} of a foreign key")
    for key in _RULES:
        if key in column.keys:
            what = f"{key} {column.keys[key]} of a foreign key"
            found.lose(column.place, what)


def _together(draft: Draft, found: Found) -> None:
    """Write the unique constraints and indexes of more than one column."""
    table, own = draft.table, draft.table.primary_key
    unique = [one for one in table.unique if len(one) > 1]
    if len(own) > 1:
        unique.insert(0, own)
    for key, groups in (("unique", unique), ("indexes", table.indexes)):
        written: list[list[str]] = []
        for columns in groups:
            listed = [draft.members.get(one, "") for one in columns]
            if len(columns) < 2:
                continue
            if not all(listed):
                what = "a unique constraint" if key == "unique" else "an index"
                found.lose(table.place, f"{what} on {', '.join(columns)}")
            elif listed not in written:
                written.append(listed)
        if written:
            draft.json[key] = written


def _checks(draft: Draft, found: Found) -> None:
    """Write the comparisons of two columns."""
    written = []
    for left, operator, right in draft.table.checks:
        members = draft.members.get(left), draft.members.get(right)
        if all(members) and language.can_check(operator):
            written.append([members[0], operator, members[1]])
        else:
            what = f"CHECK ({left} {operator} {right})"
            found.lose(draft.table.place, what)
    if written:
        draft.json["checks"] = written


def _association(
    one: Association, drafts: dict[str, Draft], found: Found
) -> tuple[Json, str, Draft]:
    """Write a relation; return it with the name of its reverse side, and its target."""
    owner, target = drafts[one.left.target], drafts[one.right.target]
    name = _relation_of(one.table.name, owner)
    if name is None and (other := _relation_of(one.table.name, target)):
        owner, target, name = target, owner, other
    made = _link(owner, target, name or naming.plural(names.snake(target.name)))
    one.entity, one.relation = owner.name, str(made["name"])
    for side in (one.left, one.right):
        if side.on_delete != "cascade":
            what = f"ON DELETE {side.on_delete.upper()} of {one.table.name}"
            found.lose(side.place, what, "cascade: links go with their rows")
    is_to_itself = owner is target
    return made, "" if is_to_itself else naming.plural(names.snake(owner.name)), target


def _relation_of(table: str, owner: Draft) -> str | None:
    """Return what an association table calls the relation: `tags` for `posts_tags`."""
    rest = table.removeprefix(f"{_plural(owner)}_")
    return rest if rest != table and names.snake(rest) == rest else None


def _plural(draft: Draft) -> str:
    return str(draft.json.get("plural") or naming.table(draft.name))


def _link(owner: Draft, target: Draft, wanted: str) -> Json:
    """Write a many-to-many relation, without its reverse side."""
    name = names.many(wanted, owner.taken)
    owner.taken |= {name, f"{naming.singular(name)}_ids"}
    made: Json = {"name": name, "type": LINKS, "target": target.name}
    owner.relations.append(made)
    return made


def _complete(draft: Draft) -> Json:
    """Return an entity with its keys in their usual order."""
    table = draft.table
    if table.search:
        draft.json["search"] = [draft.members.get(one, one) for one in table.search]
    made = {
        **draft.json,
        **table.keys,
        "fields": draft.fields,
        "relations": draft.relations,
    }
    return {key: made[key] for key in keys.ENTITY if made.get(key, []) != []}


def _text(text: str) -> str:
    """A description without characters that cannot be printed."""
    return "".join(one for one in text if one.isprintable() or one == "\n").strip()
