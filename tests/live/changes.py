"""Changes of entities.json that random lives have, besides those of evolution.py.

Every part has a number in its description, by which it is known whatever its name is.
"""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from scaffold.spec.loading import SpecError, parse

Document = dict[str, Any]


def items(document: Document) -> Iterator[Document]:
    for entity in document["entities"]:
        yield entity
        yield from entity["fields"]
        yield from entity["relations"]


def _pair(document: Document, random: Random) -> list[Document]:
    entity = random.choice(document["entities"])
    members = random.choice([entity["fields"], entity["relations"]])
    return random.sample(members, min(2, len(members)))


def exchange(document: Document, random: Random) -> None:
    pair = _pair(document, random)
    if len(pair) == 2:
        one, other = pair[0]["name"], pair[1]["name"]
        pair[0].update(name=other, renamed_from=one)
        pair[1].update(name=one, renamed_from=other)


def pass_on(document: Document, random: Random) -> None:
    pair = _pair(document, random)
    if len(pair) == 2:
        one, other = pair[0]["name"], pair[1]["name"]
        pair[0].update(name=other, renamed_from=one)
        pair[1].update(name=f"{other}_2", renamed_from=other)


def give_away(document: Document, random: Random) -> None:
    entity = random.choice(document["entities"])
    members = random.choice([entity["fields"], entity["relations"]])
    if len(members) > 1:
        gone, taker = random.sample(members, 2)
        members.remove(gone)
        taker.update(name=gone["name"], renamed_from=taker["name"])


def exchange_plurals(document: Document, random: Random) -> None:
    if len(document["entities"]) > 1:
        pair = random.sample(document["entities"], 2)
        spec = parse(json.dumps(document).encode())
        plurals = {entity.name: entity.plural for entity in spec.entities}
        for one, other in (pair, pair[::-1]):
            one["plural"] = plurals[other["name"]]


def to_many(document: Document, random: Random) -> None:
    relations = random.choice(document["entities"])["relations"]
    ones = [one for one in relations if one["type"].endswith("_one")]
    if ones:
        random.choice(ones)["type"] = "many_to_many"


CHANGES = (exchange, pass_on, give_away, exchange_plurals, to_many)


def merged(base: Document, ours: Document, theirs: Document) -> Document | None:
    """Return what both sides made of a document, None if together that is not legal."""
    found = {"entities": _merged(*(one["entities"] for one in (base, ours, theirs)))}
    try:
        parse(json.dumps(found).encode())
    except SpecError:
        return None
    return found


def has_all_new(document: Document, base: Document, *sides: Document) -> bool:
    """Whether it has every part that one of the sides has added or renamed."""
    known = {(part["description"], part["name"]) for part in items(base)}
    found = {part["description"] for part in items(document)}
    return all(
        (part["description"], part["name"]) in known or part["description"] in found
        for one in sides
        for part in items(one)
    )


def _merged(
    base: list[Document], ours: list[Document], theirs: list[Document]
) -> list[Document]:
    """Merge parts by their numbers; where both changed one, ours is taken."""
    before, left, right = (_numbered(parts) for parts in (base, ours, theirs))
    names = {part["name"] for part in ours}
    found = []
    for number in dict.fromkeys([*left, *right]):
        one, other, old = (side.get(number) for side in (left, right, before))
        if one and other:
            found.append(_merged_part(old or {}, one, other))
        elif not old and (one or (other and other["name"] not in names)):
            found.append(one or other or {})
    return found


def _merged_part(base: Document, ours: Document, theirs: Document) -> Document:
    lists = {
        key: _merged(base.get(key, []), ours[key], theirs[key])
        for key in ("fields", "relations")
        if key in ours
    }
    own = _plain(theirs if _plain(ours) == _plain(base) else ours)
    return {**own, **lists}


def _plain(part: Document) -> Document:
    return {k: v for k, v in part.items() if k not in ("fields", "relations")}


def _numbered(parts: list[Document]) -> dict[str, Document]:
    return {part["description"]: part for part in parts}
