"""Ids that are strings: their characters, and ids that match a pattern."""

import re
import string

from scaffold.patterns import examples

PATTERN = "^[A-Za-z0-9._~-]+$"
_CHARACTERS = re.compile(PATTERN[1:-1])
_ALPHABET = string.ascii_letters + string.digits + "-_.~"


def is_id(text: str) -> bool:
    """Whether a text can be an id: one segment of a URL that no client changes."""
    return bool(_CHARACTERS.fullmatch(text)) and text not in (".", "..")


def matching(pattern: str, most: int, count: int) -> list[str]:
    """Return up to `count` different ids of at most `most` characters that match."""
    return examples.matching(pattern, 1, most, count, alphabet=_ALPHABET, is_good=is_id)
