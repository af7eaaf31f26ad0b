"""Resolves relations to references, reverses and links, and checks both sides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scaffold.spec import naming
from scaffold.spec.drafts import Draft, EntityDraft
from scaffold.spec.model import Link, Reference, Reverse
from scaffold.spec.problems import Problems, Suggestion, listing, quote
from scaffold.spec.vocabulary import keys, reserved_names

Member = Reference | Reverse | Link
_OTHER = {
    "many_to_one": "one_to_many",
    "one_to_many": "many_to_one",
    "one_to_one": "one_to_one",
    "many_to_many": "many_to_many",
}


@dataclass(frozen=True)
class Side:
    """A declared relation of an entity; `order` is its position in the file."""

    entity: EntityDraft
    draft: Draft
    order: int

    @property
    def name(self) -> str:
        return self.draft.name

    @property
    def kind(self) -> str:
        return self.draft.text("type") or ""

    @property
    def target(self) -> str:
        return self.draft.text("target") or ""

    @property
    def back(self) -> str | None:
        return self.draft.text("back_populates")

    @property
    def description(self) -> str:
        return self.draft.text("description") or ""

    @property
    def label(self) -> str:
        return f"{self.entity.name}.{self.name}"

    @property
    def owning(self) -> list[str]:
        """The keys that it has and only the side with the column can have."""
        written = [key for key in keys.ONLY_TO_ONE if key in self.draft.node]
        if not self.draft.flag("required") and "required" in written:
            written.remove("required")
        return written

    @property
    def owns(self) -> bool:
        return bool(self.owning)


@dataclass(frozen=True)
class Placed:
    """A side of a relation on an entity, and the declaration that it comes from."""

    member: Member
    origin: Side
    declared: bool


@dataclass
class Resolved:
    """All sides on one entity: its own declarations, then those that others imply."""

    own: list[Placed] = field(default_factory=list)
    implied: list[Placed] = field(default_factory=list)

    @property
    def placed(self) -> list[Placed]:
        return self.own + self.implied


class Resolver:
    """Pairs the two sides of relations, and checks that they agree."""

    def __init__(
        self,
        entities: Mapping[str, EntityDraft],
        names: Sequence[str],
        problems: Problems,
    ) -> None:
        self.entities = entities
        self.names = names
        self.problems = problems
        self.resolved = {name: Resolved() for name in entities}
        self.sides: dict[tuple[str, str], Side] = {}
        self.claims: dict[tuple[str, str], list[Side]] = {}
        # Tables share one namespace with indexes, such as those of primary keys.
        self.tables = set(reserved_names.TABLES)
        for entity in entities.values():
            table = entity.table
            self.tables |= {table, naming.constraint("pk", table)}
        self.associations: dict[int, str] = {}

    def run(self) -> dict[str, Resolved]:
        self._collect()
        for side in self.sides.values():
            self._check_deletion(side)
            if self._agrees(side):
                self._place(side, self._mate(side))
        return self.resolved

    def _collect(self) -> None:
        order = 0
        known = frozenset(self.names)
        for entity in self.entities.values():
            for draft in entity.relations:
                target = draft.text("target")
                if target is not None and target not in known:
                    self._unknown_target(draft, target)
                elif not draft.bad and target in self.entities:
                    self._declare(Side(entity, draft, order))
                    order += 1
        for side in self.sides.values():
            if side.back is not None:
                self.claims.setdefault((side.target, side.back), []).append(side)

    def _declare(self, side: Side) -> None:
        if self.sides.setdefault((side.entity.name, side.name), side) is not side:
            message = f"duplicate relation {quote(side.name)}; remove or rename it"
            self.problems.rule(side.draft.at("name"), side.label, message)

    def _unknown_target(self, draft: Draft, target: str) -> None:
        known = tuple(self.entities)
        otherwise = "add it to entities"
        if 0 < len(known) <= 10:
            otherwise += f", or use one of {', '.join(known)}"
        self.problems.shape(
            draft.at("target"),
            f"{draft.path}.target",
            f"unknown entity {quote(target)}",
            Suggestion(target, known, otherwise),
        )

    def _check_deletion(self, side: Side) -> None:
        if side.draft.flag("required") and side.draft.text("on_delete") == "set_null":
            self.problems.rule(
                side.draft.at("on_delete"),
                side.label,
                "on_delete set_null contradicts required: the column cannot be null; "
                "use cascade or restrict",
            )

    def _mate(self, side: Side) -> Side | None:
        """Return the declaration of the other side, if there is one."""
        if side.back is not None:
            return self.sides.get((side.target, side.back))
        claims = self.claims.get((side.entity.name, side.name))
        return claims[0] if claims else None

    def _agrees(self, side: Side) -> bool:
        if side.back is None:
            return True
        if (side.target, side.back) == (side.entity.name, side.name):
            return self._refuse(
                side,
                "this is the relation itself; use another name for the reverse side",
            )
        first = self.claims[side.target, side.back][0]
        if first is not side:
            reverse = f"{side.target}.{side.back}"
            message = f"{reverse} is already the reverse side of {first.label}"
            return self._refuse(side, message)
        mate = self._mate(side)
        return mate is None or self._match(side, mate)

    def _match(self, side: Side, mate: Side) -> bool:
        # Where both sides name each other, only the first one reports.
        reported = mate.back == side.name and mate.order < side.order
        if mate.target != side.entity.name:
            target = f"{mate.label} has the target {mate.target}"
            return self._refuse(side, f"{target}, not {side.entity.name}")
        if mate.back not in (None, side.name):
            back = f"{mate.label} has back_populates {quote(mate.back)}"
            return self._refuse(side, f"{back}, not {quote(side.name)}")
        if mate.kind != _OTHER[side.kind]:
            return reported or self._refuse(
                side,
                f"{mate.label} is {mate.kind}; the reverse side of {side.kind} must be "
                f"{_OTHER[side.kind]}",
            )
        if side.owns and mate.owns:
            return reported or self._refuse(
                side,
                f"{mate.label} has {listing(mate.owning)} too; remove such keys on the "
                "side without the column",
            )
        return True

    def _refuse(self, side: Side, why: str) -> bool:
        at = side.draft.at("back_populates")
        message = f"back_populates {quote(side.back)}: {why}"
        self.problems.rule(at, side.label, message)
        return False

    def _place(self, side: Side, mate: Side | None) -> None:
        if side.kind == "many_to_many":
            self._place_link(side, mate)
        elif side.kind == "one_to_many":
            if mate is None:
                self._add(side.target, _implied_reference(side), side, False)
            reference = mate.name if mate else side.back or ""
            self._add(side.entity.name, _reverse(side, reference), side, True)
        elif mate and side.kind == "one_to_one" and _owner(side, mate) is mate:
            self._add(side.entity.name, _reverse(side, mate.name), side, True)
        else:
            reverse = mate.name if mate else side.back
            self._add(side.entity.name, _reference(side, reverse), side, True)
            if mate is None and side.back:
                self._add(side.target, _implied_reverse(side), side, False)

    def _place_link(self, side: Side, mate: Side | None) -> None:
        if mate is not None and mate.order < side.order:
            table, right, left = self._association(mate)
        else:
            table, left, right = self._association(side)
        owner = mate is None or side.order < mate.order
        link = Link(
            name=side.name,
            target=side.target,
            owner=owner,
            reverse=mate.name if mate else side.back,
            table=table,
            left_column=left,
            right_column=right,
            description=side.description,
            renamed_from=side.draft.text("renamed_from"),
            in_full=_shares_singular(side),
            camel=side.entity.camel,
            schema=(side if owner else mate or side).entity.schema,
        )
        self._add(side.entity.name, link, side, True)
        if mate is None and side.back:
            back = Link(
                name=side.back,
                target=side.entity.name,
                owner=False,
                reverse=side.name,
                table=table,
                left_column=right,
                right_column=left,
                schema=link.schema,
            )
            self._add(side.target, back, side, False)

    def _association(self, owner: Side) -> tuple[str, str, str]:
        """Return the table and its two columns, the owner's first."""
        left = naming.key(naming.snake(owner.entity.name))
        right = naming.key(naming.snake(owner.target))
        if left == right:
            right = naming.key(naming.singular(owner.name))
        if left == right:
            right = naming.key(f"related_{naming.snake(owner.target)}")
        return self._table(owner), left, right

    def _table(self, owner: Side) -> str:
        """Return the name of an association table, which no other table has."""
        if owner.order not in self.associations:
            first = owner.entity.plural
            name = naming.association(first, owner.name)
            while {name, naming.constraint("pk", name)} & self.tables:
                first += "_"
                name = naming.association(first, owner.name)
            self.tables |= {name, naming.constraint("pk", name)}
            self.associations[owner.order] = name
        return self.associations[owner.order]

    def _add(self, entity: str, member: Member, origin: Side, declared: bool) -> None:
        resolved = self.resolved[entity]
        places = resolved.own if declared else resolved.implied
        places.append(Placed(member, origin, declared))


