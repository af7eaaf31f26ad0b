"""Reads the values of single keys: checks their type, their form and their limits."""

import re
from collections.abc import Callable, Collection, Mapping

from scaffold.patterns import portable
from scaffold.spec import naming
from scaffold.spec.json.parsing import Array, Object
from scaffold.spec.problems import Suggestion, listing, quote
from scaffold.spec.vocabulary import default_values, keys, reserved_names, synonyms
from scaffold.spec.vocabulary.field_types import INT64, TYPES
from scaffold.spec.vocabulary.keys import Key

NAME = re.compile(keys.NAME.removeprefix("^").removesuffix("$"))
CLASS = re.compile(keys.CLASS.removeprefix("^").removesuffix("$"))
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SNAKE = "use ASCII letters in lower case, digits and _, such as due_date"
_PASCAL = "use ASCII letters and digits, a capital letter first, such as OrderItem"
_COLUMNS = reserved_names.COLUMNS | reserved_names.SYSTEM_COLUMNS


class BadValue(Exception):
    """A value cannot be used; for an item of an array, `item` and `at` say which."""

    def __init__(
        self,
        message: str,
        suggestion: Suggestion | None = None,
        item: int | None = None,
        at: int | None = None,
    ) -> None:
        super().__init__(message)
        self.suggestion = suggestion
        self.item = item
        self.at = at


def describe(value: object) -> str:
    """Return a JSON value as a message names it: scalars as they are written."""
    if isinstance(value, Object):
        return "an object"
    return "an array" if isinstance(value, Array) else quote(value)


def _normalized(word: str) -> str:
    """Return a word as `synonyms` has it; `varchar(255)` is `varchar`."""
    return re.sub(r"\(.*|[^a-z0-9]", "", word.lower())


def unknown_key(
    name: str, known: Mapping[str, Key], present: Collection[str]
) -> BadValue:
    """Return the error for a key that is not in the table of known ones.

    Keys that are `present` in the same object are not suggested again.
    """
    message = f"unknown key {quote(name)}"
    word = _normalized(name)
    opposite = synonyms.OPPOSITES.get(word)
    if opposite in known:
        fix = f'use "{opposite}", with the opposite value'
        if opposite in present:
            fix = f'remove it, as "{opposite}" says the same'
        return BadValue(f"{message}; {fix}")
    meant = next((key for key in synonyms.KEYS.get(word, ()) if key in known), name)
    if meant == name and (advice := synonyms.KEY_ADVICE.get(word)):
        return BadValue(f"{message}; {advice}")
    allowed = f"allowed here: {listing(known)}"
    if word in ("choices", "options", "enum") and "index" in known:
        allowed = 'use "type": "enum" with "values"'
    elif name in keys.PLACES:
        return BadValue(f"{message}; it is a key of {keys.PLACES[name]}")
    candidates = (meant,) if meant in known else tuple(known)
    return BadValue(message, Suggestion(meant, candidates, allowed, lambda: present))


def _unknown_type(word: str) -> BadValue:
    message = f"unknown type {quote(word)}"
    normalized = _normalized(word)
    if advice := synonyms.TYPE_ADVICE.get(normalized):
        return BadValue(f"{message}; {advice}")
    meant = synonyms.TYPES.get(normalized, word)
    if meant in keys.RELATION_TYPES:
        return BadValue(f'{message}; add it to "relations", with the type {meant}')
    if re.search(r"\[|<|^array", word.lower()):  # string[], list<int>
        return BadValue(f"{message}; {synonyms.ARRAY}")
    if meant not in TYPES and normalized in TYPES:
        meant = normalized
    allowed = f"allowed here: {listing(TYPES)}"
    return BadValue(message, Suggestion(meant, tuple(TYPES), allowed))


def _unknown(
    what: str, word: str, known: Mapping[str, object], elsewhere: Mapping[str, str]
) -> BadValue:
    meant = elsewhere.get(_normalized(word), word)
    if meant not in known:
        meant = word
    allowed = f"allowed here: {listing(known)}"
    message = f"unknown {what} {quote(word)}"
    return BadValue(message, Suggestion(meant, tuple(known), allowed))


def string(value: object, key: Key) -> str:
    if not isinstance(value, str):
        raise BadValue(f"must be a string, not {describe(value)}")
    if control := _CONTROL.search(value):
        code = f"\\u{ord(control[0]):04x}"
        raise BadValue(f"contains the control character {code}; remove it")
    return value


def boolean(value: object, key: Key) -> bool:
    if not isinstance(value, bool):
        raise BadValue(f"must be a boolean (true or false), not {describe(value)}")
    return value


