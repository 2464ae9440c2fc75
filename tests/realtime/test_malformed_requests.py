"""Every request gets a response, never a 500; an unknown one fails without side effects."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.realtime.sample_conversation import SampleConversation, connected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Server
    from tests.support.twilsock_client import Socket

HUGE = 10**30
NUMBERS = st.sampled_from([-HUGE, -(2**63) - 1, -(2**63), -1, 0, 1, 5, 2**62, 2**63, 2**64, HUGE])
TEXTS = st.sampled_from(
    ["", "a", "\0", "\x7f", "😀", "٣", "\U0010ffff", "1_0", "+5", "1e9", "9" * 40]
)
SCALARS = st.none() | st.booleans() | st.floats(allow_nan=False) | NUMBERS | TEXTS
ANYTHING = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(TEXTS, SCALARS, max_size=2)
FEW = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def sample(api: Any) -> SampleConversation:
    sample = SampleConversation.made(api)
    sample.add_message("a message")
    return sample


@pytest.fixture
def alice(server: Server, sample: SampleConversation) -> Iterator[Socket]:
    with connected(server, "alice") as socket:
        yield socket
        assert '"event": "unhandled_exception"' not in server.log_tail()


def token(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def paths(sample: SampleConversation) -> list[str]:
    user_sid = sample.api.get("/Users/alice").expect(200)["sid"]
    names = (f"{user_sid}.myConversations", f"{user_sid}.info", f"{sample.sid}.roster")
    return [f"/v3/Lists/{sample.sid}.messages", *(f"/v3/Maps/{name}" for name in names)]


def subscribe(socket: Socket, **body: Any) -> tuple[int, Any]:
    message = {"event_protocol_version": 4, "action": "establish", "correlation_id": 7} | body
    answer = socket.send_request("POST", "/v4/Subscriptions", message)
    return answer.status, answer.body


@pytest.mark.parametrize("parts", [(True, 5, -HUGE), (True, -HUGE, 1), (False, 5, HUGE)])
def test_a_page_token_with_a_number_beyond_all_is_400(
    alice: Socket, sample: SampleConversation, parts: tuple[object, ...]
) -> None:
    for path in paths(sample):
        answer = alice.send_request("GET", f"{path}/Items", params={"PageToken": token(*parts)})
        assert answer.status == 400, (path, answer)


@pytest.mark.parametrize(
    ("kind", "code"), [("stream", 54250), ("live_query", 54000), ("", 54000), ("\0", 54000)]
)
def test_an_unknown_type_fails_alone(
    alice: Socket, sample: SampleConversation, kind: str, code: int
) -> None:
    messages = alice.open("Lists", f"{sample.sid}.messages")
    wanted = [
        {"object_sid": "TO" + "0" * 32, "object_type": kind, "last_event_id": 0},
        {"object_sid": messages["sid"], "object_type": "list", "last_event_id": 0},
    ]
    assert subscribe(alice, requests=wanted)[0] == 202
    (established,) = alice.next_event("subscription_established")["events"]
    (failed,) = alice.next_event("subscription_failed")["events"]
    assert established["object_sid"] == messages["sid"]
    assert (failed["object_type"], failed["error"]["code"]) == (kind, code)


@FEW
@given(data=st.data())
def test_each_subscription_is_refused_established_or_failed(
    alice: Socket, sample: SampleConversation, data: st.DataObject
) -> None:
    sids = st.sampled_from([alice.open("Lists", f"{sample.sid}.messages")["sid"], "ES1"]) | ANYTHING
    kinds = st.sampled_from(["list", "map", "document", "stream"]) | ANYTHING
    one = st.fixed_dictionaries(
        {}, optional={"object_sid": sids, "object_type": kinds, "last_event_id": SCALARS}
    )
    body = {"correlation_id": 7, "requests": st.lists(one | ANYTHING, max_size=3) | ANYTHING}
    drawn = {name: data.draw(each) if name == "requests" else each for name, each in body.items()}
    if data.draw(st.booleans()):
        drawn["correlation_id"] = data.draw(ANYTHING)
    status, _ = subscribe(alice, **drawn)
    assert status in {202, 400}, drawn
    if status == 202:
        left = {(each["object_type"], each["object_sid"]) for each in drawn["requests"]}
        while left:
            message = alice.next_event("subscription_established", "subscription_failed")
            assert message["correlation_id"] == drawn["correlation_id"]
            left -= {(each["object_type"], each["object_sid"]) for each in message["events"]}


@FEW
@given(data=st.data())
def test_no_page_of_items_is_500(
    alice: Socket, sample: SampleConversation, data: st.DataObject
) -> None:
    params: dict[str, Any] = {}
    for name in data.draw(st.sets(st.sampled_from(["From", "PageSize", "Order", "Index", "Key"]))):
        params[name] = quote(str(data.draw(SCALARS)), "")
    if data.draw(st.booleans()):
        params["PageToken"] = token(*data.draw(st.lists(SCALARS, max_size=4)))
    for path in paths(sample):
        answer = alice.send_request("GET", f"{path}/Items", params=params)
        assert answer.status in {200, 400}, (path, params, answer)


@FEW
@given(data=st.data())
def test_no_command_is_500(alice: Socket, sample: SampleConversation, data: st.DataObject) -> None:
    lists = ("MyConversations", "ContentTemplates", f"Conversations/{sample.sid}/MessageRecipients")
    params = {name: quote(str(data.draw(SCALARS)), "") for name in ("PageSize", "Page")}
    if data.draw(st.booleans()):
        params["PageToken"] = data.draw(TEXTS.map(lambda text: quote(text, "")) | st.just(token(1)))
    for name in lists:
        assert alice.send_request("GET", f"/Client/v2/{name}", params=params).status < 500, (
            name,
            params,
        )
    members = "last_read_message_index notification_level attributes body identity media_sids"
    body = data.draw(st.dictionaries(st.sampled_from(members.split()), ANYTHING) | ANYTHING)
    for name in (
        f"MyConversations/{sample.sid}",
        f"Conversations/{sample.sid}/Messages",
        f"Conversations/{sample.sid}/Participants",
        "Users/alice",
    ):
        assert alice.send_request("POST", f"/Client/v2/{name}", body).status < 500, (name, body)


@FEW
@given(data=st.data())
def test_no_list_over_rest_is_500(sample: SampleConversation, data: st.DataObject) -> None:
    query = {
        name: str(data.draw(SCALARS)).replace("\0", "")
        for name in data.draw(
            st.sets(st.sampled_from(["PageSize", "Page", "PageToken"]), min_size=1)
        )
    }
    for path in (
        "/Conversations",
        f"{sample.path}/Messages",
        f"{sample.path}/Participants",
        "/Users",
    ):
        assert sample.api.get(path, query).status < 500, (path, query)
