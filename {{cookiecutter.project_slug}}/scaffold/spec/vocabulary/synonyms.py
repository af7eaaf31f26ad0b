"""Other tools' words for types and keys, and what to write in entities.json instead.

All words are in lower case and without underscores. A suggestion is made only where
following it is accepted; where entities.json has no counterpart, the advice says so.
"""

from collections.abc import Mapping

TYPES = {
    "int": "integer",
    "int8": "integer",
    "int64": "integer",
    "bigint": "integer",
    "long": "integer",
    "year": "integer",
    "number": "decimal",
    "numeric": "decimal",
    "money": "decimal",
    "amount": "decimal",
    "price": "decimal",
    "percentage": "decimal",
    "double": "float",
    "doubleprecision": "float",
    "float4": "float",
    "float8": "float",
    "real": "float",
    "str": "string",
    "varchar": "string",
    "nvarchar": "string",
    "char": "string",
    "character": "string",
    "charactervarying": "string",
    "citext": "string",
    "inet": "string",
    "cidr": "string",
    "ip": "string",
    "ipaddress": "string",
    "macaddr": "string",
    "phone": "string",
    "phonenumber": "string",
    "slug": "string",
    "ulid": "string",
    "cuid": "string",
    "country": "string",
    "currency": "string",
    "color": "string",
    "colour": "string",
    "locale": "string",
    "language": "string",
    "timezone": "string",
    "hash": "string",
    "token": "string",
    "ltree": "string",
    "cron": "string",
    "longtext": "text",
    "mediumtext": "text",
    "textarea": "text",
    "clob": "text",
    "html": "text",
    "markdown": "text",
    "richtext": "text",
    "xml": "text",
    "bool": "boolean",
    "bit": "boolean",
    "flag": "boolean",
    "timestamp": "datetime",
    "timestamptz": "datetime",
    "timestampwithtimezone": "datetime",
    "datetimetz": "datetime",
    "instant": "datetime",
    "localdate": "date",
    "localtime": "time",
    "timetz": "time",
    "timewithtimezone": "time",
    "guid": "uuid",
    "uuid4": "uuid",
    "uuid7": "uuid",
    "choice": "enum",
    "choices": "enum",
    "enumeration": "enum",
    "select": "enum",
    "emailaddress": "email",
    "uri": "url",
    "link": "url",
    "href": "url",
    "jsonb": "json",
    "object": "json",
    "dict": "json",
    "map": "json",
    "hstore": "json",
    "any": "json",
    **dict.fromkeys(("bytea", "blob", "varbinary", "bytes", "base64"), "binary"),
    "belongsto": "many_to_one",
    "foreignkey": "many_to_one",
    "reference": "many_to_one",
    "relation": "many_to_one",
    "hasone": "one_to_one",
    "hasmany": "one_to_many",
    "hasandbelongstomany": "many_to_many",
    "manytoone": "many_to_one",
    "onetoone": "one_to_one",
    "onetomany": "one_to_many",
    "manytomany": "many_to_many",
}

_FILE = "store small files as binary, and others elsewhere, with the address in a url"
_GENERATED = (
    'only ids are generated: set "id": "integer" on the entity and remove this field; '
    "use integer for a number that clients send"
)
_BITS = 'use integer, with "bits": {}'
_DURATION = "there is no type for durations; use integer, with the unit in the name"
_RANGE = "ranges are not supported; use two fields, such as starts_at and ends_at"
ARRAY = 'write the type of the items, with "array": true; or use json'
_PLACE = "there is no type for places; use two fields of type float, or json"

# Types that have no counterpart.
TYPE_ADVICE = {
    **dict.fromkeys(("file", "upload", "attachment", "document"), _FILE),
    **dict.fromkeys(("image", "photo", "picture", "audio", "video"), _FILE),
    **dict.fromkeys(("serial", "bigserial", "smallserial"), _GENERATED),
    **dict.fromkeys(("autoincrement", "identity", "sequence"), _GENERATED),
    **dict.fromkeys(("int2", "int16", "smallint", "tinyint"), _BITS.format(16)),
    **dict.fromkeys(("int4", "int32", "mediumint"), _BITS.format(32)),
    **dict.fromkeys(("range", "numrange", "int4range", "int8range"), _RANGE),
    **dict.fromkeys(("daterange", "tsrange", "tstzrange"), _RANGE),
    **dict.fromkeys(("interval", "duration", "timedelta"), _DURATION),
    **dict.fromkeys(
        ("point", "polygon", "geography", "geometry", "location", "latlng"), _PLACE
    ),
    "password": 'use string with "write_only": true, and hash it in the service',
    **dict.fromkeys(("array", "list", "set"), ARRAY),
    "vector": "there is no type for vectors; use json",
    "tsvector": "there is no type for full-text search; remove it",
}

