"""Valid and invalid credentials, the uniform rejection, and the time until a login is revoked."""

from __future__ import annotations

import base64
import secrets
import statistics
import time
from typing import TYPE_CHECKING

import pytest

from tests.security.tenants.targets import CallerCredentials, CallerRequest, LocalTarget
from tests.support.client import Api, ApiResponse, send_bytes
from tests.support.polling import eventually
from tests.support.server import Server

if TYPE_CHECKING:
    from pathlib import Path

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
    place.app.authentication.evict(login.name)
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
