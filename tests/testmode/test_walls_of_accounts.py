"""Functions with the scope of an account: another account sees and changes none of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.resources.table import operations
from parlour.testmode.table import declared_operations
from tests.testmode.rest_server import RestServer, in_server
from tests.testmode.test_reset_under_load import listening, open_client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.testmode.rest_server import RestAccount

FUNCTIONS = "/parlour/v1"
OF_SERVER = {"FetchTestAccount", "DeleteTestAccount"}
"""These need the auth token of an account, and are of all accounts."""
COLLECTIONS = ("Connections", "Faults", "Requests", "Snapshots")


async def objects_of(account: RestAccount, port: int) -> dict[str, str]:
    """Create one object of each collection; return the last segments of their paths."""
    made = await account.make("/v1/Conversations", UniqueName="one")
    await account.make(f"/v1/Conversations/{made['sid']}/Participants", Identity="alice")
    await open_client(port, account, "alice", made["sid"])
    (await account.post(f"{FUNCTIONS}/Snapshots", Name="own")).expect(201)
    fault = {"Target": "request", "Operation": "DeleteRole", "Status": "500"}
    (await account.post(f"{FUNCTIONS}/Faults", **fault)).expect(201)
    found = {}
    for name in COLLECTIONS:
        rows = (await account.get(f"{FUNCTIONS}/{name}")).expect(200)[name.lower()]
        found[name] = rows[0].get("sid") or rows[0]["name"]
    return found


async def rows_of(account: RestAccount) -> list[object]:
    """Return what the lists show to an account, without the elapsed time."""
    lists = [(await account.get(f"{FUNCTIONS}/{name}")).expect(200) for name in COLLECTIONS]
    return [body[name.lower()] for name, body in zip(COLLECTIONS, lists, strict=True)]


def test_another_account_finds_none_of_the_objects(tmp_path: Path) -> None:
    with_variables = {
        each.operation_id: each
        for each in (*operations(), *declared_operations())
        if each.spec.on_server is not None and "{" in each.path and not each.for_operators
    }
    assert len(with_variables) >= len(COLLECTIONS) + len(OF_SERVER)

    async def scene(server: RestServer) -> None:
        owner, other = await server.new_account(), await server.new_account()
        async with listening(server) as port:
            names = await objects_of(owner, port)
            before = await rows_of(owner)
            assert await rows_of(other) == [[]] * len(COLLECTIONS)
            for operation_id in sorted(with_variables.keys() - OF_SERVER):
                operation = with_variables[operation_id]
                collection = operation.path.split("/")[3]
                path = operation.path.replace("{Sid}", names[collection])
                path = path.replace("{Name}", names[collection])
                assert "{" not in path
                refused = await other.send(operation.method, path, {})
                assert refused.status == 404, operation_id
                assert refused.json["code"] == 20404, operation_id
            assert (await other.delete(f"{FUNCTIONS}/Faults")).status == 204
            (await other.post(f"{FUNCTIONS}/Reset")).expect(200)
            assert await rows_of(owner) == before

    in_server(tmp_path, scene)