# Types of ids.
ID_TYPES = {
    **TYPES,
    **dict.fromkeys(
        ("serial", "bigserial", "smallserial", "autoincrement", "identity", "sequence"),
        "integer",
    ),
    **dict.fromkeys(("int2", "int16", "smallint", "tinyint"), "integer"),
    **dict.fromkeys(("int4", "int32", "mediumint"), "integer"),
    **dict.fromkeys(("number", "numeric", "float"), "integer"),
    **dict.fromkeys(("text", "slug", "nanoid", "natural"), "string"),
    **dict.fromkeys(("uuidv4", "uuidv7"), "uuid"),
}

JSON_CASES = {
    **dict.fromkeys(("camelcase", "lowercamelcase"), "camel"),
    **dict.fromkeys(("snakecase", "underscore"), "snake"),
}

# In the order of preference: what applies to a field depends on its type.
KEYS: Mapping[str, tuple[str, ...]] = {
    "max": ("le", "max_length"),
    "maximum": ("le", "max_length"),
    "maxvalue": ("le",),
    "min": ("ge", "min_length"),
    "minimum": ("ge", "min_length"),
    "minvalue": ("ge",),
    "exclusivemaximum": ("lt",),
    "exclusiveminimum": ("gt",),
    "length": ("max_length",),
    "size": ("max_length",),
    "maxlength": ("max_length",),
    "minlength": ("min_length",),
    "regex": ("pattern",),
    "notnull": ("required",),
    "nonnull": ("required",),
    "notnullable": ("required",),
    "nonnullable": ("required",),
    "mandatory": ("required",),
    "choices": ("values",),
    "options": ("values",),
    "enum": ("values",),
    "indexed": ("index",),
    "defaultvalue": ("default",),
    "initial": ("default",),
    "to": ("target",),
    "entity": ("target",),
    "references": ("target",),
    "kind": ("type",),
    "datatype": ("type",),
    "ondelete": ("on_delete",),
    "backref": ("back_populates",),
    "relatedname": ("back_populates",),
    "inverse": ("back_populates",),
    "uniquetogether": ("unique",),
    **dict.fromkeys(("check", "constraints", "checkconstraints"), ("checks",)),
    **dict.fromkeys(("tablename", "dbtable"), ("table",)),
    **dict.fromkeys(("schemaname", "dbschema", "namespace"), ("schema",)),
    **dict.fromkeys(("path", "route", "endpoint", "segment"), ("url",)),
    **dict.fromkeys(("primarykey", "primary", "pk"), ("id",)),
    **dict.fromkeys(("createdat", "updatedat", "times"), ("timestamps",)),
    **dict.fromkeys(
        ("dbcolumn", "columnname", "fieldname", "foreignkey", "fk", "joincolumn"),
        ("column", "name"),
    ),
    **dict.fromkeys(
        ("jsonname", "jsonkey", "jsonproperty", "alias", "serializedname"),
        ("json", "name"),
    ),
    "dbindex": ("index",),
    **dict.fromkeys(
        ("autoincrement", "auto", "serial", "identity", "sequence", "strategy"),
        ("generated",),
    ),
    **dict.fromkeys(
        ("case", "casing", "camelcase", "namingconvention", "naming"), ("json_case",)
    ),
    "properties": ("fields",),
    "attributes": ("fields",),
    "columns": ("fields",),
    "relationships": ("relations",),
    **dict.fromkeys(("computed", "protected", "outputonly"), ("read_only",)),
    **dict.fromkeys(
        ("hidden", "secret", "private", "password", "sensitive", "inputonly"),
        ("write_only",),
    ),
    **dict.fromkeys(("frozen", "final", "createonly"), ("immutable",)),
    **dict.fromkeys(("examples", "sample"), ("example",)),
    **dict.fromkeys(("methods", "actions", "verbs", "only"), ("operations",)),
    "doc": ("description",),
    "comment": ("description",),
    "help": ("description",),
    "helptext": ("description",),
    **dict.fromkeys(
        ("rules", "rule", "permissions", "permission", "policy", "policies", "acl"),
        ("access",),
    ),
    **dict.fromkeys(("roles", "guard", "security", "authorization"), ("access",)),
    **dict.fromkeys(("ownedby", "owners", "ownership"), ("owner",)),
    **dict.fromkeys(("createdby", "updatedby", "userstamps"), ("actors",)),
    **dict.fromkeys(("audit", "audited", "auditlog", "audittrail"), ("history",)),
    **dict.fromkeys(("versioned", "changelog"), ("history",)),
    **dict.fromkeys(("paranoid", "softdeletes", "softdeletable"), ("soft_delete",)),
    **dict.fromkeys(("trash", "discardable"), ("soft_delete",)),
    "readroles": ("read_access",),
    "writeroles": ("write_access",),
    "places": ("scale",),
    "decimalplaces": ("scale",),
    "maxdigits": ("precision",),
    "multipleof": ("multiple_of",),
    "step": ("multiple_of",),
    **dict.fromkeys(("isarray", "list", "islist", "multiple", "many"), ("array",)),
    "minitems": ("min_items",),
    "maxitems": ("max_items",),
    "html": ("markup",),
    "richtext": ("markup",),
    "sanitize": ("markup",),
    "sanitise": ("markup",),
    "sanitizehtml": ("markup",),
    "striphtml": ("markup",),
    "escape": ("markup",),
}

