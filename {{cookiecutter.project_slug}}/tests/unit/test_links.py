"""Many-to-many relations and their lists of ids, on two tables of the tests' own."""

import uuid
from typing import ClassVar

import pydantic
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from src.core.errors import ReferenceNotFoundError
from src.models._base import Changes, Entity, LinkedIds, Schema
from src.models._types import Ids
from src.repositories._base import Link, Repository
from src.repositories._paging import Cursor

# Not the service's metadata: its migrations shall not know these tables. No table of
# an entity begins with an underscore.
METADATA = sa.MetaData()


class Plane(Entity):
    """What has a crew."""

    metadata = METADATA
    __tablename__ = "_planes"
    __resource__ = "plane"

    crew_ids = LinkedIds()


class Pilot(Entity):
    """What makes up crews."""

    metadata = METADATA
    __tablename__ = "_pilots"
    __resource__ = "pilot"


CREWS = sa.Table(
    "_crews",
    METADATA,
    sa.Column("plane_id", sa.ForeignKey("_planes.id"), primary_key=True),
    sa.Column("pilot_id", sa.ForeignKey("_pilots.id"), primary_key=True),
)


class Planned(Schema):
    """A new plane."""

    crew_ids: Ids = pydantic.Field(default_factory=list)


class Replanned(Changes):
    """Changes of a plane."""

    crew_ids: Ids = pydantic.Field(default_factory=list)


class Planes(Repository[Plane]):
    """Stores planes."""

    entity = Plane
    links: ClassVar = {"crew": Link(CREWS, "plane_id", "pilot_id", "crew_ids")}


class Pilots(Repository[Pilot]):
    """Stores pilots."""

    entity = Pilot
    links: ClassVar = {"planes": Link(CREWS, "pilot_id", "plane_id")}
    memberships: ClassVar = {"plane_crew": Link(CREWS, "pilot_id", "plane_id")}


@pytest.fixture
async def planes(connection: AsyncConnection, db_session: AsyncSession) -> Planes:
    """The repository of planes, over tables that go with the test."""
    await connection.run_sync(METADATA.create_all)
    return Planes(db_session)


@pytest.fixture
async def pilots(planes: Planes) -> Pilots:
    """The repository of pilots."""
    return Pilots(planes.db)


@pytest.fixture
async def ids(pilots: Pilots) -> list[uuid.UUID]:
    """The ids of three pilots, in the order in which lists of ids are."""
    return sorted([(await pilots.create(Schema())).id for _ in range(3)])


async def test_ids_come_with_every_row(planes: Planes, ids: list[uuid.UUID]) -> None:
    full = await planes.create(Planned(crew_ids=ids[::-1]))
    empty = await planes.create(Planned())
    assert (full.crew_ids, empty.crew_ids) == (ids, [])
    planes.db.expunge_all()
    found = await planes.get(full.id)
    assert found is not None
    assert found.crew_ids == ids
    assert {len(row.crew_ids) for row in await planes.list()} == {3, 0}
    assert await planes.find({"id": uuid.uuid4()}) is None
    narrowed = await planes.find({"id": full.id})
    assert narrowed is not None
    assert narrowed.crew_ids == ids


async def test_update_links_with_exactly_these(
    planes: Planes, ids: list[uuid.UUID]
) -> None:
    plane = await planes.create(Planned(crew_ids=ids[:2]))
    for wanted in (ids[1:], [], ids):
        changed = await planes.update(plane.id, Replanned(crew_ids=wanted))
        assert changed is not None
        assert changed.crew_ids == wanted
    same = await planes.update(plane.id, Replanned())
    assert same is not None
    assert same.crew_ids == ids
    replaced = await planes.replace(plane.id, Planned())
    assert replaced is not None
    assert replaced.crew_ids == []
    assert await planes.update(uuid.uuid4(), Replanned(crew_ids=ids)) is None


async def test_link_and_unlink_are_idempotent(
    planes: Planes, pilots: Pilots, ids: list[uuid.UUID]
) -> None:
    plane = await planes.create(Planned())
    for _ in range(2):
        await planes.link("crew", plane.id, ids[0])
    await pilots.link("planes", ids[1], plane.id)
    found = await pilots.list(where={"plane_crew": plane.id})
    assert {pilot.id for pilot in found} == set(ids[:2])
    assert await pilots.count({"plane_crew": plane.id}) == 2
    first = Cursor.of(found[0])
    rest = await pilots.list(after=first, where={"plane_crew": plane.id})
    assert [pilot.id for pilot in rest] == [found[1].id]
    for _ in range(2):
        await planes.unlink("crew", plane.id, ids[0])
    assert await pilots.count({"plane_crew": plane.id}) == 1


async def test_a_link_needs_both_ends(planes: Planes, ids: list[uuid.UUID]) -> None:
    with pytest.raises(ReferenceNotFoundError):
        await planes.create(Planned(crew_ids=[*ids, uuid.uuid4()]))


def test_ids_that_were_not_loaded_are_no_empty_list() -> None:
    plane = Plane(id=uuid.uuid4())
    with pytest.raises(AttributeError, match="crew_ids is not loaded"):
        _ = plane.crew_ids
    assert isinstance(Plane.crew_ids, LinkedIds)
