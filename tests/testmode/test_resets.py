"""Resets of an account and of the server: what goes, what stays, and what others see of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.config import TEST_API_KEY_SECRET, TEST_API_KEY_SID
from parlour.testmode.reset import quiescence
from parlour.testmode.reset.table_classes import OF_SERVER, UNASSIGNED, read_classes
from tests.testmode.rest_server import RestAccount, RestServer, in_server

if TYPE_CHECKING:
    from pathlib import Path

RESET = "/parlour/v1/Reset"
# Tables that a reset of the account leaves with as many rows as a new account has.
STAYING = {"account", "login", "configuration", "service", "service_configuration", "role"}


async def fill(account: RestAccount, name: str = "one") -> dict[str, Any]:
    """Create something of most kinds; return the SIDs by kind."""
    conversation = await account.make(
        "/v1/Conversations", UniqueName=name, Timers__Inactive="PT10M"
    )
    path = f"/v1/Conversations/{conversation['sid']}"
    await account.make(f"{path}/Participants", Identity="alice")
    await account.make(
        f"{path}/Participants",
        MessagingBinding__Address=f"+1555010{len(name)}",
        MessagingBinding__ProxyAddress="+15550999",
    )
    await account.make(f"{path}/Messages", Author="alice", Body="hello")
    await account.make(
        f"{path}/Webhooks",
        Target="webhook",
        Configuration__Url="http://127.0.0.1:9/",
        Configuration__Filters="onMessageAdded",
    )
    service = await account.make("/v1/Services", FriendlyName="other")
    role = await account.make(
        "/v1/Roles", FriendlyName="own", Type="service", Permission="joinConversation"
    )
    await account.post(
        "/v1/Configuration/Webhooks", PostWebhookUrl="http://127.0.0.1:9/", Method="POST"
    )
    await account.post("/v1/Configuration", DefaultInactiveTimer="PT5M")
    return {"conversation": conversation["sid"], "service": service["sid"], "role": role["sid"]}


async def counts(server: RestServer, sid: str) -> dict[str, int]:
    """Return the number of an account's rows in each table of accounts."""
    tables = await server.app.store.exclusively(read_classes)  # type: ignore[attr-defined]
    found = {}
    for each in tables.of_accounts:
        sql = f"SELECT COUNT(*) FROM {each.quoted} WHERE {each.column} = '{sid}'"
        found[each.name] = (await server.rows(sql))[0][0]
    return {name: count for name, count in found.items() if count}


