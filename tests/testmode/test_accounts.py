"""Accounts that tests create and remove, and accounts that open at their first request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parlour.config import TEST_API_KEY_SECRET, TEST_API_KEY_SID
from tests.testmode.rest_server import RestAccount, RestServer, in_server
from tests.testmode.test_resets import counts, fill

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNTS = "/parlour/v1/Accounts"
SID = "AC" + "5" * 32


def test_a_new_account_works_at_once_with_each_of_its_credentials(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        made = (await server.first().post(ACCOUNTS, FriendlyName="one")).expect(201)

        key = RestAccount(server, made["api_key_sid"], made["api_key_secret"])
        token = RestAccount(server, made["sid"], made["auth_token"])
        for each in (key, token):
            found = (await each.get("/v1/Configuration")).expect(200)
            assert found["default_chat_service_sid"] == made["service_sid"]
        listed = (await server.first().get(ACCOUNTS)).expect(200)["accounts"]
        assert [each["friendly_name"] for each in listed] == ["Test account", "one"]
        fetched = (await token.get(f"{ACCOUNTS}/{made['sid']}")).expect(200)
        assert fetched == listed[1]
        assert "auth_token" not in fetched

    in_server(tmp_path, scene)


def test_sid_and_token_can_be_chosen_once(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        first = server.first()
        made = (await first.post(ACCOUNTS, Sid=SID, AuthToken="a token")).expect(201)
        assert (made["sid"], made["auth_token"]) == (SID, "a token")
        taken = await first.post(ACCOUNTS, Sid=SID)
        assert (taken.status, taken.json["code"]) == (409, 20409)
        wrong = await first.post(ACCOUNTS, Sid="AC1")
        assert (wrong.status, wrong.json["code"]) == (400, 20001)

    in_server(tmp_path, scene)


def test_a_removed_account_is_refused_at_once_and_its_rows_go(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        first = server.first()
        other = await server.new_account(Sid=SID, AuthToken="a token")
        await fill(other)

        assert (await first.delete(f"{ACCOUNTS}/{SID}")).status == 204

        assert (await other.get("/v1/Users")).status == 401
        assert (await first.get(f"{ACCOUNTS}/{SID}")).status == 404
        assert (await first.delete(f"{ACCOUNTS}/{SID}")).status == 404
        again = await server.new_account(Sid=SID, AuthToken="another")
        assert (await again.get("/v1/Conversations")).expect(200)["conversations"] == []
        assert set(await counts(server, SID)) >= {"account", "login", "role"}
        assert (await first.delete(f"{ACCOUNTS}/{SID}")).status == 204
        await server.test_mode.accounts.finish_removals()
        assert await counts(server, SID) == {}

    in_server(tmp_path, scene)


def test_the_clock_goes_back_right_after_the_last_account_with_data_was_removed(
    tmp_path: Path,
) -> None:
    async def scene(server: RestServer) -> None:
        first = server.first()
        await fill(await server.new_account(Sid=SID, AuthToken="a token"))
        past = {"Mode": "frozen", "Now": "2001-01-01T00:00:00Z"}
        assert (await first.post("/parlour/v1/Clock", **past)).status == 400

        assert (await first.delete(f"{ACCOUNTS}/{SID}")).status == 204

        (await first.post("/parlour/v1/Clock", **past)).expect(200)

    in_server(tmp_path, scene)


def test_an_api_key_may_not_create_accounts(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        key = RestAccount(server, TEST_API_KEY_SID, TEST_API_KEY_SECRET)
        for answer in (
            await key.post(ACCOUNTS),
            await key.get(ACCOUNTS),
            await key.delete(f"{ACCOUNTS}/{SID}"),
        ):
            assert (answer.status, answer.json["code"]) == (403, 20403)

    in_server(tmp_path, scene)


def test_an_unknown_account_opens_at_its_first_request_if_allowed(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        opened = RestAccount(server, SID, "any token")
        answers = await asyncio.gather(
            *(opened.make("/v1/Conversations", UniqueName=f"n{n}") for n in range(3))
        )
        assert len({each["account_sid"] for each in answers}) == 1
        assert (await RestAccount(server, SID, "another").get("/v1/Users")).status == 401
        for login in ("AC1", "SK" + "1" * 32, SID.replace("5", "A")):
            assert (await RestAccount(server, login, "x").get("/v1/Users")).status == 401
        assert (await server.first().delete(f"{ACCOUNTS}/{SID}")).status == 204
        found = (await RestAccount(server, SID, "another").get("/v1/Conversations")).expect(200)
        assert found["conversations"] == []

    in_server(tmp_path, scene, open_accounts=True)


def test_an_unknown_account_is_refused_otherwise(tmp_path: Path) -> None:
    async def scene(server: RestServer) -> None:
        assert (await RestAccount(server, SID, "any token").get("/v1/Users")).status == 401

    in_server(tmp_path, scene)


def test_a_new_account_has_a_sid_of_its_own_after_the_randomness_was_restarted(
    tmp_path: Path,
) -> None:
    async def scene(server: RestServer) -> None:
        first = server.first()
        (await first.post("/parlour/v1/Reset", Scope="server", RandomSeed="5")).expect(200)
        made = [await server.new_account() for _ in range(2)]
        (await made[1].post("/parlour/v1/Reset", RandomSeed="5")).expect(200)
        made.append(await server.new_account())
        assert len({each.login for each in made}) == 3

    in_server(tmp_path, scene)