def array(value: object, key: Key) -> Array:
    if not isinstance(value, Array):
        raise BadValue(f"must be an array, not {describe(value)}")
    return value


def table_name(value: object, key: Key) -> str:
    return _name(value, NAME, _SNAKE, reserved_names.TABLES)


def member_name(value: object, key: Key) -> str:
    """Read the name of a field or of a side of a relation."""
    return _name(value, NAME, _SNAKE, _COLUMNS)


def id_name(value: object, key: Key) -> str:
    return _stored(_name(value, NAME, _SNAKE, reserved_names.SYSTEM_COLUMNS))


def time_name(value: object, key: Key) -> str:
    name = id_name(value, key)
    if name == "id":
        raise BadValue('"id" is the name of ids; choose another name')
    return name


def formed(advice: str) -> Callable[[object, Key], str]:
    """Return a reader of strings that match the pattern in the key's schema."""

    def read(value: object, key: Key) -> str:
        if not isinstance(value, str):
            raise BadValue(f"must be a string, not {describe(value)}")
        if not re.fullmatch(str(key.schema["pattern"])[1:-1], value):
            raise BadValue(f"{quote(value)} is not a valid name; {advice}")
        if len(value) > key.limit("maxLength"):
            limit = key.limit("maxLength")
            message = f"{quote(value)} has {len(value)} characters; the limit is"
            raise BadValue(f"{message} {limit}")
        return value

    return read


_stored_form = formed("use letters, digits, _, $, - and spaces, a letter or _ first")


def column_name(value: object, key: Key) -> str:
    return _stored(_stored_form(value, key))


def _stored(name: str) -> str:
    if name in reserved_names.SYSTEM_COLUMNS:
        message = f"{quote(name)} is a system column of PostgreSQL"
        raise BadValue(f"{message}; choose another name")
    return name


def own_table_name(value: object, key: Key) -> str:
    name = _stored_form(value, key)
    if name in reserved_names.TABLES:
        is_own = name in reserved_names.SERVICE_TABLES
        user = "the service" if is_own else "Alembic"
        raise BadValue(f"{quote(name)} is reserved: {user} uses it; choose another")
    return _not_of_postgresql(name)


def schema_name(value: object, key: Key) -> str:
    name = _stored_form(value, key)
    if name in reserved_names.SCHEMAS:
        message = f"{quote(name)} is a schema of PostgreSQL itself"
        raise BadValue(f"{message}; choose another name")
    return _not_of_postgresql(name)


def _not_of_postgresql(name: str) -> str:
    if name.startswith("pg_"):
        message = f"{quote(name)} is reserved: PostgreSQL reserves the prefix pg_"
        raise BadValue(f"{message}; choose another name")
    return name


def bits(value: object, key: Key) -> int:
    if type(value) is not int or value not in keys.BITS:
        raise BadValue(f"must be 16, 32 or 64, not {describe(value)}")
    return value


def either(kind: type, advice: str) -> Callable[[object, Key], object]:
    """Return a reader of a simple value or an object, whose keys are read later."""

    def read(value: object, key: Key) -> object:
        if isinstance(value, (kind, Object)):
            return value
        raise BadValue(f"must be {advice}, not {describe(value)}")

    return read


def class_name(value: object, key: Key) -> str:
    return _name(value, CLASS, _PASCAL, reserved_names.CLASSES)


def _name(
    value: object, form: re.Pattern[str], rule: str, reserved: frozenset[str]
) -> str:
    case = "snake_case" if form is NAME else "PascalCase"
    if not isinstance(value, str):
        raise BadValue(f"must be a string in {case}, not {describe(value)}")
    if not form.fullmatch(value):
        message = f"{quote(value)} is not a valid name in {case}"
        better = _in_case(value, form)
        if better in reserved_names.COLUMNS and form is NAME and better in reserved:
            remove = f"remove it, as every entity already has {quote(better)}"
            raise BadValue(f"{message}; {remove}, or choose another name")
        owned = form is NAME and reserved is reserved_names.TABLES
        if owned and (better or "").startswith("pg_"):
            better = None
        if better is None or better in reserved:
            raise BadValue(f"{message}; {rule}")
        raise BadValue(message, Suggestion(better, (better,), rule))
    if len(value) > keys.MAX_NAME:
        length = f"{len(value)} characters"
        raise BadValue(f"{quote(value)} has {length}; the limit is {keys.MAX_NAME}")
    return value


def _in_case(value: str, form: re.Pattern[str]) -> str | None:
    """Return a name in the right case, where nothing else is wrong with it."""
    if not re.fullmatch(r"[A-Za-z0-9 _-]{1,63}", value):
        return None
    words = "_".join(filter(None, (naming.snake(w) for w in re.split("[ _-]", value))))
    better = words if form is NAME else naming.pascal(words)
    fits = form.fullmatch(better) and len(better) <= keys.MAX_NAME
    return better if fits else None


