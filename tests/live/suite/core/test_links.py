"""Many-to-many relations and their lists of ids, on two tables of the tests' own."""

import uuid
from collections.abc import AsyncIterator
from typing import ClassVar

import pydantic
import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from src.core.errors import ConflictError, ReferenceNotFoundError
from src.models.base import Changes, Entity, Schema
from src.models.types import Ids
from src.repositories import cursors
from src.repositories.base import Link, Repository
from src.repositories.sorting import sort_of

# Not the service's metadata: its migrations shall not know these tables. No table of
# an entity begins with an underscore.
METADATA = sa.MetaData()

CREWS = sa.Table(
    "_crews",
    METADATA,
    sa.Column("plane_id", sa.ForeignKey("_planes.id"), primary_key=True),
    sa.Column("pilot_id", sa.ForeignKey("_pilots.id"), primary_key=True),
)
TWINS = sa.Table(
    "_twins",
    METADATA,
    sa.Column("plane_id", sa.ForeignKey("_planes.id"), primary_key=True),
    sa.Column("twin_id", sa.ForeignKey("_planes.id"), primary_key=True),
)


class Plane(Entity):
    """What has a crew."""

    metadata = METADATA
    __tablename__ = "_planes"
    __resource__ = "plane"
    __linked__ = ("crew", "twins")

    crew: orm.Mapped[list["Pilot"]] = orm.relationship(
        secondary=CREWS, lazy="raise", back_populates="planes"
    )
    twins: orm.Mapped[list["Plane"]] = orm.relationship(
        secondary=TWINS,
        primaryjoin="Plane.id == _twins.c.plane_id",
        secondaryjoin="Plane.id == _twins.c.twin_id",
        lazy="raise",
    )

    @property
    def crew_ids(self) -> list[uuid.UUID]:
        """The ids of the crew, in order."""
        return sorted(pilot.id for pilot in self.crew)

    @property
    def twin_ids(self) -> list[uuid.UUID]:
        """The ids of planes of the same kind, in order."""
        return sorted(plane.id for plane in self.twins)


class Pilot(Entity):
    """What makes up crews."""

    metadata = METADATA
    __tablename__ = "_pilots"
    __resource__ = "pilot"

    planes: orm.Mapped[list[Plane]] = orm.relationship(
        secondary=CREWS, lazy="raise", back_populates="crew"
    )


class PlaneCreate(Schema):
    """A new plane."""

    crew_ids: Ids = pydantic.Field(default_factory=list)
    twin_ids: Ids = pydantic.Field(default_factory=list)


class PlaneUpdate(Changes):
    """Changes of a plane."""

    crew_ids: Ids = pydantic.Field(default_factory=list)
    twin_ids: Ids = pydantic.Field(default_factory=list)


class Planes(Repository[Plane]):
    """Stores planes."""

    entity = Plane
    links: ClassVar = {
        "crew": Link(CREWS, "plane_id", "pilot_id", "crew_ids"),
        "twins": Link(TWINS, "plane_id", "twin_id", "twin_ids"),
    }


class Pilots(Repository[Pilot]):
    """Stores pilots."""

    entity = Pilot
    links: ClassVar = {"planes": Link(CREWS, "pilot_id", "plane_id")}
    memberships: ClassVar = {"plane_crew": Link(CREWS, "pilot_id", "plane_id")}


@pytest.fixture
async def planes(connection: AsyncConnection) -> AsyncIterator[Planes]:
    """The repository of planes, whose tables are gone after the test."""
    await connection.run_sync(METADATA.create_all)
    async with AsyncSession(connection, expire_on_commit=False) as session:
        yield Planes(session)


@pytest.fixture
def pilots(planes: Planes) -> Pilots:
    """The repository of pilots."""
    return Pilots(planes.db)


@pytest.fixture
async def ids(pilots: Pilots) -> list[uuid.UUID]:
    """The ids of three pilots, in order."""
    return sorted([(await pilots.create(Schema())).id for _ in range(3)])


