"""Names: snake_case and PascalCase, plurals, reserved words, the limit of 63 bytes."""

import hashlib
import re
from functools import lru_cache

from scaffold.spec.vocabulary import reserved_names

MAX_BYTES = 63

# One word each, in spite of the capitals.
_BRANDS = re.compile(r"OAuth|GraphQL|MySQL|NoSQL|PostgreSQL|SQLite|IPv[46]")
_WORDS = re.compile(
    r"[A-Z]{2,}s(?![a-z])"  # an acronym's plural: URLs
    r"|[A-Z]{2,}(?=v[0-9])"  # an acronym before its version: APIv2
    r"|[A-Z]+(?=[A-Z][a-z])"  # an acronym before a word: HTTPRequest
    r"|[A-Z]?[a-z0-9]+"
    r"|[A-Z]+[0-9]*"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_IRREGULAR = {
    "alumnus": "alumni",
    "analysis": "analyses",
    "appendix": "appendices",
    "axis": "axes",
    "calf": "calves",
    "cargo": "cargoes",
    "child": "children",
    "corpus": "corpora",
    "criterion": "criteria",
    "curriculum": "curricula",
    "datum": "data",
    "echo": "echoes",
    "elf": "elves",
    "epoch": "epochs",
    "foot": "feet",
    "genus": "genera",
    "goose": "geese",
    "half": "halves",
    "hero": "heroes",
    "knife": "knives",
    "leaf": "leaves",
    "lens": "lenses",
    "life": "lives",
    "loaf": "loaves",
    "louse": "lice",
    "matrix": "matrices",
    "medium": "media",
    "monarch": "monarchs",
    "mouse": "mice",
    "ox": "oxen",
    "passerby": "passersby",
    "person": "people",
    "phenomenon": "phenomena",
    "potato": "potatoes",
    "quiz": "quizzes",
    "scarf": "scarves",
    "self": "selves",
    "sheaf": "sheaves",
    "shelf": "shelves",
    "stimulus": "stimuli",
    "stomach": "stomachs",
    "stratum": "strata",
    "thief": "thieves",
    "tomato": "tomatoes",
    "tooth": "teeth",
    "torpedo": "torpedoes",
    "vertex": "vertices",
    "veto": "vetoes",
    "wharf": "wharves",
    "wife": "wives",
    "wolf": "wolves",
}
_SINGULAR = {plural: singular for singular, plural in _IRREGULAR.items()}
# Those that also end compounds, as in grandchild; goose does not (mongoose).
_ENDS = _words("""
    child foot half hero knife leaf loaf matrix mouse person quiz shelf thief tooth
    vertex wife wolf
    """)
_IRREGULAR_END = re.compile(f"(.+)({'|'.join(_ENDS)})")
_PLURAL_END = re.compile(f"(.+)({'|'.join(_IRREGULAR[word] for word in _ENDS)})")
_SINGULAR |= {"movies": "movie", "cookies": "cookie", "ties": "tie", "caches": "cache"}
# Plurals with the endings of singulars, such as those of gas, bus, chaos and axis.
_SINGULAR |= {
    word: word[:-1]
    for word in _words("""
    agendas apis areas cameras demos formulas ideas kpis logos memos menus personas
    photos promos quotas repos schemas todos uris videos wikis
    """)
}


# Nouns without a plural, or with the same word for it.
_UNCOUNTABLE = _words("""
    advice aircraft baggage barracks bison chassis clothing crossroads data deer
    equipment evidence feedback fish furniture hardware headquarters homework info
    information jeans knowledge luggage machinery means media metadata money moose music
    news offspring police progress research rice salmon series sheep shrimp software
    species staff stuff swine traffic trout weather
    """)
_NOT_MEN = frozenset({"caiman", "german", "human", "norman", "ottoman", "roman"})
_NOT_MEN |= {"shaman", "talisman"}


@lru_cache(maxsize=10_000)
def snake(name: str) -> str:
    """Return `http_request` for `HTTPRequest`: an acronym is one word."""
    name = _BRANDS.sub(lambda brand: brand[0].capitalize(), name)
    return "_".join(word.lower() for word in _WORDS.findall(name))


def pascal(name: str) -> str:
    """Return `OrderItem` for `order_item`."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


@lru_cache(maxsize=10_000)
def plural(word: str) -> str:
    """Return the English plural of a snake_case noun; a plural stays as it is.

    A noun without a plural gets the suffix `_list`: `sheep_list`.
    """
    head, separator, last = word.rpartition("_")
    return head + separator + _plural(last)


def _plural(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _UNCOUNTABLE:
        return f"{word}_list"
    if _is_plural(word):
        return word
    if found := _IRREGULAR_END.fullmatch(word):
        return found[1] + _IRREGULAR[found[2]]
    if word.endswith("man") and word not in _NOT_MEN:
        return word[:-2] + "en"
    if word.endswith("sis"):
        return word[:-2] + "es"
    if re.search(r"([sxz]|[cs]h)$", word):
        return word + "es"
    if re.search(r"([^aeiou]|qu)y$", word):
        return word[:-1] + "ies"
    return word + "s"


def _is_plural(word: str) -> bool:
    """Whether a word is a plural; a guess by English rules."""
    if word in _IRREGULAR or word in _UNCOUNTABLE:
        return False
    return word in _SINGULAR or bool(re.search(r"[^aiuos]s$", word))


def singular(word: str) -> str:
    """Return the singular of a snake_case plural; a guess by English rules."""
    head, separator, last = word.rpartition("_")
    if last == "list" and head:
        return head
    return head + separator + _singular(last)


def _singular(word: str) -> str:
    if word in _SINGULAR:
        return _SINGULAR[word]
    if word in _UNCOUNTABLE:
        return word
    if found := _PLURAL_END.fullmatch(word):
        return found[1] + _SINGULAR[found[2]]
    if word.endswith("men") and len(word) > 3:
        return word[:-2] + "an"
    if re.search(r"(gno|the|cri|oa|op|mpha)ses$", word):
        return word[:-2] + "is"
    if re.search(r"([^aeiou]|qu)ies$", word):
        return word[:-3] + "y"
    if re.search(r"(ss|x|zz|[cs]h|[^aeo]us|ias|nvas|tlas)es$", word):
        return word[:-2]
    if re.search(r"[^aius]s$", word):
        return word[:-1]
    return word


# Words that begin with the sound of a consonant, and with that of a vowel.
_A = re.compile(
    r"e[uw]|onc?e(?![a-z])|uni([^nmd]|mo|que)|u(?!buntu)[bcfhjkqrst][aeiou]|ubiq|util"
    r"|u(i|k|rl|ri|s|sb|sd|tc|tm|uid|ux|lid|v)?(?![a-z])"
)
_AN = re.compile(
    r"[aeiou]|h(our|eir|onest|onou?r)"
    # Acronyms that are spelled out: F, H, L, M, N, R, S and X begin with a vowel.
    r"|xray|mri(?![a-z])|[fhlmnrsx](?=[^aeiouy_ ]*(?![a-z]))|[fhlmnr](?![aeiouyhl])(?![lr][aeiouy])"
)


def with_article(words: str) -> str:
    """Return `a task`, `an order`, `an hour`, and `points`, by English rules."""
    if _is_plural(words.rpartition(" ")[2]):
        return words
    article = "an" if _AN.match(words) and not _A.match(words) else "a"
    return f"{article} {words}"


def json_key(name: str, *, camel: bool) -> str:
    """Return the key of a name in JSON: `dueAt` for `due_at` in camelCase."""
    if not camel:
        return name
    head, *words = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in words)


def attribute(name: str) -> str:
    """Return the Python attribute of a field or a relation."""
    return f"{name}_" if name in reserved_names.ATTRIBUTES else name


def module(snake_name: str) -> str:
    """Return the name of an entity's modules in repositories and services."""
    return f"{snake_name}_" if snake_name in reserved_names.MODULES else snake_name


def routes_module(plural_name: str) -> str:
    """Return the name of an entity's module in api/routes."""
    taken = plural_name in reserved_names.ROUTES_MODULES
    return f"{plural_name}_" if taken else plural_name


def tag(url: str) -> str:
    """Return the tag of an entity's routes in OpenAPI, unlike those of the service."""
    return f"{url}_" if url in reserved_names.TAGS else url


def variable(snake_name: str) -> str:
    """Return the name of a variable that hides no name of generated functions."""
    return f"{snake_name}_" if snake_name in reserved_names.VARIABLES else snake_name


def shorten(name: str) -> str:
    """Return a name of at most 63 bytes: a longer one is cut and gets a hash."""
    if name.isascii() and len(name) <= MAX_BYTES:
        return name
    encoded = name.encode()
    if len(encoded) <= MAX_BYTES:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    start = encoded[: MAX_BYTES - 9].decode(errors="ignore")
    return f"{start}_{digest}"


def table(entity: str) -> str:
    """Return the plural of an entity's name: its table, where none is given."""
    return shorten(plural(snake(entity)))


def table_key(table: str, schema: str | None) -> str:
    """Return what SQLAlchemy's metadata calls a table: `crm.accounts`, or `accounts`."""
    return f"{schema}.{table}" if schema else table


def split_key(key: str) -> tuple[str, str | None]:
    """Return the name and the schema of a table, None for the default one."""
    schema, _, table = key.rpartition(".")
    return table, schema or None


def key(name: str) -> str:
    """Return the column that refers to a row, by what it is called: `project_id`."""
    return shorten(f"{name}_id")


def association(table: str, relation: str) -> str:
    """Return the association table of a many-to-many relation: `posts_tags`."""
    return shorten(f"{table}_{relation}")


def constraint(kind: str, table: str, *columns: str) -> str:
    """Return the name of a constraint or index: kind is pk, fk, uq, ix or ck."""
    return shorten("_".join((kind, table, *columns)))
