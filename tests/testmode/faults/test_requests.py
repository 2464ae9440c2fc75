"""Faults of REST calls, as clients see them: before and after the commit."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING, Any

import pytest
from requests.exceptions import ChunkedEncodingError
from requests.exceptions import ConnectionError as RequestConnectionError
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from urllib3.util.retry import Retry

from parlour.vocabulary import limits
from tests.support.client import Api
from tests.support.machine_pressure import Stopwatch
from tests.support.polling import eventually
from tests.support.server import Server
from tests.testmode.faults.conftest import FaultAccount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _bodies(api: Api, conversation_sid: str) -> list[str]:
    listed = api.get(f"/Conversations/{conversation_sid}/Messages").expect(200)
    return [each["body"] for each in listed["messages"]]


@pytest.fixture
def conversation_sid(account: FaultAccount) -> str:
    return str(account.api.post("/Conversations").expect(201)["sid"])


def _send(account: FaultAccount, conversation_sid: str, body: str, **more: Any) -> Any:
    path = f"/Conversations/{conversation_sid}/Messages"
    return account.api.post(path, Body=body, **more)


def test_the_second_and_third_call_are_refused_and_the_others_are_not(
    account: FaultAccount, conversation_sid: str
) -> None:
    fault = account.fault(
        Target="request",
        Operation="CreateConversationMessage",
        Skip=1,
        Times=2,
        Status=429,
        RetryAfter=7,
        Name="too many",
    )

    replies = [_send(account, conversation_sid, str(number)) for number in range(4)]

    assert [each.status for each in replies] == [201, 429, 429, 201]
    replies[1].refuses(429, 20429)
    assert replies[1].headers["Parlour-Fault"] == "too many"
    assert replies[1].headers["Retry-After"] == "7"
    assert replies[0].headers["Parlour-Fault"] is None
    assert _bodies(account.api, conversation_sid) == ["0", "3"]
    found = account.counters(fault)
    assert found == {"matched": 3, "fired": 2, "left": 0}


def test_the_official_client_retries_a_429_by_itself(
    account: FaultAccount, conversation_sid: str, server: Server
) -> None:
    account.fault(
        Target="request", Operation="CreateConversationMessage", Times=2, Code=20429, RetryAfter=0
    )
    retries = Retry(3, status_forcelist=[429], allowed_methods=None)
    client = Client(account.sid, account.token, http_client=_client_of(server, max_retries=retries))

    made = client.conversations.v1.conversations(conversation_sid).messages.create(body="hello")

    assert made.body == "hello"
    assert _bodies(account.api, conversation_sid) == ["hello"]


LOST = {"Drop": "true"}
CUT = {"Truncate": 20}


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize(
    ("effect", "seen"),
    [
        ({"Status": 503}, (503, 20503)),
        ({"Status": 409, "Code": 50063}, (409, 50063)),
        (LOST, RequestConnectionError),
        (CUT, ChunkedEncodingError),
        ({"DelayMs": 30}, None),
    ],
)
def test_the_official_client_sees_each_effect_before_and_after_the_commit(
    account: FaultAccount, conversation_sid: str, server: Server, effect: Any, seen: Any, phase: str
) -> None:
    if effect is CUT and phase == "before":
        effect = CUT | {"Status": 500}  # Only an error is sent before the operation.
    account.fault(Target="request", Operation="CreateConversationMessage", Phase=phase, **effect)
    client = Client(account.sid, account.token, http_client=_client_of(server))
    messages = client.conversations.v1.conversations(conversation_sid).messages

    if isinstance(seen, tuple):
        with pytest.raises(TwilioRestException) as raised:
            messages.create(body="x")
        assert (raised.value.status, raised.value.code) == seen
    elif seen is None:
        assert messages.create(body="x").body == "x"
    else:
        with pytest.raises(seen):
            messages.create(body="x")

    is_done = phase == "after" or seen is None
    assert [each.body for each in messages.list()] == ["x"] * is_done


def test_a_lost_answer_and_the_retry_of_the_official_client_give_one_message(
    account: FaultAccount, conversation_sid: str, server: Server
) -> None:
    fault = account.fault(
        Target="request", Operation="CreateConversationMessage", Phase="after", Drop="true"
    )
    retries = Retry(3, allowed_methods=None)
    http_client = _client_of(server, max_retries=retries)
    assert http_client.session is not None
    http_client.session.headers["Idempotency-Key"] = conversation_sid
    client = Client(account.sid, account.token, http_client=http_client)

    made = client.conversations.v1.conversations(conversation_sid).messages.create(body="once")

    assert made.body == "once"
    assert _bodies(account.api, conversation_sid) == ["once"]
    assert account.counters(fault)["fired"] == 1


def _client_of(server: Server, **options: Any) -> TwilioHttpClient:
    """Return the HTTP client of the helper library, for this server."""

    class ClientOfServer(TwilioHttpClient):
        def request(self, method: str, url: str, *arguments: Any, **named: Any) -> Any:
            local = url.replace("https://conversations.twilio.com", server.base_url)
            return super().request(method, local, *arguments, **named)

    client = ClientOfServer(**options)
    client.session.mount("http://", client.session.get_adapter("https://"))
    return client


def test_the_official_client_raises_the_code_of_a_fault(
    account: FaultAccount, conversation_sid: str, server: Server
) -> None:
    account.fault(Target="request", Operation="FetchConversation", Code=20003)
    client = Client(account.sid, account.token, http_client=_client_of(server))

    with pytest.raises(TwilioRestException) as raised:
        client.conversations.v1.conversations(conversation_sid).fetch()

    assert (raised.value.status, raised.value.code) == (401, 20003)


@pytest.mark.parametrize("effect", [{"Drop": "true"}, {"Status": 503}, {"Truncate": 20}])
def test_a_lost_answer_and_a_retry_with_its_idempotency_key_give_one_message(
    account: FaultAccount, conversation_sid: str, effect: dict[str, Any]
) -> None:
    account.fault(Target="request", Operation="CreateConversationMessage", Phase="after", **effect)
    headers = {"Idempotency-Key": conversation_sid}

    try:
        reply = _send(account, conversation_sid, "once", headers=headers)
    except (ConnectionResetError, http.client.IncompleteRead):
        assert "Status" not in effect
    else:
        reply.refuses(503, 20503)
    again = _send(account, conversation_sid, "once", headers=headers).expect(201)

    assert again["body"] == "once"
    assert _bodies(account.api, conversation_sid) == ["once"]


def test_a_connection_that_is_dropped_before_has_done_nothing(
    account: FaultAccount, conversation_sid: str
) -> None:
    account.fault(Target="request", Method="POST", Path="/v1/Conversations", Drop="true")

    with pytest.raises(ConnectionResetError):
        _send(account, conversation_sid, "lost")

    assert _bodies(account.api, conversation_sid) == []


def test_an_answer_is_truncated_after_so_many_bytes(account: FaultAccount) -> None:
    account.fault(Target="request", Operation="ListConversation", Truncate=11)

    with pytest.raises(http.client.IncompleteRead) as cut:
        account.api.get("/Conversations")

    assert cut.value.partial == b'{"meta":{"p'[:11]


@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_call_is_delayed(account: FaultAccount, phase: str) -> None:
    account.fault(Target="request", Operation="ListConversation", DelayMs=80, Phase=phase)

    began = time.monotonic()
    reply = account.api.get("/Conversations")

    reply.expect(200)
    assert time.monotonic() - began >= 0.08
    assert reply.headers["Parlour-Fault"].startswith("FA")


def test_a_delay_ends_with_503_when_the_faults_are_removed(
    account: FaultAccount, conversation_sid: str
) -> None:
    account.fault(Target="request", Operation="CreateConversationMessage", DelayMs=60_000)

    with account.in_background(lambda: _send(account, conversation_sid, "late")) as sending:
        eventually(lambda: account.own("GET", "/Faults")["faults"][0]["fired"], bool)
        settled = account.own("POST", "/Settle", status=202, Timeout=1)
        assert settled["waiting_for"] == [
            f"delayed POST /v1/Conversations/{conversation_sid}/Messages"
        ]
        account.own("DELETE", "/Faults", status=204)
        sending.result().refuses(503, 20503)

    assert _bodies(account.api, conversation_sid) == []


def test_the_journal_names_the_operation_and_the_fault(
    account: FaultAccount, conversation_sid: str
) -> None:
    account.fault(Target="request", Operation="CreateConversationMessage", Status=500, Name="one")
    account.fault(Target="request", Operation="FetchConversation", Drop="true", Name="two")

    _send(account, conversation_sid, "refused").refuses(500, 20500)
    with pytest.raises(ConnectionResetError):
        account.api.get(f"/Conversations/{conversation_sid}")

    found = account.own("GET", "/Requests?PageSize=2")["requests"]
    assert [(each["operation"], each["status"], each["fault"]) for each in found] == [
        ("FetchConversation", None, "two"),
        ("CreateConversationMessage", 500, "one"),
    ]


def test_a_stop_ends_delays(tmp_path: Path) -> None:
    with Server(tmp_path / "data", {"PARLOUR_DATABASE": ""}, args=("--test",)) as server:
        account = FaultAccount(server, server.account_sid, server.auth_token)
        account.fault(Target="request", Operation="ListUser", DelayMs=60_000)

        with account.in_background(lambda: account.api.get("/Users")) as waiting:
            eventually(lambda: account.own("GET", "/Faults")["faults"][0]["fired"], bool)
            watch = Stopwatch()
            server.stop()
            assert not watch.is_over(limits.DRAIN_SECONDS_MAX / 2)
            waiting.result().refuses(503, 20503)


def test_a_reset_removes_faults_and_ends_their_delays(
    account: FaultAccount, other: FaultAccount, conversation_sid: str
) -> None:
    account.fault(Target="request", Operation="CreateConversationMessage", DelayMs=60_000)
    account.own("POST", "/Emulation", LatencyMs=5000)
    of_other = other.fault(Target="request", Operation="ListUser", Status=500)

    with account.in_background(lambda: _send(account, conversation_sid, "late")) as sending:
        eventually(lambda: account.own("GET", "/Faults")["faults"][0]["fired"], bool)
        account.own("POST", "/Reset")
        sending.result().refuses(503, 20503)

    assert account.own("GET", "/Faults")["faults"] == []
    assert account.own("GET", "/Emulation")["latency_ms"] == 0
    assert account.api.get("/Conversations").expect(200)["conversations"] == []
    assert other.counters(of_other)["left"] == 1
    other.own("DELETE", "/Faults", status=204)


def test_a_snapshot_brings_faults_and_emulation_back(account: FaultAccount) -> None:
    fault = account.fault(Target="request", Operation="ListUser", Status=500, Times=2)
    account.own("POST", "/Emulation", UnknownParameters="refuse")
    account.own("POST", "/Snapshots", status=201, Name="faulty")
    account.own("DELETE", "/Faults", status=204)
    account.own("POST", "/Emulation", UnknownParameters="ignore")

    account.own("POST", "/Snapshots/faulty/Restore")

    assert account.counters(fault) == {"matched": 0, "fired": 0, "left": 2}
    account.api.get("/Users").refuses(500, 20500)
    account.api.get("/Users?Colour=red").refuses(400, 20001)
    account.own("POST", "/Reset")


def test_operations_are_named_with_a_star_and_in_their_service_form(account: FaultAccount) -> None:
    service_sid = account.api.get("/Configuration").expect(200)["default_chat_service_sid"]
    fault = account.fault(
        Target="request", Operation=["FetchUser*", "ListConversation"], Times=0, Status=500
    )

    account.api.get(f"/Services/{service_sid}/Conversations").refuses(500, 20500)
    account.api.get("/Conversations").refuses(500, 20500)
    account.api.get("/Users").expect(200)

    assert account.counters(fault) == {"matched": 2, "fired": 2, "left": None}


def test_a_fault_of_an_account_leaves_others_alone_and_one_of_the_server_does_not(
    account: FaultAccount, other: FaultAccount
) -> None:
    own = account.fault(Target="request", Operation="ListUser", Status=500)
    other.api.get("/Users").expect(200)
    assert account.counters(own)["matched"] == 0
    account.own("DELETE", f"/Faults/{own}", status=204)

    account.fault(Target="request", Operation="ListUser", Scope="server", Code=20503)
    other.api.get("/Users").refuses(503, 20503)
    other.own("GET", f"/Faults/{own}", status=404)


def test_a_fault_of_the_server_needs_the_auth_token(account: FaultAccount, server: Server) -> None:
    signed = Api(server.base_url, *server.make_key(account.sid))
    form = {"Target": "request", "Status": "500", "Scope": "server"}

    signed.post(f"{server.base_url}/parlour/v1/Faults", form).refuses(403, 20403)


def test_faults_never_touch_the_functions_of_the_test_and_public_paths(
    account: FaultAccount, server: Server
) -> None:
    account.fault(Target="request", Times=0, Status=500, Scope="server")

    account.own("GET", "/Faults")
    account.own("GET", "/WebhookAttempts")
    assert account.api.get(f"{server.base_url}/healthz").status == 200
    assert account.api.get(f"{server.base_url}/metrics").status == 200
    account.api.get("/Users").refuses(500, 20500)


def test_the_oldest_fault_with_turns_acts_and_a_chance_of_one_half_acts_sometimes(
    account: FaultAccount,
) -> None:
    account.fault(Target="request", Operation="ListUser", Status=500)
    second = account.fault(Target="request", Operation="ListUser", Status=503)
    codes = [account.api.get("/Users").status for _ in range(3)]
    assert codes == [500, 503, 200]
    assert account.counters(second)["matched"] == 1

    half = account.fault(
        Target="request", Operation="ListUser", Status=500, Times=0, Probability="0.5"
    )
    for _ in range(60):
        account.api.get("/Users")
    found = account.counters(half)
    assert found["matched"] == 60
    assert 5 < found["fired"] < 55


def test_media_are_operations_too(account: FaultAccount, server: Server) -> None:
    service_sid = account.api.get("/Configuration").expect(200)["default_chat_service_sid"]
    url = f"{server.base_url}/v1/Services/{service_sid}/Media"
    account.fault(Target="request", Operation="CreateMedia", Code=20429)
    account.fault(Target="request", Operation="FetchMediaContent", Truncate=3)

    first = account.api.post(url, body=b"12345", headers={"Content-Type": "text/plain"})
    second = account.api.post(url, body=b"12345", headers={"Content-Type": "text/plain"})

    first.refuses(429, 20429)
    sid = second.expect(201)["sid"]
    with pytest.raises(http.client.IncompleteRead) as cut:
        account.api.get(f"{url}/{sid}/Content")
    assert cut.value.partial == b"123"
    assert account.api.get(f"{url}/{sid}/Content").body == b"12345"


def test_faults_are_listed_in_pages_and_removed(account: FaultAccount) -> None:
    sids = [account.fault(Target="request", Operation="ListUser", Status=500) for _ in range(5)]

    seen, url = [], "/Faults?PageSize=2"
    while url:
        page = account.own("GET", url)
        seen += [each["sid"] for each in page["faults"]]
        url = page["meta"]["next_page_url"]
    assert seen == sids

    account.own("DELETE", "/Faults", status=204)
    assert account.own("GET", "/Faults")["faults"] == []
    account.api.get("/Users").expect(200)


@pytest.fixture(autouse=True)
def _no_faults_left(account: FaultAccount) -> Iterator[None]:
    yield
    account.own("DELETE", "/Faults", status=204)
