"""Snapshots of an account and of the server: equal rows, limits, and what a restore stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parlour.config import TEST_API_KEY_SECRET, TEST_API_KEY_SID
from parlour.testmode.reset.table_classes import read_classes
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from tests.events.webhook_backend import WebhookBackend, respond_with
from tests.testmode.rest_server import RestAccount, RestServer, in_server
from tests.testmode.test_resets import fill, settled

if TYPE_CHECKING:
    from pathlib import Path

SNAPSHOTS = "/parlour/v1/Snapshots"
MEDIA = b"a picture"


async def content(server: RestServer, sid: str | None = None) -> dict[str, list[Any]]:
    """Return the rows of an account, or of all, without the events of no account."""
    tables = await server.app.store.exclusively(read_classes)  # type: ignore[attr-defined]
    found = {}
    for each in tables.of_accounts:
        condition = f"= '{sid}'" if sid else "<> ''"
        sql = f"SELECT * FROM {each.quoted} WHERE {each.column} {condition} ORDER BY 1, 2"
        found[each.name] = await server.rows(sql)
    return {name: rows for name, rows in found.items() if rows}


@pytest.mark.parametrize("scope", ["account", "server"])
def test_a_restore_gives_equal_rows_and_leaves_other_accounts(tmp_path: Path, scope: str) -> None:
    async def scene(server: RestServer) -> None:
        first, other = server.first(), await server.new_account()
        await fill(first)
        await fill(other)
        await settled(server)
        owner = first.login if scope == "account" else None
        before = await content(server, owner)
        made = (await first.post(SNAPSHOTS, Name="one", Scope=scope)).expect(201)
        assert made["size_bytes"] > 10_000
        assert (made["scope"], made["account_sid"]) == (scope, owner)
        late = await server.new_account() if scope == "server" else None

        await fill(first, "second")
        await fill(other, "second")
        await settled(server)
        others = await content(server, other.login)
        (await first.post(f"{SNAPSHOTS}/one/Restore")).expect(200)

        after = await content(server, owner)
        assert after == before
        if scope == "account":
            assert await content(server, other.login) == others
        else:
            assert late is not None
            assert (await late.get("/v1/Users")).status == 401
        # Numbers of events continue, and the restored account works.
        await first.make("/v1/Conversations", UniqueName="three")
        newest = (await server.rows("SELECT max(sequence) FROM event"))[0][0]
        assert newest > max(row[0] for row in before["event"])

    in_server(tmp_path, scene)


def test_a_snapshot_is_restored_more_than_once(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        first = server.first()
        await fill(first)
        (await first.post(SNAPSHOTS, Name="one")).expect(201)
        for _ in range(3):
            await first.make("/v1/Conversations", UniqueName="two")
            (await first.post(f"{SNAPSHOTS}/one/Restore")).expect(200)
            found = (await first.get("/v1/Conversations")).expect(200)["conversations"]
            assert [each["unique_name"] for each in found] == ["one"]

    in_server(tmp_path, scene)


def test_snapshots_are_listed_deleted_and_removed_by_a_reset(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        first, other = server.first(), await server.new_account()
        for name in ("b", "a"):
            (await first.post(SNAPSHOTS, Name=name)).expect(201)
        (await other.post(SNAPSHOTS, Name="a")).expect(201)
        (await first.post(SNAPSHOTS, Name="all", Scope="server")).expect(201)

        async def names(account: RestAccount) -> list[str]:
            found = (await account.get(SNAPSHOTS)).expect(200)["snapshots"]
            return [each["name"] for each in found]

        assert await names(first) == ["b", "a", "all"]
        assert await names(other) == ["a", "all"]
        page = (await first.get(f"{SNAPSHOTS}?PageSize=2")).expect(200)
        assert [each["name"] for each in page["snapshots"]] == ["b", "a"]
        taken = await first.post(SNAPSHOTS, Name="all")
        assert (taken.status, taken.json["code"]) == (409, 20409)
        assert (await first.delete(f"{SNAPSHOTS}/b")).status == 204
        assert (await first.delete(f"{SNAPSHOTS}/b")).status == 404
        assert (await first.post(f"{SNAPSHOTS}/b/Restore")).status == 404
        (await first.post("/parlour/v1/Reset")).expect(200)
        assert await names(first) == ["all"]
        assert await names(other) == ["a", "all"]
        (await first.post("/parlour/v1/Reset", Scope="server")).expect(200)
        assert await names(first) == []
        tables = await server.app.store.exclusively(  # type: ignore[attr-defined]
            lambda access: access.run("SELECT name FROM snapshots.sqlite_master")
        )
        assert tables == []

    in_server(tmp_path, scene)


def test_names_and_rights_of_snapshots(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        first = server.first()
        key = RestAccount(server, TEST_API_KEY_SID, TEST_API_KEY_SECRET)
        for name in ("", "a/b", "ä", "x" * (limits.SNAPSHOT_NAME_CHARS_MAX + 1)):
            refused = await first.post(SNAPSHOTS, Name=name)
            assert (refused.status, refused.json["code"]) == (400, 20001), name
        refused = await key.post(SNAPSHOTS, Name="x", Scope="server")
        assert (refused.status, refused.json["code"]) == (403, 20403)
        (await first.post(SNAPSHOTS, Name="all", Scope="server")).expect(201)
        assert (await key.post(f"{SNAPSHOTS}/all/Restore")).status == 403
        assert (await key.delete(f"{SNAPSHOTS}/all")).status == 403
        (await key.post(SNAPSHOTS, Name="own")).expect(201)
        (await key.post(f"{SNAPSHOTS}/own/Restore")).expect(200)

    in_server(tmp_path, scene)


def test_there_is_room_for_16_snapshots_of_256_mebibytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(server: RestServer) -> None:
        first = server.first()
        (await first.post(SNAPSHOTS, Name="small")).expect(201)
        await fill(first)
        (await first.post(SNAPSHOTS, Name="large")).expect(201)
        for number in range(2, limits.SNAPSHOTS_MAX):
            (await first.post(SNAPSHOTS, Name=f"n{number}")).expect(201)
        refused = await first.post(SNAPSHOTS, Name="more")
        assert (refused.status, refused.json["code"]) == (409, 20409)
        assert "The largest is" in refused.json["message"]
        (await first.post("/parlour/v1/Reset")).expect(200)

        await fill(first)
        size = (await first.post(SNAPSHOTS, Name="large")).expect(201)["size_bytes"]
        monkeypatch.setattr(limits, "SNAPSHOT_BYTES_MAX", size + size // 2)
        refused = await first.post(SNAPSHOTS, Name="more")
        assert (refused.status, refused.json["code"]) == (409, 20409)
        assert "The largest is large (" in refused.json["message"]
        # The rows of the refused copy take no room.
        assert (await first.delete(f"{SNAPSHOTS}/large")).status == 204
        (await first.post(SNAPSHOTS, Name="more")).expect(201)

    in_server(tmp_path, scene)


def test_deliveries_that_waited_are_sent_and_events_are_not_sent_again(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        first = server.first()
        async with WebhookBackend() as backend:
            (
                await first.post(
                    "/v1/Configuration/Webhooks",
                    PostWebhookUrl=backend.url("/post"),
                    Method="POST",
                    Filters="onConversationAdded",
                )
            ).expect(200)
            await first.make("/v1/Conversations", UniqueName="sent")
            await settle(first)
            backend.responders["/post"] = respond_with(503)
            await first.make("/v1/Conversations", UniqueName="waits")
            await settle(first)
            (await first.post(SNAPSHOTS, Name="one")).expect(201)
            (await first.post("/parlour/v1/Clock", Mode="frozen")).expect(200)
            (await first.post(f"{SNAPSHOTS}/one/Restore")).expect(200)
            backend.responders.clear()
            del backend.requests[:]

            (await first.post("/parlour/v1/Clock/Advance", By="PT1H")).expect(200)

            found = [each.values["ConversationSid"] for each in backend.requests]
            waiting = (await first.get("/v1/Conversations/waits")).expect(200)["sid"]
            assert found == [waiting]

    in_server(tmp_path, scene)


async def settle(account: RestAccount) -> None:
    """Wait until nothing is in flight; a delivery may wait for its retry."""
    (await account.post("/parlour/v1/Settle")).expect(200)


def test_a_snapshot_of_the_server_has_the_clock_and_those_of_accounts_have_faults(
    tmp_path: Path,
) -> None:
    async def scene(server: RestServer) -> None:
        first, other = server.first(), await server.new_account()
        before = (await first.get("/parlour/v1/Emulation")).json["actions_per_second"]
        start = {"Mode": "frozen", "Now": "2030-01-05T09:00:00Z"}
        (await first.post("/parlour/v1/Clock", **start)).expect(200)
        await first.post("/parlour/v1/Emulation", ActionsPerSecond="30")
        await first.post("/parlour/v1/Faults", Target="request", Status="503")
        (await first.post(SNAPSHOTS, Name="own")).expect(201)
        (await first.post(SNAPSHOTS, Name="all", Scope="server")).expect(201)
        (await first.post("/parlour/v1/Clock/Advance", By="PT1H")).expect(200)

        async def state(account: RestAccount) -> tuple[Any, ...]:
            emulation = (await account.get("/parlour/v1/Emulation")).expect(200)
            faults = (await account.get("/parlour/v1/Faults")).expect(200)["faults"]
            clock = (await account.get("/parlour/v1/Clock")).expect(200)
            return emulation["actions_per_second"], len(faults), clock["now"][:16]

        assert await state(first) == (30, 1, "2030-01-05T10:00")
        (await first.post("/parlour/v1/Reset")).expect(200)
        assert await state(first) == (before, 0, "2030-01-05T10:00")
        (await first.post(f"{SNAPSHOTS}/all/Restore")).expect(200)
        assert await state(first) == (30, 1, "2030-01-05T09:00")
        assert await state(other) == (before, 0, "2030-01-05T09:00")
        (await first.post("/parlour/v1/Reset", Scope="server")).expect(200)
        assert (await first.get("/parlour/v1/Clock")).json["mode"] == "system"

    in_server(tmp_path, scene)


def test_numbers_of_creation_follow_the_clock_of_a_restored_snapshot(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        first = server.first()
        sequences = server.test_mode.handles.store.sequences
        (await first.post("/parlour/v1/Clock", Mode="frozen", Now="2030-01-05")).expect(200)
        (await first.post("/v1/Conversations")).expect(201)
        (await first.post(SNAPSHOTS, Name="all", Scope="server")).expect(201)
        last = sequences.last
        (await first.post("/parlour/v1/Clock/Advance", By="P1D")).expect(200)
        (await first.post("/v1/Conversations")).expect(201)
        assert sequences.last > last + 1_000_000
        (await first.post(f"{SNAPSHOTS}/all/Restore")).expect(200)
        (await first.post("/v1/Conversations")).expect(201)
        assert last < sequences.last < last + 100

    in_server(tmp_path, scene)


def test_a_restore_of_a_snapshot_that_was_removed_before_its_turn_returns_404(
    tmp_path: Path,
) -> None:
    """A restore waits for the end of a reset, which removes the snapshot."""

    async def scene(server: RestServer) -> None:
        first, library = server.first(), server.test_mode.snapshots
        (await first.post(SNAPSHOTS, Name="one")).expect(201)
        found = library.find(first.login, "one")
        (await first.post("/parlour/v1/Reset")).expect(200)
        await first.make("/v1/Conversations", UniqueName="after")

        with pytest.raises(ApiError) as refusal:
            await library.restore(found)

        assert (refusal.value.code, refusal.value.status) == (20404, 404)
        (await first.get("/v1/Conversations/after")).expect(200)

    in_server(tmp_path, scene)


@pytest.mark.parametrize("name", [".", "..", ".one"])
def test_a_name_that_clients_remove_from_paths_is_refused(tmp_path: Path, name: str) -> None:
    async def scene(server: RestServer) -> None:
        assert (await server.first().post(SNAPSHOTS, Name=name)).status == 400
        (await server.first().post(SNAPSHOTS, Name="one..")).expect(201)

    in_server(tmp_path, scene)
