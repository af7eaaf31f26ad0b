"""Conditional requests (RFC 9110, section 13): what clients know of a row's version."""

import re
from dataclasses import dataclass

from src.core.errors import (
    BadRequestError,
    PreconditionFailedError,
    PreconditionRequiredError,
)

_TAG = re.compile(r'(?P<weak>W/)?"(?P<opaque>[!#-~\x80-\xff]*)"')
_OURS = re.compile("([0-9]{1,19})-[0-9a-f]{16}")


@dataclass(frozen=True)
class Precondition:
    """The versions that a row may have for a request to change it; None means any."""

    versions: frozenset[int] | None = None
    is_missing: bool = False  # although the service requires one

    def check(self, version: int) -> None:
        """Raise an error unless the row may be changed; the caller has locked it."""
        if self.is_missing:
            raise PreconditionRequiredError()
        if self.versions is not None and version not in self.versions:
            raise PreconditionFailedError()


ANY_VERSION = Precondition()


def precondition_of(if_match: str | None, *, is_required: bool) -> Precondition:
    """Return the precondition of an If-Match header.

    A weak tag matches nothing (RFC 9110, section 13.1.1).
    """
    if if_match is None:
        return Precondition(is_missing=is_required)
    if if_match.strip() == "*":
        return ANY_VERSION
    found = (_OURS.fullmatch(tag) for tag, is_weak in _tags(if_match) if not is_weak)
    return Precondition(frozenset(int(one[1]) for one in found if one))


def is_known(if_none_match: str, entity_tag: str) -> bool:
    """Return whether an If-None-Match header has this entity tag, or any.

    The tag is empty if the response has none.
    """
    if if_none_match.strip() == "*":
        return entity_tag != ""
    return any(f'"{tag}"' == entity_tag for tag, _ in _tags(if_none_match))


def _tags(header: str) -> list[tuple[str, bool]]:
    """Return the tags in a header, each with whether it is weak."""
    tags = [*_TAG.finditer(header)]
    # Between commas is one tag or nothing; a tag may have commas itself.
    items = {item.strip(" \t") for item in _TAG.sub("\0", header).split(",")}
    if not tags or not items <= {"\0", ""}:
        raise BadRequestError('Write entity tags in double quotes, such as "5-0a1b"')
    return [(tag["opaque"], tag["weak"] is not None) for tag in tags]
