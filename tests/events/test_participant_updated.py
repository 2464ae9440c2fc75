"""A participant is updated over REST: which webhooks are called, with which parameters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.checkers.webhook_receiver import WebhookReceiver
from tests.resources.settings_setup import new_account_api
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.checkers.webhook_receiver import Line
    from tests.support.client import Api
    from tests.support.server import Server

ENABLED = {"X-Twilio-Webhook-Enabled": "true"}
MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
OWN, SECOND_OWN, ROBERT = "+15017122661", "+15017122662", "+15558675310"

CHAT = {"Identity": "bob", "Attributes": '{"seat": 1}'}
SMS = {"MessagingBinding.Address": ROBERT, "MessagingBinding.ProxyAddress": OWN}
PROJECTED = {"Identity": "bob", "MessagingBinding.ProjectedAddress": OWN}

# The participant's creation, the update, and the parameters that it changes.
CHANGES: dict[str, tuple[dict[str, str], dict[str, str], dict[str, str | None]]] = {
    "attributes": (CHAT, {"Attributes": '{"seat": 2}'}, {"Attributes": '{"seat": 2}'}),
    "read index": (CHAT, {"LastReadMessageIndex": "1"}, {"LastReadMessageIndex": "1"}),
    "read index above the newest": (
        CHAT,
        {"LastReadMessageIndex": "99"},
        {"LastReadMessageIndex": "2"},
    ),
    "read time": (CHAT, {"LastReadTimestamp": "2025-05-04T09:42:00Z"}, {}),
    "date updated": (
        CHAT,
        {"DateUpdated": "2025-05-04T09:42:00Z"},
        {"DateUpdated": "2025-05-04T09:42:00.000Z"},
    ),
    "date created": (
        CHAT,
        {"DateCreated": "2020-05-04T09:42:00Z"},
        {"DateCreated": "2020-05-04T09:42:00.000Z"},
    ),
    "proxy": (
        SMS,
        {"MessagingBinding.ProxyAddress": SECOND_OWN},
        {"MessagingBinding.ProxyAddress": SECOND_OWN},
    ),
    "projected address": (
        PROJECTED,
        {"MessagingBinding.ProjectedAddress": SECOND_OWN},
        {"MessagingBinding.ProjectedAddress": SECOND_OWN},
    ),
    "identity taken off": (PROJECTED, {"Identity": "null"}, {"Identity": None}),
    "several": (
        CHAT,
        {"Attributes": "{}", "LastReadMessageIndex": "0"},
        {"Attributes": "{}", "LastReadMessageIndex": "0"},
    ),
}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebhookReceiver]:
    """One receiver for the tests of this file; each test uses separate paths."""
    with WebhookReceiver(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.fixture(scope="module")
def account(server: Server) -> Iterator[Api]:
    """An account of this file; every test listens on separate paths."""
    api = new_account_api(server)
    yield api
    api.close()


@pytest.fixture(params=["short", "service"])
def own(request: pytest.FixtureRequest, account: Api) -> Api:
    """Both forms of the paths, one after the other."""
    if request.param == "short":
        return account
    return account.service(account.get("/Configuration").expect(200)["default_chat_service_sid"])


class ConversationWithWebhooks:
    """A conversation with one participant and three messages, and its webhooks."""

    def __init__(
        self, api: Api, receiver: WebhookReceiver, name: str, made_as: dict[str, str]
    ) -> None:
        self.api = api
        self.receiver = receiver
        self.resource = api.post("/Conversations").expect(201)
        self.place = f"/ok/{name}-{self.resource['sid']}"
        path = f"/Conversations/{self.resource['sid']}"
        self.backend = f"{path}/Webhooks"
        self.participant = api.post(f"{path}/Participants", made_as).expect(201)
        self.path = f"{path}/Participants/{self.participant['sid']}"
        for body in "abc":
            api.post(f"{path}/Messages", Body=body).expect(201)

    def listen(self, before: str = "") -> None:
        """Create one webhook of the account, two of the conversation, and an unrelated one."""
        form: dict[str, Any] = {
            "PreWebhookUrl": self.receiver.url(before) if before else "",
            "PostWebhookUrl": self.receiver.url(f"{self.place}/account"),
            "Filters": ["onParticipantUpdate", "onParticipantUpdated"],
        }
        self.api.under("/v1").post("/Configuration/Webhooks", form).expect(200)
        for name, event in [
            ("first", "onParticipantUpdated"),
            ("second", "onParticipantUpdated"),
            ("other", "onParticipantRemoved"),
        ]:
            form = {
                "Target": "webhook",
                "Configuration.Url": self.receiver.url(f"{self.place}/{name}"),
                "Configuration.Filters": event,
            }
            self.api.post(self.backend, form).expect(201)

    def received(self, count: int) -> list[Line]:
        """Return the requests once this many have arrived."""
        return eventually(
            lambda: self.receiver.lines(self.place), lambda lines: len(lines) >= count
        )

    def fetch(self) -> bytes:
        """Return the participant, byte for byte."""
        return self.api.get(self.path).body


def expected(conversation: ConversationWithWebhooks) -> dict[str, str]:
    """Return the parameters of the participant as created, without its dates."""
    shown, binding = conversation.participant, conversation.participant["messaging_binding"] or {}
    received = {
        "AccountSid": shown["account_sid"],
        "ChatServiceSid": conversation.resource["chat_service_sid"],
        "ConversationSid": shown["conversation_sid"],
        "ParticipantSid": shown["sid"],
        "Identity": shown["identity"],
        "RoleSid": shown["role_sid"],
        "Attributes": shown["attributes"],
        "MessagingBinding.Type": binding.get("type") or "chat",
        "MessagingBinding.Address": binding.get("address"),
        "MessagingBinding.ProxyAddress": binding.get("proxy_address"),
        "MessagingBinding.ProjectedAddress": binding.get("projected_address"),
        "Source": "API",
        "RetryCount": "0",
    }
    return {name: text for name, text in received.items() if text is not None}


@pytest.mark.parametrize("name", CHANGES)
def test_each_subscribed_webhook_is_called_once_with_the_right_parameters(
    own: Api, receiver: WebhookReceiver, name: str
) -> None:
    made_as, update, changed = CHANGES[name]
    conversation = ConversationWithWebhooks(own, receiver, name.replace(" ", "-"), made_as)
    conversation.listen()
    own.post(conversation.path, update, headers=ENABLED).expect(200)
    lines = conversation.received(3)
    places = sorted(line.path.removeprefix(conversation.place) for line in lines)
    assert places == ["/account", "/first", "/second"]
    assert len({line.token for line in lines}) == 3
    received = dict(lines[0].parameters)
    assert [dict(line.parameters) for line in lines] == [received] * 3
    assert list(received) == sorted(received)
    for date in ("DateCreated", "DateUpdated"):
        assert MILLISECONDS.fullmatch(received[date])
        if date not in changed:
            del received[date]
    wanted: dict[str, str | None] = {
        **expected(conversation),
        **changed,
        "EventType": "onParticipantUpdated",
    }
    if name == "identity taken off":
        # No role is left either, unless it has a default.
        wanted["RoleSid"] = own.get(conversation.path).expect(200)["role_sid"]
    assert received == {key: text for key, text in wanted.items() if text is not None}
    # The same addresses are used again in another conversation.
    own.delete(conversation.path).expect(204)


@pytest.mark.parametrize("header", [None, "false", "yes", ""])
def test_without_the_header_no_webhook_is_called(
    own: Api, receiver: WebhookReceiver, header: str | None
) -> None:
    conversation = ConversationWithWebhooks(own, receiver, f"silent-{header}", CHAT)
    conversation.listen(f"{conversation.place}/pre")
    headers = {} if header is None else {"X-Twilio-Webhook-Enabled": header}
    own.post(conversation.path, Attributes='{"quiet":1}', headers=headers).expect(200)
    # Webhooks of the first change would come before the second change's.
    own.post(conversation.path, Attributes='{"loud":1}', headers=ENABLED).expect(200)
    lines = conversation.received(4)
    assert len(lines) == 4
    assert {line.parameters["Attributes"] for line in lines} == {'{"loud":1}'}


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_rejected_update_leaves_the_participant_as_it_was(
    own: Api, receiver: WebhookReceiver, status: int
) -> None:
    conversation = ConversationWithWebhooks(own, receiver, f"rejected-{status}", CHAT)
    before = conversation.fetch()
    path = f"/status/{status}/{conversation.resource['sid']}"
    conversation.listen(path)
    form = {"Attributes": '{"seat": 9}', "LastReadMessageIndex": "1", "DateUpdated": "2030-01-01"}
    own.post(conversation.path, form, headers=ENABLED).refuses(403, 50056)
    assert conversation.fetch() == before
    (line,) = receiver.lines(path)
    assert line.event == "onParticipantUpdate"
    assert line.parameters["Attributes"] == '{"seat": 9}'
    # The next one passes, and is the first with a webhook.
    conversation.api.under("/v1").post("/Configuration/Webhooks", PreWebhookUrl="").expect(200)
    own.post(conversation.path, Attributes='{"seat": 3}', headers=ENABLED).expect(200)
    assert {line.parameters["Attributes"] for line in conversation.received(3)} == {'{"seat": 3}'}
    assert len(conversation.received(3)) == 3


def test_the_pre_action_webhook_gets_the_updated_state(own: Api, receiver: WebhookReceiver) -> None:
    conversation = ConversationWithWebhooks(own, receiver, "asked", CHAT)
    conversation.listen(f"{conversation.place}/pre")
    own.post(conversation.path, Attributes='{"seat": 2}', headers=ENABLED).expect(200)
    pre_action, *received = conversation.received(4)
    assert pre_action.path.endswith("/pre")
    values = dict(pre_action.parameters)
    # The date would be of the change before this one, but there was none.
    assert values.pop("DateUpdated") == values.pop("DateCreated")
    assert values == {
        **expected(conversation),
        "Attributes": '{"seat": 2}',
        "EventType": "onParticipantUpdate",
    }
    assert {line.event for line in received} == {"onParticipantUpdated"}
    assert len({line.token for line in (pre_action, *received)}) == 4


def test_an_invalid_update_calls_no_pre_action_webhook(own: Api, receiver: WebhookReceiver) -> None:
    conversation = ConversationWithWebhooks(own, receiver, "refused", CHAT)
    conversation.listen(f"{conversation.place}/pre")
    own.post(conversation.path, Attributes="{", headers=ENABLED).refuses(400, 50304)
    own.post(conversation.path, Attributes="{}", headers=ENABLED).expect(200)
    assert [line.parameters["Attributes"] for line in conversation.received(4)] == ["{}"] * 4