def test_each_table_is_in_one_class(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        tables = await server.app.store.exclusively(read_classes)  # type: ignore[attr-defined]
        rows = await server.rows(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        )
        classed = [each.name for each in tables.of_accounts]
        classed += [*tables.unassigned, *OF_SERVER]
        assert sorted(classed) == sorted(name for (name,) in rows)
        assert set(tables.unassigned) == UNASSIGNED
        assert {each.name for each in tables.of_accounts if not each.is_ordered} == {"event"}

    in_server(tmp_path, scene)


def test_a_table_without_a_class_is_an_error(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        store: Any = server.app.store
        await store.exclusively(lambda access: access.run("CREATE TABLE added (name TEXT)"))

        answer = await server.first().post(RESET)
        assert answer.status == 500
        await store.exclusively(lambda access: access.run("DROP TABLE added"))
        (await server.first().post(RESET)).expect(200)

    in_server(tmp_path, scene)


def test_a_reset_removes_everything_of_an_account_and_nothing_of_another(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        one, other = await server.new_account(), await server.new_account()
        fresh = await counts(server, one.login)
        assert fresh.keys() == STAYING | {"event"}
        await fill(one)
        sids = await fill(other)
        await settled(server)
        before = await counts(server, other.login)

        answer = (await one.post(RESET)).expect(200)

        assert (answer["scope"], answer["account_sid"]) == ("account", one.login)
        del fresh["event"]
        assert await counts(server, one.login) == fresh
        assert await counts(server, other.login) == before
        assert (await one.get("/v1/Conversations")).expect(200)["conversations"] == []
        configuration = (await one.get("/v1/Configuration")).expect(200)
        assert configuration["default_chat_service_sid"] == one.json["service_sid"]
        assert configuration["default_inactive_timer"] is None
        key = RestAccount(server, one.json["api_key_sid"], one.json["api_key_secret"])
        await key.make("/v1/Conversations", UniqueName="one")
        path = f"/v1/Conversations/{sids['conversation']}/Messages"
        assert len((await other.get(path)).expect(200)["messages"]) == 1

    in_server(tmp_path, scene)


def test_a_reset_of_the_only_account_leaves_the_same_rows(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        first = server.first()
        fresh = await counts(server, first.login)
        await fill(first)

        (await first.post(RESET)).expect(200)

        fresh.pop("event")
        assert await counts(server, first.login) == fresh

    in_server(tmp_path, scene)


def test_a_reset_of_the_server_leaves_the_account_of_the_start(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        first, other = server.first(), await server.new_account()
        fresh = await counts(server, first.login)
        service_sid = (await first.get("/v1/Configuration")).json["default_chat_service_sid"]
        await fill(first)
        await fill(other)
        key = await first.make(f"/2010-04-01/Accounts/{first.login}/Keys.json", FriendlyName="more")

        answer = (await first.post(RESET, Scope="server")).expect(200)

        assert (answer["scope"], answer["account_sid"]) == ("server", None)
        fresh.pop("event")
        assert await counts(server, first.login) == fresh
        assert await counts(server, other.login) == {}
        assert (await other.get("/v1/Conversations")).status == 401
        found = (await first.get("/v1/Configuration")).expect(200)
        assert found["default_chat_service_sid"] == service_sid
        assert (await RestAccount(server, key["sid"], key["secret"]).get("/v1/Users")).status == 401
        start_key = RestAccount(server, TEST_API_KEY_SID, TEST_API_KEY_SECRET)
        assert (await start_key.get("/v1/Users")).status == 200

    in_server(tmp_path, scene)


def test_an_api_key_resets_its_account_but_not_the_server(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        key = RestAccount(server, TEST_API_KEY_SID, TEST_API_KEY_SECRET)

        refused = await key.post(RESET, Scope="server")

        assert (refused.status, refused.json["code"]) == (403, 20403)
        assert (await key.post(RESET)).status == 200
        wrong = await key.post(RESET, Scope="everything")
        assert (wrong.status, wrong.json["code"]) == (400, 20001)

    in_server(tmp_path, scene)


def test_event_numbers_never_go_back(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        first = server.first()
        last = 0
        for scope in ("account", "server", "account", "server"):
            await fill(first)
            before = (await server.rows("SELECT max(sequence) FROM event"))[0][0]
            (await first.post(RESET, Scope=scope)).expect(200)
            numbers = await server.rows("SELECT sequence, account_sid, fires FROM event")
            assert before > last
            last = numbers[-1][0]
            # One event of no account, to show the number.
            assert numbers == [(last, "", 0)]
            assert last > before

    in_server(tmp_path, scene)


def test_sids_repeat_after_resets_with_the_same_seed(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        first = server.first()
        seen = []
        for scope in ("account", "server", "account"):
            (await first.post(RESET, Scope=scope, RandomSeed="5")).expect(200)
            seen.append(await fill(first))
            await first.make(f"/2010-04-01/Accounts/{first.login}/Keys.json", FriendlyName="more")
        assert seen[0]["conversation"] == seen[1]["conversation"] == seen[2]["conversation"]
        (await first.post(RESET)).expect(200)
        assert (await fill(first))["conversation"] != seen[0]["conversation"]

    in_server(tmp_path, scene)


def test_an_api_key_may_not_restart_the_randomness_of_all_accounts(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        key = RestAccount(server, TEST_API_KEY_SID, TEST_API_KEY_SECRET)

        refused = await key.post(RESET, RandomSeed="5")

        assert (refused.status, refused.json["code"]) == (403, 20403)
        (await key.post(RESET)).expect(200)

    in_server(tmp_path, scene)


def test_requests_during_a_reset_wait_for_it_and_see_the_result(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        first = server.first()
        await fill(first)
        held = []
        gate: Any = server.test_mode.resetter.quiescence._gate

        async def look() -> None:
            while gate._is_closed is None:  # noqa: ASYNC110 - until the reset has started.
                await asyncio.sleep(0)
            held.append(await first.make("/v1/Conversations", UniqueName="one"))

        await asyncio.gather(look(), first.post(RESET))

        found = (await first.get("/v1/Conversations")).expect(200)["conversations"]
        assert [each["sid"] for each in found] == [held[0]["sid"]]
        assert gate.waiting(None) == 0

    in_server(tmp_path, scene)


def test_a_list_that_waits_is_answered_by_a_reset(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        one, other = await server.new_account(), await server.new_account()
        path = "/parlour/v1/WebhookAttempts?Wait=30"
        mine, others = (asyncio.create_task(each.get(path)) for each in (one, other))
        while server.app.waiting_lists.count < 2:  # noqa: ASYNC110 - a count has no event.
            await asyncio.sleep(0)

        (await one.post(RESET)).expect(200)

        assert (await mine).expect(200)["complete"] is False
        assert not others.done()
        (await other.post(RESET)).expect(200)
        assert (await others).expect(200)["webhook_attempts"] == []

    in_server(tmp_path, scene)


def test_a_held_request_of_a_removed_account_is_refused(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        first, other = server.first(), await server.new_account()
        await other.get("/v1/Users")  # Its login is cached.
        gate: Any = server.test_mode.resetter.quiescence._gate

        async def look() -> int:
            while gate._is_closed is None:  # noqa: ASYNC110 - until the reset has started.
                await asyncio.sleep(0)
            return (await other.get("/v1/Users")).status

        status, answer = await asyncio.gather(look(), first.post(RESET, Scope="server"))
        assert (status, answer.status) == (401, 200)

    in_server(tmp_path, scene)


async def settled(server: RestServer) -> None:
    """Wait until the log is handled and nothing is in flight."""
    app = server.app
    async with asyncio.timeout(10):
        while True:
            last = (await server.rows("SELECT max(sequence) FROM event"))[0][0]
            is_handled = all(each.position >= last for each in app.dispatcher._runners)
            reports = await server.rows("SELECT sequence FROM virtual_phone_report")
            queued = await server.rows("SELECT sid FROM submission WHERE state = 'queued'")
            if is_handled and not reports and not queued:
                return
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("scope", ["account", "server"])
def test_concurrent_resets_do_not_wait_for_the_requests_of_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    monkeypatch.setattr(quiescence, "DRAIN_SECONDS", 60)

    async def scene(server: RestServer) -> None:
        resets = (server.first().post(RESET, Scope=scope) for _ in range(4))
        async with asyncio.timeout(20):
            answers = await asyncio.gather(*resets)
        assert [each.status for each in answers] == [200] * 4

    in_server(tmp_path, scene)