def count(value: object, key: Key) -> int:
    least, most = key.limit("minimum"), key.limit("maximum")
    if type(value) is not int:
        raise BadValue(f"must be an integer, not {describe(value)}")
    if not least <= value <= most:
        raise BadValue(f"must be between {least} and {most}, not {quote(value)}")
    return value


def integer(value: object, key: Key) -> int:
    if type(value) is not int:
        raise BadValue(f"must be an integer, not {describe(value)}")
    if not -INT64 <= value < INT64:
        message = f"{quote(value)} is out of range for a 64-bit integer"
        raise BadValue(f"{message} (-2^63 to 2^63-1)")
    return value


def number(value: object, key: Key) -> object:
    return _refused(lambda: default_values.finite(value))


def exact(value: object, key: Key) -> object:
    return _refused(lambda: default_values.number_or_string(value))


def _refused(read: Callable[[], object]) -> object:
    try:
        return read()
    except default_values.Refused as refused:
        raise BadValue(str(refused)) from None


def pattern(value: object, key: Key) -> str:
    if not isinstance(value, str):
        raise BadValue(f"must be a string, not {describe(value)}")
    if problem := portable.problem(value):
        raise BadValue(f"{quote(value)} {problem}")
    return value


def enum_values(value: object, key: Key) -> tuple[str, ...]:
    listed = array(value, key)
    most = key.limit("maxItems")
    if not 1 <= len(listed) <= most:
        raise BadValue(f"must have 1 to {most} items, not {len(listed)}")
    seen: dict[str, int] = {}
    for index, item in enumerate(listed):
        problem = _value_problem(item, seen)
        if problem:
            raise BadValue(problem, item=index, at=listed.items_at[index])
        seen[str(item)] = index
    return tuple(seen)


def _value_problem(item: object, seen: Mapping[str, int]) -> str | None:
    if not isinstance(item, str):
        return f"must be a string, not {describe(item)}"
    if not item:
        return "must not be empty; write at least one character"
    if len(item) > 255:
        return f"{quote(item)} has {len(item)} characters; the limit is 255"
    if item in seen:
        return f"duplicate value {quote(item)}, already used by values[{seen[item]}]"
    return None


def operations(value: object, key: Key) -> tuple[str, ...]:
    listed = array(value, key)
    read = _one_of(
        keys.OPERATIONS,
        lambda word: _unknown("operation", word, keys.OPERATIONS, synonyms.OPERATIONS),
    )
    seen: dict[str, int] = {}
    for index, item in enumerate(listed):
        try:
            name = read(item, key)
            if name in seen:
                first = f"already listed as operations[{seen[name]}]"
                raise BadValue(f"duplicate operation {quote(name)}, {first}")
        except BadValue as bad:
            at = listed.items_at[index]
            raise BadValue(str(bad), bad.suggestion, index, at) from None
        seen[name] = index
    return tuple(name for name in keys.OPERATIONS if name in seen)


_NAMED_RULE = re.compile(keys.NAMED_RULE[1:-1])
_RULES_ALLOWED = [*keys.RULES, "role:NAME", "scope:NAME"]


def rules(value: object, key: Key) -> tuple[str, ...]:
    """Read one rule, or an array of rules of which one must hold."""
    if not isinstance(value, Array):
        return (_rule(value),)
    if not 1 <= len(value) <= keys.MAX_RULES:
        message = f"must have 1 to {keys.MAX_RULES} rules, not {len(value)}"
        if not value:
            message += '; write "nobody" if no one may'
        raise BadValue(message)
    seen: dict[str, int] = {}
    for index, item in enumerate(value):
        at = value.items_at[index]
        try:
            rule = _rule(item)
        except BadValue as bad:
            raise BadValue(str(bad), bad.suggestion, index, at) from None
        if rule in seen:
            message = f"duplicate rule {quote(rule)}; remove it"
            raise BadValue(message, item=index, at=at)
        seen[rule] = index
    for rule, reason in _ALONE.items():
        if rule in seen and len(seen) > 1:
            index = seen[rule]
            message = f"{quote(rule)} must be the only rule: {reason}, as one rule of"
            message += " an array is enough; remove it or the others"
            raise BadValue(message, item=index, at=value.items_at[index])
    return tuple(seen)


_ALONE = {
    keys.PUBLIC: "the others have no effect",
    keys.AUTHENTICATED: "the others have no effect",
    keys.NOBODY: "it has no effect beside others",
}


