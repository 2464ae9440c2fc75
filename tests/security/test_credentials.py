"""Valid and invalid credentials, the uniform rejection, and places where no secret may appear."""

from __future__ import annotations

import base64
import json
import secrets
import statistics
import time
from typing import TYPE_CHECKING

import pytest

from parlour.operations.operation import UrlForm
from parlour.operations.parameters import wire_names
from parlour.resources.table import pipeline_operations
from tests.security.tenants import owner_actions
from tests.security.tenants.matrix import values_of
from tests.security.tenants.path_variables import fill
from tests.security.tenants.targets import (
    CallerCredentials,
    CallerRequest,
    LocalTarget,
    ServerTarget,
    settle,
)
from tests.security.tenants.twin_accounts import AccountObjects, build
from tests.security.tenants.valid_forms import form_of
from tests.support.client import Api, ApiResponse, send_bytes
from tests.support.polling import eventually
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parlour.operations.operation import Operation

VOLATILE = {"date", "twilio-request-id", "twilio-request-duration"}
CHALLENGE = 'Basic realm="Twilio API"'
CACHED_SECONDS_MAX = 2.0

PLACES = [
    ("GET", "/v1/Conversations"),
    ("POST", "/v1/Conversations"),
    ("GET", "/v1/Conversations/none"),
    ("DELETE", "/v1/Conversations/none"),
    ("PUT", "/v1/Conversations"),
    ("GET", "/v1/no-such-thing"),
    ("GET", "/2010-04-01/Accounts/none.json"),
    ("GET", "/"),
]


def encoded(text: str | bytes) -> str:
    """Return the base64 of a pair."""
    data = text if isinstance(text, bytes) else text.encode()
    return base64.b64encode(data).decode()