def _shares_singular(side: Side) -> bool:
    """Whether another many_to_many of the entity has the same singular."""
    links = [d for d in side.entity.relations if d.text("type") == "many_to_many"]
    names = [naming.singular(draft.name) for draft in links]
    return names.count(naming.singular(side.name)) > 1


def _owner(side: Side, mate: Side) -> Side:
    """Return the side of a one_to_one that has the column.

    It is the side with keys of the column, or else the first one in the file.
    """
    first, second = sorted((side, mate), key=lambda one: one.order)
    return second if second.owns and not first.owns else first


def _reference(side: Side, reverse: str | None) -> Reference:
    required = side.draft.flag("required")
    default = "restrict" if required else "set_null"
    return Reference(
        name=side.name,
        kind=side.kind,
        target=side.target,
        required=required,
        on_delete=side.draft.text("on_delete") or default,
        reverse=reverse,
        description=side.description,
        renamed_from=side.draft.text("renamed_from"),
        index=side.draft.values.get("index") is not False,
        filter=side.draft.optional_flag("filter"),
        sort=side.draft.optional_flag("sort"),
        own_column=side.draft.text("column"),
        own_json=side.draft.text("json"),
        camel=side.entity.camel,
    )


def _implied_reference(side: Side) -> Reference:
    return Reference(
        name=side.back or "",
        kind="many_to_one",
        target=side.entity.name,
        reverse=side.name,
        camel=side.entity.camel,
    )


def _reverse(side: Side, reference: str) -> Reverse:
    kind = "one" if side.kind == "one_to_one" else "many"
    return Reverse(side.name, kind, side.target, reference, side.description)


def _implied_reverse(side: Side) -> Reverse:
    kind = "one" if side.kind == "one_to_one" else "many"
    return Reverse(side.back or "", kind, side.entity.name, side.name)