def _rule(value: object) -> str:
    if not isinstance(value, str):
        example = '"authenticated" or "role:admin"'
        raise BadValue(f"must be a rule, such as {example}, not {describe(value)}")
    if value in keys.RULES or _NAMED_RULE.fullmatch(value):
        return value
    kind, colon, name = value.partition(":")
    if colon and kind in ("role", "scope"):
        message = f"{quote(value)} is not a valid rule; the name of a {kind} has 1 to"
        message += " 255 ASCII characters without spaces, quotes and backslashes"
        raise BadValue(message)
    message = f"unknown rule {quote(value)}"
    allowed = f"allowed here: {listing(_RULES_ALLOWED)}"
    meant = synonyms.RULES.get(_normalized(value), value)
    if colon:
        meant = f"{_normalized(kind).removesuffix('s')}:{name}"
        known = [meant] if _NAMED_RULE.fullmatch(meant) else []
        raise BadValue(message, Suggestion(meant, known, allowed))
    if meant not in keys.RULES and re.fullmatch("[A-Za-z][A-Za-z0-9_-]*", value):
        allowed += f'; for a role, write "role:{value[:40]}"'
    raise BadValue(message, Suggestion(meant, tuple(keys.RULES), allowed))


def access(value: object, key: Key) -> object:
    """Read one rule or array of rules for everything, or an object, read later."""
    return value if isinstance(value, Object) else rules(value, key)


def owner(value: object, key: Key) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _name(value, NAME, _SNAKE, _COLUMNS)
    expected = "true or the name of a required to-one relation"
    raise BadValue(f"must be {expected}, not {describe(value)}")


def searched(value: object, key: Key) -> Array:
    """Read the names of fields; whether there are such fields is checked later."""
    listed = array(value, key)
    most = key.limit("maxItems")
    if not 1 <= len(listed) <= most:
        raise BadValue(f"must have 1 to {most} names, not {len(listed)}")
    seen: dict[str, int] = {}
    for index, item in enumerate(listed):
        problem = None
        if not isinstance(item, str):
            problem = f"must be a string, not {describe(item)}"
        elif item in seen:
            first = f"already listed as search[{seen[item]}]"
            problem = f"duplicate name {quote(item)}, {first}"
        if problem:
            raise BadValue(problem, item=index, at=listed.items_at[index])
        seen[str(item)] = index
    return listed


def _one_of(
    known: Mapping[str, object], unknown: Callable[[str], BadValue]
) -> Callable[[object, Key], str]:
    def read(value: object, key: Key) -> str:
        if not isinstance(value, str):
            raise BadValue(f"must be one of {listing(known)}, not {describe(value)}")
        if value not in known:
            raise unknown(value)
        return value

    return read


KINDS: Mapping[str, Callable[[object, Key], object]] = {
    "access": access,
    "any": lambda value, key: value,
    "bits": bits,
    "class": class_name,
    "column": column_name,
    "count": count,
    "decimal": exact,
    "flag": boolean,
    "id": either(str, '"uuid", "integer", "string" or an object'),
    "id_type": _one_of(
        keys.ID_TYPES,
        lambda word: _unknown("id type", word, keys.ID_TYPES, synonyms.ID_TYPES),
    ),
    "integer": integer,
    "json_case": _one_of(
        keys.JSON_CASES,
        lambda word: _unknown("case", word, keys.JSON_CASES, synonyms.JSON_CASES),
    ),
    "json_key": formed("use letters, digits, _ and -, a letter or _ first"),
    "list": array,
    "markup": _one_of(
        keys.MARKUP,
        lambda word: _unknown("markup", word, keys.MARKUP, synonyms.MARKUP),
    ),
    "member": member_name,
    "member_id": id_name,
    "member_time": time_name,
    "number": number,
    "on_delete": _one_of(
        keys.ON_DELETE,
        lambda word: _unknown("on_delete", word, keys.ON_DELETE, synonyms.ON_DELETE),
    ),
    "operations": operations,
    "own_table": own_table_name,
    "owner": owner,
    "pattern": pattern,
    "relation": _one_of(
        keys.RELATION_TYPES,
        lambda word: _unknown(
            "relation type", word, keys.RELATION_TYPES, synonyms.TYPES
        ),
    ),
    "rules": rules,
    "schema": schema_name,
    "search": searched,
    "sort_key": formed("write a name in snake_case, with a - for descending order"),
    "table": table_name,
    "text": string,
    "timestamps": either(bool, "true, false or an object"),
    "together": array,
    "type": _one_of(TYPES, _unknown_type),
    "url": formed("use letters, digits, - and _, a letter first"),
    "values": enum_values,
}
