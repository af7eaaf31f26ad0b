"""Says what happens to a statement: it runs, is skipped, or is reported."""

import re
from collections.abc import Mapping

RUN, SKIP, EXTENSION = "run", "skip", "extension"
_NAMED = r"(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>(?:\"[^\"]+\"|[\w$]+)(?:\.(?:\"[^\"]+\"|[\w$]+))?)"
TABLE = re.compile(
    rf"CREATE\s+(?:UNLOGGED\s+|FOREIGN\s+)?TABLE\s+{_NAMED}", re.IGNORECASE
)
_QUERY = re.compile(
    r"\bAS\s*+(?:\(\s*+)*+(?:SELECT|WITH|VALUES|TABLE|EXECUTE)\b", re.IGNORECASE
)
_SEARCH_PATH = re.compile(
    r"SET\s+(?:SESSION\s+)?search_path\b"
    r"|SELECT\s+(?:pg_catalog\.)?set_config\('search_path',\s*'[^']*',\s*(?:true|false)\)$",
    re.IGNORECASE,
)
# In this order; what runs cannot read or write anything but its own database.
_KINDS: Mapping[str, str] = {
    r"CREATE\s+EXTENSION\b": EXTENSION,
    r"(CREATE|DROP|ALTER)\s+(DATABASE|ROLE|USER|GROUP|TABLESPACE)\b": SKIP,
    r"ALTER\b.*\bOWNER\s+TO\b": SKIP,
    r"ALTER\s+(DEFAULT\s+PRIVILEGES|SYSTEM|EXTENSION)\b": SKIP,
    r"ALTER\s+SEQUENCE\b.*\bRESTART\b": SKIP,
    r"COMMENT\s+ON\s+EXTENSION\b": SKIP,
    r"(BEGIN|COMMIT|END|ROLLBACK|START|ABORT|SAVEPOINT|RELEASE|SET|RESET|SHOW)\b": SKIP,
    r"(INSERT|COPY|UPDATE|DELETE|MERGE|TRUNCATE|GRANT|REVOKE|REASSIGN)\b": SKIP,
    r"(ANALYZE|VACUUM|CLUSTER|REINDEX|REFRESH|LOCK|NOTIFY|LISTEN|CHECKPOINT)\b": SKIP,
    r"SELECT\s+(pg_catalog\.)?(setval|set_config)\b": SKIP,
    r"(CREATE|ALTER|DROP)\s+(PUBLICATION|SUBSCRIPTION|SERVER|EVENT)\b": SKIP,
    r"DO\b": "a DO block",
    r"CREATE\s+(GLOBAL\s+|LOCAL\s+)?TEMP": "a temporary table",
    r"CREATE\s+MATERIALIZED\b": "a materialized view",
    r"CREATE\s+(OR\s+REPLACE\s+)?(TRUSTED\s+)?(PROCEDURAL\s+)?LANGUAGE\b": SKIP,
    r"CREATE\s+(UNLOGGED\s+)?TABLE\b": RUN,
    r"CREATE\s+(UNIQUE\s+)?INDEX\b": RUN,
    r"CREATE\s+(TYPE|DOMAIN|SCHEMA|SEQUENCE|AGGREGATE|CAST|COLLATION|OPERATOR)\b": RUN,
    r"CREATE\s+(OR\s+REPLACE\s+)?(RECURSIVE\s+)?(VIEW|FUNCTION|PROCEDURE)\b": RUN,
    r"CREATE\s+(OR\s+REPLACE\s+)?(CONSTRAINT\s+)?TRIGGER\b": RUN,
    r"ALTER\s+(TABLE|TYPE|DOMAIN|SEQUENCE|INDEX|SCHEMA)\b": RUN,
    r"DROP\s+(TABLE|TYPE|DOMAIN|SEQUENCE|INDEX|SCHEMA|VIEW|FUNCTION)\b": RUN,
    r"COMMENT\s+ON\b": RUN,
    r"CREATE\s+(TEXT\s+SEARCH|STATISTICS|ACCESS)\b": SKIP,
    r"CREATE\s+POLICY\b": "a policy",
    r"CREATE\s+(OR\s+REPLACE\s+)?RULE\b": "a rule",
}
_COMPILED = [
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), kind)
    for pattern, kind in _KINDS.items()
]
_QUIET = frozenset(
    [
        ".",
        "c",
        "connect",
        "echo",
        "else",
        "encoding",
        "endif",
        "if",
        "pset",
        "q",
        "qecho",
        "restrict",
        "set",
        "timing",
        "unrestrict",
        "unset",
        "warn",
        "x",
    ]
)


def kind_of(text: str, bare: str) -> str:
    """Return RUN, SKIP or EXTENSION, or what a statement is that is left out."""
    if is_search_path(text):
        return RUN
    for pattern, kind in _COMPILED:
        if pattern.match(bare):
            if kind == RUN and TABLE.match(bare) and _QUERY.search(bare):
                return "a table AS a query"
            return kind
    words = " ".join(bare.split()[:2])
    return f"the statement {words[:40]}"


def is_search_path(text: str) -> bool:
    """Whether a statement says in which schemas names are looked for."""
    return bool(_SEARCH_PATH.match(text))


def is_quiet(command: str) -> bool:
    """Whether a command of psql says nothing about the schema."""
    return command[1:].partition(" ")[0] in _QUIET


# Dumps of other databases, by what only they have.
_OTHERS = {
    "MySQL": r"^-- (?:MySQL|MariaDB) dump|\)\s*ENGINE\s*=\s*\w+|\bAUTO_INCREMENT\b|^/\*!\d{5}",
    "SQLite": r"^PRAGMA\s+\w+|\bAUTOINCREMENT\b|\bsqlite_sequence\b",
    "SQL Server": r"^GO\s*$|\[dbo\]\.|\bIDENTITY\s*\(\s*\d+\s*,|\bNVARCHAR\s*\(",
    "Oracle": r"\bVARCHAR2\b|\bNUMBER\s*\(\s*\d",
}
_HEAD = 1_000_000
_OURS = "-- PostgreSQL database dump"


def other_database(text: str) -> str | None:
    """Return the name of the database that a dump is of, if it is not PostgreSQL."""
    head = text[:_HEAD]
    if _OURS in head:
        return None
    for name, pattern in _OTHERS.items():
        if re.search(pattern, head, re.MULTILINE | re.IGNORECASE):
            return name
    return None
