"""The clock over HTTP: its modes, its advances, and the tokens of connected clients."""

from __future__ import annotations

import json
import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from twilio.jwt.access_token import AccessToken
from twilio.jwt.access_token.grants import ChatGrant

from parlour.protocol import access_tokens
from tests.support.client import Api
from tests.support.nodejs import install_packages, node_command
from tests.support.polling import eventually
from tests.support.server import REPOSITORY, Server
from tests.support.twilsock_client import Socket

if TYPE_CHECKING:
    from collections.abc import Iterator

ENV = {"PARLOUR_DATABASE": "", "PARLOUR_ACCOUNT_SID": "", "PARLOUR_AUTH_TOKEN": ""}
TOKEN, SECRET = "parlour-test-auth-token", "parlour-test-api-key-secret"
CLOCK, ADVANCE = "/parlour/v1/Clock", "/parlour/v1/Clock/Advance"
NODE_FOLDER = REPOSITORY / "tests" / "contract" / "node"
BACKWARDS = "The clock cannot go back while there is data: reset first."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in test mode."""
    data = tmp_path_factory.mktemp("clock") / "data"
    with Server(data, ENV, args=("--test",)) as running:
        yield running


@pytest.fixture
def api(server: Server) -> Api:
    """The first account, with its auth token."""
    ready = server.ready()
    return Api(ready["url"], ready["account_sid"], TOKEN)


def date(text: str) -> datetime:
    """Return a date of a response."""
    return datetime.fromisoformat(text)


def now_of(api: Api) -> datetime:
    """Return the date that the clock shows."""
    return date(api.get(CLOCK).expect(200)["now"])


def frozen(api: Api) -> datetime:
    """Freeze the clock, and return its date."""
    return date(api.post(CLOCK, {"Mode": "frozen"}).expect(200)["now"])


def token_of(api: Api, identity: str, ttl: int = 3600) -> str:
    """Return a token that the server makes."""
    made = api.post("/parlour/v1/Tokens", {"Identity": identity, "Ttl": ttl}).expect(201)
    return str(made["token"])


# --- The clock ------------------------------------------------------------------------------


def test_a_frozen_clock_dates_everything_and_advances_by_a_duration(api: Api) -> None:
    start = frozen(api)
    made = api.post("/Conversations", {"Timers.Inactive": "PT1M"}).expect(201)
    assert date(made["date_created"]) == start.replace(microsecond=0)
    found = api.get(CLOCK).expect(200)
    assert list(found) == [
        "mode",
        "now",
        "system_now",
        "offset_ms",
        "status",
        "target",
        "next_due",
        "due",
    ]
    assert (found["mode"], found["status"], found["target"]) == ("frozen", "ready", None)
    assert date(found["next_due"]["at"]) == start + timedelta(minutes=1)
    assert found["next_due"]["what"] == "timers"
    assert found["due"][0] == found["next_due"]
    assert [each["at"] for each in found["due"]] == sorted(each["at"] for each in found["due"])

    result = api.post(ADVANCE, {"By": "PT10M0.5S"}).expect(200)

    assert list(result) == ["now", "settled", "steps", "elapsed_ms", "waiting_for", "fired"]
    assert date(result["now"]) == now_of(api) == start + timedelta(minutes=10, seconds=0.5)
    assert (result["settled"], result["waiting_for"]) == (True, [])
    at = (start + timedelta(minutes=1)).isoformat(timespec="milliseconds")
    at = at.replace("+00:00", "Z")
    assert {"at": at, "what": "timers", "count": 1} in result["fired"]
    after = api.get(f"/Conversations/{made['sid']}").expect(200)
    assert after["state"] == "inactive"
    assert date(after["date_updated"]) == (start + timedelta(minutes=1)).replace(microsecond=0)


def test_a_shifted_clock_runs_and_an_advance_freezes_it(api: Api) -> None:
    start = now_of(api) + timedelta(hours=1)
    found = api.post(CLOCK, {"Mode": "shifted", "Now": start.isoformat()}).expect(200)
    assert found["mode"] == "shifted"
    eventually(lambda: now_of(api), lambda now: now > start + timedelta(milliseconds=5))

    api.post(ADVANCE, {"To": (start + timedelta(days=1)).isoformat()}).expect(200)

    assert api.get(CLOCK).expect(200)["mode"] == "frozen"
    assert now_of(api) == start + timedelta(days=1)


def test_the_clock_does_not_go_back_while_there_is_data(api: Api) -> None:
    start = frozen(api)
    api.post("/Conversations", {}).expect(201)

    for form in (
        {"Mode": "frozen", "Now": (start - timedelta(seconds=1)).isoformat()},
        {"Mode": "shifted", "Now": "2020-01-01"},
    ):
        assert api.post(CLOCK, form).refuses(400, 20001)["message"] == BACKWARDS
    api.post(ADVANCE, {"By": "P1D"}).expect(200)
    assert api.post(CLOCK, {"Mode": "system"}).refuses(400, 20001)["message"] == BACKWARDS
    assert now_of(api) == start + timedelta(days=1)


@pytest.mark.parametrize(
    ("path", "form"),
    [
        (CLOCK, {}),
        (CLOCK, {"Mode": "stopped"}),
        (CLOCK, {"Mode": "frozen", "Now": "soon"}),
        (CLOCK, {"Mode": "frozen", "Now": "2040-01-01T00:00:00"}),
        (CLOCK, {"Mode": "frozen", "Now": "9991-01-01"}),
        (CLOCK, {"Mode": "frozen", "Now": "1969-12-31"}),
        (ADVANCE, {}),
        (ADVANCE, {"By": "1 day"}),
        (ADVANCE, {"By": "P1M"}),
        (ADVANCE, {"By": "P1D", "To": "2040-01-01"}),
        (ADVANCE, {"To": "2001-01-01"}),
        (ADVANCE, {"To": "9000-01-01"}),
        (ADVANCE, {"By": "P1D", "Timeout": "61"}),
        (ADVANCE, {"By": "P1D", "Timeout": "0"}),
    ],
)
def test_wrong_parameters_are_rejected(api: Api, path: str, form: dict[str, str]) -> None:
    before = frozen(api)
    api.post(path, form).refuses(400, 20001)
    assert now_of(api) == before


def test_the_clock_needs_the_auth_token_and_a_settlement_does_not(server: Server, api: Api) -> None:
    by_key = api.signed(server.ready()["api_key_sid"], SECRET)

    by_key.get(CLOCK).refuses(403, 20403)
    by_key.post(ADVANCE, {"By": "P1D"}).refuses(403, 20403)
    result = by_key.post("/parlour/v1/Settle", {}).expect(200)
    assert (result["settled"], result["waiting_for"]) == (True, [])


def test_lines_of_the_log_have_the_real_time(server: Server, api: Api) -> None:
    frozen(api)
    api.post(ADVANCE, {"By": "P1D"}).expect(200)
    fault = {"Target": "request", "Operation": "ListUser", "Status": "500", "Name": "logged"}
    api.post("/parlour/v1/Faults", fault).expect(201)
    api.get("/Users").refuses(500, 20500)

    lines = server.log_path.read_text().splitlines()
    [line] = [json.loads(each) for each in lines if '"fault": "logged"' in each]
    assert abs(date(line["timestamp"]) - datetime.now(UTC)) < timedelta(hours=1)


# --- Connected clients ----------------------------------------------------------------------


def test_a_token_that_is_not_renewed_ends_its_connection_after_a_warning(
    server: Server, api: Api
) -> None:
    start = frozen(api)
    with Socket.to(server) as socket:
        assert socket.init(token_of(api, "alice")).header["status"]["code"] == 200
        due = api.get(CLOCK).expect(200)["next_due"]
        assert due["what"] == "tokens"
        assert date(due["at"]) == (start + timedelta(seconds=3600 - 240)).replace(microsecond=0)

        result = api.post(ADVANCE, {"By": "PT1H", "ClientGraceMs": "0"}).expect(200)

        seen = [frame.header for frame in [*socket.pending, socket.receive(), socket.receive()]]
    assert [header["method"] for header in seen] == ["client_update", "close"]
    assert seen[0]["client_update_type"] == "token_about_to_expire"
    assert [each["what"] for each in result["fired"]].count("tokens") == 2


def test_an_advance_waits_for_the_new_token_of_a_client(server: Server, api: Api) -> None:
    frozen(api)
    with Socket.to(server) as socket:
        socket.init(token_of(api, "bob"))
        start = now_of(api)
        form = {"By": "PT1H", "ClientGraceMs": "10000", "Wait": "false"}
        waiting = api.post(ADVANCE, form).expect(202)
        assert waiting["settled"] is False
        warning = socket.receive()
        assert warning.header["client_update_type"] == "token_about_to_expire"
        found = api.get(CLOCK).expect(200)
        assert found["status"] == "advancing"
        assert date(found["target"]) == start + timedelta(hours=1)
        api.post(ADVANCE, {"By": "PT1H"}).refuses(409, 20409)
        api.post(CLOCK, {"Mode": "system"}).refuses(409, 20409)

        renewal = {"method": "update", "token": token_of(api, "bob")}
        assert socket.reply_to(socket.send(renewal)).header["status"]["code"] == 200
        eventually(lambda: api.get(CLOCK).expect(200)["status"], "ready".__eq__)

        assert now_of(api) == start + timedelta(hours=1)
        assert socket.quiet(0.05) == []


# --- Tokens by real time --------------------------------------------------------------------


def made_by_program(server: Server, now_ms: int, *, ttl_seconds: int = 60) -> str:
    """Return a token that a program makes by its own clock, as both helper libraries do."""
    ready: dict[str, Any] = server.ready()
    return access_tokens.make(
        account_sid=ready["account_sid"],
        key_sid=ready["api_key_sid"],
        secret=SECRET,
        identity="carol",
        service_sid=ready["service_sid"],
        now_ms=now_ms,
        ttl_seconds=ttl_seconds,
    )


def status_of(server: Server, token: str) -> int:
    """Return the status of a connection with a token."""
    with Socket.to(server) as socket:
        return int(socket.init(token).header["status"]["code"])


def made_by_helper_library(server: Server) -> str:
    """Return a token that the official library makes by the real time."""
    ready: dict[str, Any] = server.ready()
    key = ready["api_key_sid"], SECRET
    token = AccessToken(ready["account_sid"], *key, identity="dave", ttl=60)
    token.add_grant(ChatGrant(service_sid=ready["service_sid"]))
    return str(token.to_jwt())


def made_by_node_library(server: Server) -> str:
    """Return a token that the official library for Node.js makes by the real time."""
    install_packages(NODE_FOLDER)
    ready: dict[str, Any] = server.ready()
    settings = {
        "ACCOUNT_SID": ready["account_sid"],
        "KEY_SID": ready["api_key_sid"],
        "KEY_SECRET": SECRET,
        "SERVICE_SID": ready["service_sid"],
        "IDENTITY": "erin",
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [*node_command(), "token.mjs"],
        cwd=NODE_FOLDER,
        env=settings,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


@pytest.mark.filterwarnings("ignore:The HMAC key is:Warning")
def test_tokens_of_the_real_time_and_of_a_frozen_program_are_valid(
    server: Server, api: Api
) -> None:
    frozen(api)
    api.post(ADVANCE, {"By": "P3D"}).expect(200)

    by_real_time = made_by_program(server, time.time_ns() // 1_000_000)
    by_frozen_time = made_by_program(server, int(now_of(api).timestamp() * 1000))
    expired = made_by_program(server, int(now_of(api).timestamp() * 1000) - 61_000)

    assert status_of(server, made_by_helper_library(server)) == 200
    assert status_of(server, made_by_node_library(server)) == 200
    assert status_of(server, by_real_time) == 200
    assert status_of(server, by_frozen_time) == 200
    assert status_of(server, expired) == 401
    api.post(ADVANCE, {"By": "PT2M"}).expect(200)
    assert status_of(server, by_real_time) == 401
    assert status_of(server, by_frozen_time) == 401
