"""Finds the tables and columns that entities.json gives a new name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scaffold.merging.entity_renames import find_former
from scaffold.spec import naming
from scaffold.spec.model import Entity, Field, Link, Reference, Spec

Member = Field | Reference


@dataclass(frozen=True)
class Candidate:
    """A table or column, and its former name, which may be the same.

    It is `recorded` if the specification of the last migration has the former name,
    and the new one does not have the same `renamed_from` that was there then.
    """

    label: str
    was: str
    name: str
    recorded: bool = False


class FormerNames:
    """Compares the specification with the one of the last migration.

    If there is no record of that, `old` is the new one under former names.
    """

    def __init__(self, old: Spec, new: Spec, *, has_record: bool) -> None:
        self.old = old
        self.new = new
        self.has_record = has_record

    def tables(self) -> Iterator[tuple[Candidate, list[Candidate]]]:
        """Yield each table, and those of its columns that may have a new name."""
        for entity in self.new.entities:
            former = find_former(self.old, entity)
            was = former.table_key if former else entity.table_key
            if former is None and entity.renamed_from and not entity.own_table:
                name = naming.table(entity.renamed_from)
                was = naming.table_key(name, entity.schema)
            recorded = self.has_record and former is not None
            table = Candidate(entity.name, was, entity.table_key, recorded)
            yield table, list(self._columns(entity, former))
            for link in entity.links:
                if link.owner:
                    yield self._link(entity, former, link)

    def _columns(self, entity: Entity, former: Entity | None) -> Iterator[Candidate]:
        yield from self._keys(entity, former)
        for field in entity.fields:
            fields = former.fields if former else ()
            was = self._former_name(field, fields, entity.fields)
            yield from self._column(entity, field, was, fields)
        for reference in entity.references:
            references = former.references if former else ()
            was = self._former_name(reference, references, entity.references)
            if was is None and former:
                was = self._implied(entity, former, reference)
                if was:
                    column = next(o.column for o in references if o.name == was)
                    label = f"{entity.name}.{reference.name}"
                    yield Candidate(label, column, reference.column, self.has_record)
                    continue
            yield from self._column(entity, reference, was, references)

    def _column(
        self, entity: Entity, member: Member, was: str | None, known: Sequence[Member]
    ) -> Iterator[Candidate]:
        """Yield the column of a field or reference, if its name may be another one."""
        label = f"{entity.name}.{member.name}"
        before = {one.name: one for one in known}
        if was is None:
            old = before.get(member.name)
            if old and old.column != member.column:
                yield Candidate(label, old.column, member.column, self.has_record)
            return
        members: list[Member] = [*entity.fields, *entity.references]
        is_made = self._is_made(member, before.get(member.name))
        # If another one takes its name now, the two exchange their names once more.
        is_taken = any(
            one.renamed_from == member.name
            and not self._is_made(one, before.get(one.name))
            for one in members
        )
        is_in_use = was in before and any(one.name == was for one in members)
        if is_in_use and is_made and not is_taken:
            return  # another one has that name by now
        usual = naming.key(was) if isinstance(member, Reference) else was
        column = usual
        if was in before:  # without a record, another one has that name by now
            here = member.own_column or usual
            column = before[was].column if self.has_record else here
        recorded = self._is_recorded(member, was, known)
        yield Candidate(label, column, member.column, recorded)

    def _is_made(self, member: Member, same: Member | None) -> bool:
        """Whether the last migration has renamed it already."""
        if same is None or not self.has_record:
            return False
        is_same = same.renamed_from == member.renamed_from
        return is_same and same.column == member.column

    def _keys(self, entity: Entity, former: Entity | None) -> Iterator[Candidate]:
        """Yield the columns of the id and of the times, if their names are new."""
        if former is None:
            return
        pairs = [("id", former.id.column, entity.id.column)]
        if former.timestamps and entity.timestamps:
            old, new = former.timestamps, entity.timestamps
            pairs += [
                ("created_at", old.created_at, new.created_at),
                ("updated_at", old.updated_at, new.updated_at),
            ]
        for name, was, now in pairs:
            if was != now:
                label = f"{entity.name}.{name}"
                yield Candidate(label, was, now, self.has_record)

    def _former_name(
        self, member: Member, known: Sequence[Member], members: Sequence[Member]
    ) -> str | None:
        """Return the former name, which another branch may have changed as well.

        If both have renamed the same one, the record has the other branch's name.
        """
        kept = {one.name for one in members}
        if member.renamed_from and self.has_record:
            for one in known:
                if one.renamed_from == member.renamed_from and one.name not in kept:
                    return one.name
        return member.renamed_from

    def _is_recorded(
        self, member: Member, was: str | None, known: Sequence[Member]
    ) -> bool:
        before = {one.name: one for one in known}
        same = before.get(member.name)
        is_new = same is None or same.renamed_from != member.renamed_from
        return self.has_record and is_new and was in before

    def _implied(
        self, entity: Entity, former: Entity, reference: Reference
    ) -> str | None:
        """Return the old name of a key that only the other side's one_to_many names."""
        known = {one.name for one in former.references}
        kept = {one.name for one in entity.references}
        target = find_former(self.old, self.new.entity(reference.target))
        if target is None or reference.name in known or reference.reverse is None:
            return None
        side = (target.name, reference.reverse)
        for one in former.references:
            if (one.target, one.reverse) == side and one.name not in kept:
                return one.name
        return None

    def _link(
        self, entity: Entity, former: Entity | None, link: Link
    ) -> tuple[Candidate, list[Candidate]]:
        label = f"{entity.name}.{link.name}"
        was = self._former_link(entity, former, link) if former else None
        if was is None:
            plural = former.plural if former else entity.plural
            name = link.table
            if link.renamed_from:
                name = naming.association(plural, link.renamed_from)
            name = naming.table_key(name, link.schema)
            return Candidate(label, name, link.table_key), []
        pairs = (
            (was.left_column, link.left_column),
            (was.right_column, link.right_column),
        )
        columns = [Candidate(label, *pair, self.has_record) for pair in pairs]
        table = Candidate(label, was.table_key, link.table_key, self.has_record)
        return table, columns

    def _former_link(self, entity: Entity, former: Entity, link: Link) -> Link | None:
        """Return the link as it was, seen from the side that owns it now."""
        found = self._same_link(former, link)
        if found:
            return found
        target = self.new.entity(link.target)
        other = find_former(self.old, target)
        back = next((one for one in target.links if one.name == link.reverse), None)
        found = self._same_link(other, back) if other and back else None
        if found is None or found.target != former.name:
            return None
        return replace(
            found,
            left_column=found.right_column,
            right_column=found.left_column,
        )

    def _same_link(self, former: Entity, link: Link) -> Link | None:
        links = {one.name: one for one in former.links}
        same = links.get(link.name)
        if same and same.renamed_from == link.renamed_from:
            return same if self.has_record else _under_former_name(former, same)
        return links.get(link.renamed_from or link.name, same)


def _under_former_name(former: Entity, link: Link) -> Link:
    """Return a link as it was called before, where no record tells."""
    if link.renamed_from is None:
        return link
    right = link.right_column
    if right == naming.key(
        naming.singular(link.name)
    ):  # a link of an entity with itself
        right = naming.key(naming.singular(link.renamed_from))
    table = naming.association(former.plural, link.renamed_from)
    return replace(link, table=table, right_column=right)
