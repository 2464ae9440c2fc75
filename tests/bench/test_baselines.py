"""The baselines do the work they claim: a shortcut there would invalidate every ratio."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from bench import servers, workload
from bench.api_client import Credentials, KeepAliveApi
from bench.workload import Names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.processes import Process

CONVERSATION_SID = "CH" + "0" * 31 + "1"
SID = "MB" + "0" * 31 + "1"
ROLE_SID = "RL" + "0" * 31 + "1"
PATH = f"/v1/Conversations/{CONVERSATION_SID}/Participants/{SID}"
NAMES = Names([CONVERSATION_SID], [(CONVERSATION_SID, SID)], {CONVERSATION_SID: ["a"]}, ROLE_SID)


@pytest.fixture(scope="module")
def credentials() -> Credentials:
    return servers.make_credentials()


@pytest.fixture(scope="module", params=["handler", "one_transaction"])
def running(
    request: pytest.FixtureRequest,
    credentials: Credentials,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Process]:
    make = {"handler": servers.handler, "one_transaction": servers.one_transaction}[request.param]
    with make(tmp_path_factory.mktemp("baseline"), credentials) as process:
        process.start()
        yield process


@pytest.fixture
def api(running: Process, credentials: Credentials) -> Iterator[KeepAliveApi]:
    with KeepAliveApi(running.port, credentials) as client:
        yield client


def test_response_is_the_participant_of_the_form(
    api: KeepAliveApi, credentials: Credentials
) -> None:
    request = workload.update_participant(credentials, NAMES).requests[0]
    status, body = api.raw("POST", PATH, request.partition(b"\r\n\r\n")[2].decode())

    shown = json.loads(body)
    assert status == 200
    assert json.loads(shown["attributes"])["seat"] == "0A"
    assert shown["account_sid"] == credentials.account_sid
    assert (shown["conversation_sid"], shown["sid"]) == (CONVERSATION_SID, SID)
    assert shown["role_sid"] == ROLE_SID
    assert shown["last_read_message_index"] == 0
    assert shown["last_read_timestamp"] == "2025-05-04T09:42:00Z"
    assert 600 <= len(body) <= 700


def test_invalid_json_attributes_are_rejected(api: KeepAliveApi) -> None:
    assert api.raw("POST", PATH, "Attributes=%7Bnot+json")[0] == 400


def test_non_numeric_index_is_rejected(api: KeepAliveApi) -> None:
    assert api.raw("POST", PATH, "LastReadMessageIndex=one")[0] == 400


@pytest.mark.parametrize("part", ["account_sid", "auth_token"])
def test_wrong_credentials_are_rejected(
    running: Process, credentials: Credentials, part: str
) -> None:
    pair = {"account_sid": credentials.account_sid, "auth_token": credentials.auth_token}
    foreign = Credentials(**(pair | {part: "x" + pair[part][1:]}))
    with KeepAliveApi(running.port, foreign) as client:
        assert client.raw("POST", PATH, "Attributes=%7B%7D")[0] == 401


def test_one_transaction_stores_the_row_and_its_event(
    tmp_path: Path, credentials: Credentials
) -> None:
    with servers.one_transaction(tmp_path, credentials) as process:
        process.start()
        with KeepAliveApi(process.port, credentials) as client:
            client.post(PATH, Attributes='{"seat": "1A"}')
            client.post(PATH, Attributes='{"seat": "2A"}')

    with sqlite3.connect(tmp_path / "one_transaction.sqlite") as database:
        rows = database.execute("SELECT attributes FROM participant").fetchall()
        events = database.execute("SELECT payload FROM event ORDER BY sequence").fetchall()
    database.close()
    assert rows == [('{"seat": "2A"}',)]
    assert [json.loads(payload)["attributes"] for (payload,) in events] == [
        '{"seat": "1A"}',
        '{"seat": "2A"}',
    ]