async def test_every_row_has_the_ids_of_its_links(
    planes: Planes, ids: list[uuid.UUID]
) -> None:
    full = await planes.create(PlaneCreate(crew_ids=ids[::-1]))
    empty = await planes.create(PlaneCreate())
    assert (full.crew_ids, empty.crew_ids) == (ids, [])
    planes.db.expunge_all()
    found = await planes.get(full.id)
    assert found is not None
    assert found.crew_ids == ids
    assert {len(row.crew_ids) for row in await planes.list()} == {3, 0}
    planes.db.expunge_all()
    narrowed = await planes.find({"id": full.id})
    assert narrowed is not None
    assert narrowed.crew_ids == ids


async def test_update_links_with_exactly_the_given_ids(
    planes: Planes, ids: list[uuid.UUID]
) -> None:
    plane = await planes.create(PlaneCreate(crew_ids=ids[:2]))
    for wanted in (ids[1:], [], ids):
        planes.db.expunge_all()
        changed = await planes.update(plane.id, PlaneUpdate(crew_ids=wanted))
        assert changed is not None
        assert changed.crew_ids == wanted
    same = await planes.update(plane.id, PlaneUpdate())
    assert same is not None
    assert same.crew_ids == ids
    replaced = await planes.replace(plane.id, PlaneCreate())
    assert replaced is not None
    assert replaced.crew_ids == []
    assert await planes.update(uuid.uuid4(), PlaneUpdate(crew_ids=ids)) is None


async def test_a_row_that_is_linked_with_itself_can_be_changed(
    planes: Planes, ids: list[uuid.UUID]
) -> None:
    plane = await planes.create(PlaneCreate(crew_ids=ids[:1]))
    await planes.link("twins", plane.id, plane.id)
    planes.db.expunge_all()
    for wanted in (ids[1:], ids):  # the second time, the row is known
        changed = await planes.update(plane.id, PlaneUpdate(crew_ids=wanted))
        assert changed is not None
        assert changed.crew_ids == wanted
        assert changed.twin_ids == [plane.id]
    replaced = await planes.replace(plane.id, PlaneCreate(crew_ids=ids[:1]))
    assert replaced is not None
    assert (replaced.crew_ids, replaced.twin_ids) == (ids[:1], [])


async def test_link_and_unlink_are_idempotent(
    planes: Planes, pilots: Pilots, ids: list[uuid.UUID]
) -> None:
    plane = await planes.create(PlaneCreate())
    for _ in range(2):
        await planes.link("crew", plane.id, ids[0])
    await pilots.link("planes", ids[1], plane.id)
    where = {"plane_crew": plane.id}
    found = await pilots.list(where=where)
    assert {pilot.id for pilot in found} == set(ids[:2])
    assert await pilots.count(where) == 2
    first = cursors.encode(found[0], sort_of(Pilot), where)
    rest = await pilots.list(after=first, where=where)
    assert [pilot.id for pilot in rest] == [found[1].id]
    for _ in range(2):
        await planes.unlink("crew", plane.id, ids[0])
    assert await pilots.count(where) == 1


@pytest.mark.parametrize("far", [False, True])
async def test_a_list_of_ids_has_its_limit_on_both_sides_of_a_link(
    planes: Planes,
    pilots: Pilots,
    ids: list[uuid.UUID],
    monkeypatch: pytest.MonkeyPatch,
    far: bool,
) -> None:
    """A plane that GET shows can be sent back: its list is never too long."""
    monkeypatch.setattr("src.repositories.base.MAX_LINKS", 2)
    plane = await planes.create(PlaneCreate(crew_ids=ids[:2]))
    for linked in ids[:2]:  # they are linked already
        await planes.link("crew", plane.id, linked)
        await pilots.link("planes", linked, plane.id)
    one_more = (
        pilots.link("planes", ids[2], plane.id)
        if far
        else planes.link("crew", plane.id, ids[2])
    )
    with pytest.raises(ConflictError, match="at most 2 ids"):
        await one_more
    other = await planes.create(PlaneCreate())
    await pilots.link("planes", ids[0], other.id)  # pilots have no list of ids


async def test_a_link_needs_both_rows(planes: Planes, ids: list[uuid.UUID]) -> None:
    unknown = uuid.uuid4()
    with pytest.raises(ReferenceNotFoundError) as caught:
        await planes.create(PlaneCreate(crew_ids=[*ids, unknown]))
    assert caught.value.extensions == {"fields": ["crew_ids"]}
    plane = await planes.create(PlaneCreate())
    with pytest.raises(ReferenceNotFoundError):
        await planes.link("crew", plane.id, unknown)
