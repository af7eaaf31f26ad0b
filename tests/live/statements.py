"""What requests of a new project send: no statement more than their work needs.

It is run within the project, which has no such test of its own: rules send more.
"""

import httpx2
from tests.answers import says
from tests.integration.test_statements import Wire, client, wire
from tests.support import Case
from tests.tables import each_case

from src.core.database import transaction

SOME = 3
__all__ = ["client", "wire"]  # fixtures


@each_case
async def test_each_request_sends_what_it_needs(
    case: Case, client: httpx2.AsyncClient, wire: Wire
) -> None:
    async with transaction() as session:
        bodies = [await case.factory.request(session) for _ in range(case.rows(SOME))]
    # The ids of linked rows come by one more statement, for any number of rows.
    links = ["SELECT" for link in case.links if link.key]
    for body in bodies:
        async with wire.noted():
            created = says(await client.post(case.url, json=body), 201)
        # An INSERT that is alone commits itself.
        around = ["BEGIN", "COMMIT"] if case.repository.links else []
        assert sorted(wire.sent) == sorted([*around, "INSERT", *links])
    one = f"{case.url}/{created['id']}"
    assert says(await client.get(one), 200) == created
    for method in ("PUT", "PATCH"):
        async with wire.noted():
            changed = says(await client.request(method, one, json=body), 200)
        # What is not sent, a PATCH leaves as it is.
        unlinked = [] if method == "PATCH" else ["DELETE" for _ in links]
        assert sorted(wire.sent) == ["BEGIN", "COMMIT", *unlinked, *links, "UPDATE"]
        assert changed == {**created, "updated_at": changed["updated_at"]}
    for path, expected in {
        one: ["SELECT", *links],
        f"{case.url}?total=false": ["SELECT", *links],
        case.url: ["SELECT", *links, "SELECT"],
    }.items():
        async with wire.noted():
            says(await client.get(path), 200)
        assert wire.sent == expected, path
    async with wire.noted():
        says(await client.delete(one), 204)
    assert sorted(wire.sent) == ["BEGIN", "COMMIT", "DELETE"]