# Words that mean the opposite of a key.
OPPOSITES = {
    **dict.fromkeys(
        ("null", "optional", "blank", "allownull", "notrequired"),
        "required",
    ),
    "unrequired": "required",
    **dict.fromkeys(("nonunique", "notunique", "allowduplicates"), "unique"),
    **dict.fromkeys(("unindexed", "notindexed", "noindex"), "index"),
    **dict.fromkeys(("editable", "writable", "writeable"), "read_only"),
    **dict.fromkeys(("mutable", "updatable", "updateable"), "immutable"),
    **dict.fromkeys(("readable", "visible"), "write_only"),
}

_PRIMARY_KEY = (
    'every entity has a primary key: set the "id" of the entity, such as "id": '
    '{"name": "code", "type": "string", "generated": false}, and remove this'
)
_CHECK = (
    "use the keys of the type (ge, pattern, ...), the checks of the entity, or a rule in "
    "the service"
)
_TIMESTAMPS = 'set the "timestamps" of the entity instead'
_NOT_GENERATED = 'only ids are generated: set the "id" of the entity; remove it'

# Keys that have no counterpart in their place.
KEY_ADVICE = {
    **dict.fromkeys(("primarykey", "primary", "pk"), _PRIMARY_KEY),
    **dict.fromkeys(("check", "constraints"), _CHECK),
    **dict.fromkeys(("createdat", "updatedat"), _TIMESTAMPS),
    "onupdate": "only updated_at changes with every update; remove it",
    **dict.fromkeys(("autoincrement", "serial", "identity"), _NOT_GENERATED),
    "format": "use the type email, url, uuid, date, time or datetime; remove it",
}

OPERATIONS = {
    "post": "create",
    "insert": "create",
    "new": "create",
    "index": "list",
    "search": "list",
    "read": "get",
    "show": "get",
    "retrieve": "get",
    "put": "replace",
    "patch": "update",
    "edit": "update",
    "destroy": "delete",
    "remove": "delete",
}

# Rules of access.
RULES = {
    **dict.fromkeys(("all", "any", "anyone", "everyone", "everybody"), "public"),
    **dict.fromkeys(("anonymous", "open", "guest", "true"), "public"),
    **dict.fromkeys(
        ("user", "users", "loggedin", "signedin", "login"), "authenticated"
    ),
    **dict.fromkeys(("auth", "private", "protected", "token"), "authenticated"),
    **dict.fromkeys(("own", "self", "me", "mine", "owned", "creator"), "owner"),
    **dict.fromkeys(("noone", "none", "never", "deny", "denied", "false"), "nobody"),
}

COMPARISONS = {
    **dict.fromkeys(("<", "less", "before", "less_than"), "lt"),
    **dict.fromkeys(("<=", "=<", "lte", "max"), "le"),
    **dict.fromkeys((">", "greater", "after", "greater_than"), "gt"),
    **dict.fromkeys((">=", "=>", "gte", "min"), "ge"),
    **dict.fromkeys(("!=", "<>", "neq", "not", "differs"), "ne"),
}

MARKUP = {
    "remove": "strip",
    "plain": "strip",
    "none": "strip",
    "sanitize": "basic",
    "rich": "basic",
    "html": "basic",
    "raw": "keep",
    "allow": "keep",
}

ON_DELETE = {
    "delete": "cascade",
    "null": "set_null",
    "nullify": "set_null",
    "noaction": "restrict",
    "protect": "restrict",
}