def shown(answer: ApiResponse) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return a response without the parts that differ from request to request."""
    headers = ((name.lower(), value) for name, value in answer.headers.items())
    return answer.status, sorted(each for each in headers if each[0] not in VOLATILE), answer.body


def call(server: Server, authorization: str | None, method: str, path: str) -> ApiResponse:
    """Return the response to a request with this header, unchanged."""
    api = Api(server.base_url, None, None)
    headers = {} if authorization is None else {"Authorization": authorization}
    try:
        return api.request(method, path, headers=headers)
    finally:
        api.close()


# The uniform rejection.


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_an_unknown_name_is_refused_as_a_wrong_secret_is(
    server: Server, method: str, path: str
) -> None:
    wrong = CallerCredentials(server.account_sid, secrets.token_hex(16))
    key_sid, _ = server.make_key(server.account_sid)
    unknown = CallerCredentials(f"AC{secrets.token_hex(16)}", server.auth_token)
    answers = [
        call(server, each.header, method, path)
        for each in (
            wrong,
            unknown,
            CallerCredentials(key_sid, wrong.secret),
            CallerCredentials("SK0", "x"),
        )
    ]

    assert [answer.status for answer in answers] == [401] * 4
    assert len({str(shown(answer)) for answer in answers}) == 1


def test_a_refusal_has_the_apis_shape_and_a_challenge(server: Server) -> None:
    answer = call(server, None, "GET", "/v1/Conversations")

    assert answer.refuses(401, 20003)["message"] == "Authenticate"
    assert answer.headers["WWW-Authenticate"] == CHALLENGE


def test_a_rejected_client_does_not_learn_which_paths_exist(server: Server) -> None:
    answers = [call(server, None, method, path) for method, path in PLACES]

    assert len({str(shown(answer)) for answer in answers}) == 1


def test_an_unknown_name_takes_as_long_as_a_wrong_secret(tmp_path: Path) -> None:
    place = LocalTarget(tmp_path)
    login = place.make_account()
    taken: dict[str, list[int]] = {"wrong": [], "unknown": []}
    try:
        # Alternating, so that other load on the machine affects both alike.
        for _ in range(200):
            wrong_login = CallerCredentials(login.name, secrets.token_hex(16))
            unknown_login = CallerCredentials(f"AC{secrets.token_hex(16)}", login.secret)
            taken["wrong"].append(_time(place, wrong_login))
            taken["unknown"].append(_time(place, unknown_login))
    finally:
        place.close()
    wrong, unknown = (statistics.median(each) for each in taken.values())

    assert 0.7 < wrong / unknown < 1.4, (wrong, unknown)


def _time(place: LocalTarget, login: CallerCredentials) -> int:
    """Return the processor time of a rejection when the name is not cached."""
    place.app.authentication.forget(login.name)
    # From a separate address: one that fails too often is throttled.
    place.peer = f"10.0.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
    request = CallerRequest("GET", "/v1/Conversations", {}, login.header)
    before = time.process_time_ns()
    answer = place.send(request)
    spent = time.process_time_ns() - before
    assert answer.status == 401
    return spent


# Parsing of the Basic scheme.


def pairs(server: Server) -> dict[str, str]:
    """Return headers equivalent to the usual one."""
    pair = f"{server.account_sid}:{server.auth_token}"
    return {
        "usual": f"Basic {encoded(pair)}",
        "lower case": f"basic {encoded(pair)}",
        "upper case": f"BASIC {encoded(pair)}",
        "more spaces": f"Basic   {encoded(pair)}",
        "space after it": f"Basic {encoded(pair)} ",
    }


@pytest.mark.parametrize(
    "spelling", ["usual", "lower case", "upper case", "more spaces", "space after it"]
)
def test_basic_credentials_may_be_spelled_in_several_ways(server: Server, spelling: str) -> None:
    call(server, pairs(server)[spelling], "GET", "/v1/Conversations").expect(200)


def corpus(sid: str, token: str) -> dict[str, str]:
    """Return headers that are rejected, derived from a valid pair where possible."""
    pair = f"{sid}:{token}"
    right = encoded(pair)
    return {
        "empty": "",
        "scheme": "Basic",
        "scheme and space": "Basic ",
        "no scheme": right,
        "plain text": f"Basic {pair}",
        "no colon": f"Basic {encoded(sid + token)}",
        "colon alone": f"Basic {encoded(':')}",
        "no name": f"Basic {encoded(':' + token)}",
        "no secret": f"Basic {encoded(sid + ':')}",
        "no padding": f"Basic {right.rstrip('=')}x",
        "more padding": f"Basic {right}====",
        "comma": f"Basic {right}, {right}",
        "twice": f"Basic {right} {right}",
        "quotes": f'Basic "{right}"',
        "tab": f"Basic\t{right}",
        "url-safe": "Basic " + base64.urlsafe_b64encode(b"\xff\xfe:" + token.encode()).decode(),
        "no utf-8": "Basic " + encoded(b"\xff\xfe:" + token.encode()),
        "latin-1 text": "Basic é:é",
        "nul in the name": f"Basic {encoded(sid + chr(0) + ':' + token)}",
        "nul in the secret": f"Basic {encoded(pair + chr(0))}",
        "newline in the secret": f"Basic {encoded(pair + chr(10))}",
        "space before the name": f"Basic {encoded(' ' + pair)}",
        "secret twice": f"Basic {encoded(pair + ':' + token)}",
        "percent-encoded": f"Basic {encoded(pair.replace(':', '%3A'))}",
        "half the secret": f"Basic {encoded(pair[:-16])}",
        "secret in upper case": f"Basic {encoded(sid + ':' + token.upper() + 'X')}",
        "wildcard": f"Basic {encoded(sid + ':%')}",
        "sql": f"Basic {encoded(sid + chr(39) + ' OR 1=1 --:' + token)}",
        "a long secret": f"Basic {encoded(pair + 'x' * 4000)}",
        "bearer": f"Bearer {token}",
        "bearer pair": f"Bearer {right}",
        "digest": f'Digest username="{sid}", response="{token}"',
        "negotiate": f"Negotiate {right}",
        "two words": f"Basic realm {right}",
    }


@pytest.mark.parametrize("name", corpus("AC", "t"))
def test_an_invalid_pair_is_rejected(server: Server, name: str) -> None:
    header = corpus(server.account_sid, server.auth_token)[name]

    answer = call(server, header, "GET", "/v1/Conversations")

    answer.refuses(401, 20003)
    assert shown(answer) == shown(call(server, None, "GET", "/v1/Conversations"))


def test_a_secret_may_contain_a_colon(server: Server) -> None:
    login = CallerCredentials(f"AC{secrets.token_hex(16)}", f"a:b:{secrets.token_hex(8)}")
    env = {"PARLOUR_ACCOUNT_SID": login.name, "PARLOUR_AUTH_TOKEN": login.secret}
    with Server(env=env) as own:
        call(own, login.header, "GET", "/v1/Conversations").expect(200)
        call(own, CallerCredentials(login.name, "a").header, "GET", "/v1/Conversations").refuses(
            401, 20003
        )


def test_the_first_of_two_authorization_headers_applies(server: Server) -> None:
    right = CallerCredentials(server.account_sid, server.auth_token).header
    wrong = CallerCredentials(server.account_sid, secrets.token_hex(16)).header
    head = "GET /v1/Conversations HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    statuses = [
        send_bytes(
            server.base_url,
            f"{head}Authorization: {first}\r\nAuthorization: {second}\r\n\r\n".encode(),
        ).status
        for first, second in ((wrong, right), (right, wrong))
    ]

    assert statuses[0] == 401
    assert statuses[1] in {200, 400, 401}


def test_public_paths_need_no_credentials(server: Server) -> None:
    health = call(server, None, "GET", "/healthz")
    metrics = call(server, None, "GET", "/metrics")

    assert health.expect(200) == {"status": "ok"}
    assert metrics.status == 200
    assert server.account_sid not in metrics.text
    assert call(server, None, "OPTIONS", "/v1/Conversations").body == b""


# Time until a login is revoked.


def test_a_key_stops_at_once_when_it_is_deleted_over_rest(server: Server, api: Api) -> None:
    keys = f"/2010-04-01/Accounts/{server.account_sid}/Keys"
    made = api.post(f"{keys}.json").expect(201)
    login = CallerCredentials(made["sid"], made["secret"])
    call(server, login.header, "GET", "/v1/Services").expect(200)

    assert api.delete(f"{keys}/{login.name}.json").status == 204

    call(server, login.header, "GET", "/v1/Services").refuses(401, 20003)


def test_a_key_stops_soon_when_another_process_revokes_it(server: Server) -> None:
    login = CallerCredentials(*server.make_key(server.account_sid))
    call(server, login.header, "GET", "/v1/Services").expect(200)

    server.command("key", "revoke", server.account_sid, login.name)

    eventually(
        lambda: call(server, login.header, "GET", "/v1/Services").status,
        lambda status: status == 401,
        seconds=CACHED_SECONDS_MAX,
    )


@pytest.mark.parametrize("status", ["suspended", "closed"])
def test_an_account_stops_soon_and_may_come_back(server: Server, status: str) -> None:
    login = CallerCredentials(*server.make_account())
    key = CallerCredentials(*server.make_key(login.name))
    call(server, login.header, "GET", "/v1/Services").expect(200)

    server.command("account", "status", login.name, status)

    for each in (login, key):
        eventually(
            lambda header=each.header: call(server, header, "GET", "/v1/Services"),
            lambda answer: answer.status == 403 and answer.code == 20005,
            seconds=CACHED_SECONDS_MAX,
        )
    wrong = CallerCredentials(login.name, secrets.token_hex(16))
    call(server, wrong.header, "GET", "/v1/Services").refuses(401, 20003)

    server.command("account", "status", login.name, "active")
    eventually(
        lambda: call(server, login.header, "GET", "/v1/Services").status,
        lambda found: found == 200,
        seconds=CACHED_SECONDS_MAX,
    )


# Places where no secret may appear.

CANARY = "canary" + "7f3a91c5"
MARK = CANARY.encode()


@pytest.fixture(scope="module")
def sung() -> Iterator[tuple[Server, AccountObjects]]:
    """Run every operation on a server that logs all it can: with canaries, and with valid values.

    The canaries fill an account and change its objects, so another one has the successes.
    """
    env = {"PARLOUR_LOG_LEVEL": "debug", "PARLOUR_REQUEST_LOG": "all", "PARLOUR_LOG_FORMAT": "json"}
    with Server(env=env) as server:
        place = ServerTarget(server)
        world, other = build(place), build(place)
        for operation in pipeline_operations():
            for request in _with_canaries(operation, world):
                assert place.send(request).status < 500, request
        assert not [
            wrong
            for form in (UrlForm.SHORT, UrlForm.SERVICE, UrlForm.ACCOUNT)
            for cell in owner_actions.writing(other, frozenset(), form)
            for wrong in cell.run(place)
        ]
        settle(place)
        place.close()
        server.stop()
        yield server, world


def _with_canaries(operation: Operation, world: AccountObjects) -> Iterator[CallerRequest]:
    """Yield an operation with a canary in each place in turn, and at last in all of them."""
    if operation.method == "DELETE":
        return
    path = fill(operation, values_of(operation, world))
    header = world.login.header
    names = [name for name, _, _ in wire_names(operation.spec.parameters)]
    form = form_of(operation) if operation.writes else {}
    for name in names:
        for text in (CANARY, json.dumps({"a": CANARY}), f"http://u:{CANARY}@127.0.0.1:9/"):
            yield CallerRequest(operation.method, path, {**form, name: text}, header)
    yield CallerRequest(
        operation.method, path, dict.fromkeys([*names, CANARY], CANARY), header, CANARY
    )
    yield CallerRequest(operation.method, f"{path}/{CANARY}", {}, header)
    yield CallerRequest(operation.method, path, {}, CallerCredentials(CANARY, CANARY).header)
    yield CallerRequest(operation.method, path, {}, f"Bearer {CANARY}")
    lost = fill(operation, [CANARY for _ in values_of(operation, world)])
    yield CallerRequest(operation.method, lost, form, header)


def test_no_log_contains_message_texts(sung: tuple[Server, AccountObjects]) -> None:
    server, _ = sung
    written = server.log_path.read_bytes()

    assert written.count(b'"event": "request"') > 500 or written.count(b'"request"') > 500
    assert [line for line in written.splitlines() if MARK in line][:3] == []
    assert [line for line in written.splitlines() if b"alice" in line or b"+1500" in line][:3] == []


def test_no_log_holds_a_login(sung: tuple[Server, AccountObjects]) -> None:
    server, world = sung
    assert world.key is not None
    written = server.log_path.read_bytes()

    for login in (world.login, world.key, CallerCredentials(server.account_sid, server.auth_token)):
        assert login.secret.encode() not in written
        assert login.header.removeprefix("Basic ").encode() not in written


def test_no_secret_is_written_down_in_plain(sung: tuple[Server, AccountObjects]) -> None:
    server, world = sung
    assert world.key is not None
    files = {path: path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file()}
    assert any(MARK in data for data in files.values()), "The canaries never came to the store."

    for secret in (
        server.auth_token,
        world.login.secret,
        world.key.secret,
        "a push secret",
    ):
        for each in (secret.encode(), encoded(secret).encode(), secret.encode().hex().encode()):
            assert [path.name for path, data in files.items() if each in data] == []


def test_a_secret_in_an_idempotent_response_is_encrypted(tmp_path: Path) -> None:
    place = LocalTarget(tmp_path)
    login = place.make_account()
    path = f"/2010-04-01/Accounts/{login.name}/Keys.json"
    request = CallerRequest("POST", path, {"FriendlyName": "Key"}, login.header, "once")
    first, again = place.send(request), place.send(request)
    place.close()
    secret = json.loads(first.body)["secret"]

    assert first.body == again.body
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert [each for each in files if secret.encode() in each.read_bytes()] == []


def test_only_the_owner_can_read_the_data_folder(sung: tuple[Server, AccountObjects]) -> None:
    server, _ = sung
    key = server.data_dir / "parlour.key"

    assert server.data_dir.stat().st_mode & 0o077 == 0
    assert key.stat().st_mode & 0o777 == 0o600


CRASH = """
import sys
import structlog
from parlour.cli.logs import configure_logs
from parlour.config import Settings

configure_logs(Settings(log_format=sys.argv[1], log_level="debug"))

def act(body, auth_token):
    raise AssertionError("a bug")

try:
    act("{canary}", auth_token="{canary}")
except AssertionError:
    structlog.get_logger().exception("unhandled_exception", request_sid="RQ")
"""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_the_log_of_a_bug_holds_no_values(log_format: str, tmp_path: Path, server: Server) -> None:
    import subprocess  # noqa: PLC0415 - used here only.
    import sys  # noqa: PLC0415

    script = tmp_path / "crash.py"
    # The line of the call would be in the traceback, so the values come from elsewhere.
    script.write_text(CRASH.replace('"{canary}"', "sys.argv[2]"))
    done = subprocess.run(
        [sys.executable, str(script), log_format, CANARY],
        env=server.environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert "a bug" in done.stderr
    assert CANARY not in done.stderr + done.stdout
