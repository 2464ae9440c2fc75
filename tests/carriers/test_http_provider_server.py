"""An HTTP provider and a whole server: outbox, receipts, callbacks and media in both directions."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.carriers.provider_stand_in import (
    ACCOUNT,
    TOKEN,
    ProviderStandIn,
    ProviderSubmission,
    ScriptedResponse,
    call_back,
    report,
)
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("http-provider")]

NUMBER = "+15550100001"
FILE = """
[carriers.main]
type = "http-provider"
base_url = "{url}"
account_sid = "{account}"
auth_token = {{ env = "PROVIDER_TOKEN" }}

[[routes]]
channel = "sms"
carrier = "main"

[[routes]]
channel = "whatsapp"
carrier = "main"

[[numbers]]
addresses = ["{number}", "whatsapp:{number}"]
account = "{owner}"
"""


class ServerWithProvider:
    """A server whose senders belong to the provider."""

    def __init__(self, provider: ProviderStandIn, folder: Any) -> None:
        path = folder / "carriers.toml"
        self.provider = provider
        self.server = Server(args=("--carriers", str(path)), env={"PROVIDER_TOKEN": TOKEN})
        self.server._env["PARLOUR_PUBLIC_URL"] = self.server.base_url
        path.write_text(
            FILE.format(
                url=provider.url, account=ACCOUNT, number=NUMBER, owner=self.server.account_sid
            )
        )
        self.server.start()
        self.api = Api(self.server.base_url, self.server.account_sid, self.server.auth_token)
        self.callback_url = f"{self.server.base_url}/parlour/v1/Carriers/main"
        self._phones = 0

    def close(self) -> None:
        self.api.close()
        self.server.close()

    def new_phone(self) -> str:
        """Return a number that no other test uses."""
        self._phones += 1
        return f"+1555866{self._phones:04}"

    def converse(self, phone: str, prefix: str = "") -> str:
        """Return a conversation with a phone."""
        sid = str(self.api.post("/Conversations").expect(201)["sid"])
        self.api.post(
            f"/Conversations/{sid}/Participants",
            {
                "MessagingBinding.Address": prefix + phone,
                "MessagingBinding.ProxyAddress": prefix + NUMBER,
            },
        ).expect(201)
        return sid

    def send(self, conversation: str, **parameters: str) -> str:
        """Return the path of a new message."""
        path = f"/Conversations/{conversation}/Messages"
        return f"{path}/{self.api.post(path, **parameters).expect(201)['sid']}"

    def receipts(self, message: str) -> list[tuple[str, int]]:
        rows = self.api.get(f"{message}/Receipts").expect(200)["delivery_receipts"]
        return [(each["status"], each["error_code"]) for each in rows]

    def receipt(self, message: str) -> tuple[str, int] | None:
        return next(iter(self.receipts(message)), None)

    def await_receipt(self, message: str, status: str, code: int = 0) -> None:
        eventually(lambda: self.receipt(message), lambda seen: seen == (status, code))

    def submission(self, phone: str) -> ProviderSubmission:
        """Return the one submission to a phone, once it arrived at the provider."""
        [found] = eventually(lambda: self.provider.to(phone), bool)
        return found

    def messages(self, conversation: str) -> list[dict[str, Any]]:
        found = self.api.get(f"/Conversations/{conversation}/Messages").expect(200)
        rows: list[dict[str, Any]] = found["messages"]
        return rows


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerWithProvider]:
    with ProviderStandIn() as provider:
        made = ServerWithProvider(provider, tmp_path_factory.mktemp("provider"))
        yield made
        made.close()


# --- Outbound -----------------------------------------------------------------------------


def test_signed_callbacks_move_the_receipt_and_forged_or_late_ones_do_not(
    connected: ServerWithProvider,
) -> None:
    phone = connected.new_phone()
    message = connected.send(connected.converse(phone), Body="Grüße 😀")
    sent = connected.submission(phone)
    assert (sent.field("From"), sent.field("Body")) == (NUMBER, "Grüße 😀")
    connected.await_receipt(message, "sent")

    assert report(sent, "delivered", token="another") == 403
    assert connected.receipt(message) == ("sent", 0)
    assert report(sent, "undelivered", ErrorCode="30003") == 200
    assert connected.receipt(message) == ("undelivered", 30003)
    assert report(sent, "delivered") == 200
    assert report(sent, "sent") == 200
    assert report(sent, "failed", ErrorCode="30008") == 200
    assert connected.receipt(message) == ("delivered", 0)


def test_a_callback_before_the_response_counts(connected: ServerWithProvider) -> None:
    phone = connected.new_phone()
    statuses: list[int] = []
    early = ScriptedResponse(before=lambda sent: statuses.append(report(sent, "delivered")))
    connected.provider.script[phone] = [early]

    message = connected.send(connected.converse(phone), Body="Early")

    connected.await_receipt(message, "delivered")
    # The receipt is visible before the provider has the response to its callback.
    assert eventually(lambda: statuses, bool) == [200]
    connected.submission(phone)


def test_a_rejection_fails_with_the_providers_code(connected: ServerWithProvider) -> None:
    phone = connected.new_phone()
    rejected = ScriptedResponse(400, {"code": 21211, "message": "Invalid 'To'"})
    connected.provider.script[phone] = [rejected]

    message = connected.send(connected.converse(phone), Body="Nowhere")

    connected.await_receipt(message, "failed", 21211)


def test_a_throttled_message_is_retried_with_the_same_reference(
    connected: ServerWithProvider,
) -> None:
    phone = connected.new_phone()
    throttled = ScriptedResponse(429, {"code": 20429}, {"Retry-After": "1"})
    connected.provider.script[phone] = [throttled, throttled]

    message = connected.send(connected.converse(phone), Body="Patience")

    connected.await_receipt(message, "sent")
    attempts = connected.provider.to(phone)
    assert len(attempts) == 3
    assert len({each.field("StatusCallback") for each in attempts}) == 1


def test_a_group_message_fails_for_each_member_and_nothing_is_sent(
    connected: ServerWithProvider,
) -> None:
    conversation = str(connected.api.post("/Conversations").expect(201)["sid"])
    members = [connected.new_phone() for _ in range(2)]
    author = {"Identity": "ann", "MessagingBinding.ProjectedAddress": NUMBER}
    for form in (author, *({"MessagingBinding.Address": each} for each in members)):
        connected.api.post(f"/Conversations/{conversation}/Participants", form).expect(201)

    message = connected.send(conversation, Body="To all", Author="ann")

    failed = [("failed", 21612)] * len(members)
    eventually(lambda: connected.receipts(message), lambda seen: seen == failed)
    assert [connected.provider.to(each) for each in members] == [[], []]


# --- Inbound ------------------------------------------------------------------------------


def test_an_inbound_message_with_a_medium_is_stored_once(connected: ServerWithProvider) -> None:
    phone = connected.new_phone()
    conversation = connected.converse(phone)
    connected.provider.media["/Media/ME1"] = ("image/png", b"\x89PNG picture")
    parameters = {
        "MessageSid": f"MM-{phone}",
        "From": phone,
        "To": NUMBER,
        "Body": "Look & see",
        "NumMedia": "1",
        "MediaUrl0": f"{connected.provider.url}/Media/ME1",
        "MediaContentType0": "image/png",
    }

    assert call_back(f"{connected.callback_url}/inbound", **parameters) == 200
    assert call_back(f"{connected.callback_url}/inbound", **parameters) == 200

    [message] = eventually(lambda: connected.messages(conversation), bool)
    assert (message["author"], message["body"]) == (phone, "Look & see")
    [medium] = message["media"]
    assert (medium["content_type"], medium["size"]) == ("image/png", 12)
    [(_, authorization)] = connected.provider.downloads
    credentials = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    assert authorization == f"Basic {credentials}"
    assert len(connected.messages(conversation)) == 1


def test_a_medium_elsewhere_is_left_out_and_the_text_arrives(connected: ServerWithProvider) -> None:
    phone = connected.new_phone()
    conversation = connected.converse(phone)
    parameters = {
        "MessageSid": f"MM-{phone}",
        "From": phone,
        "To": NUMBER,
        "Body": "A trap",
        "NumMedia": "1",
        "MediaUrl0": f"{connected.server.base_url}/metrics",
    }

    assert call_back(f"{connected.callback_url}/inbound", **parameters) == 200

    [message] = eventually(lambda: connected.messages(conversation), bool)
    assert (message["body"], message["media"]) == ("A trap", None)


def test_whatsapp_has_metadata_and_gets_an_answer(connected: ServerWithProvider) -> None:
    phone = connected.new_phone()
    conversation = connected.converse(phone, "whatsapp:")
    parameters = {
        "MessageSid": f"WA-{phone}",
        "From": f"whatsapp:{phone}",
        "To": f"whatsapp:{NUMBER}",
        "Body": "Hi",
        "ProfileName": "Ann",
        "WaId": phone[1:],
    }

    assert call_back(f"{connected.callback_url}/inbound", **parameters) == 200
    [message] = eventually(lambda: connected.messages(conversation), bool)
    answer = connected.send(conversation, Body="Hello Ann")

    metadata = connected.api.get(
        f"/Conversations/{conversation}/Messages/{message['sid']}/ChannelMetadata"
    ).expect(200)
    assert metadata["type"] == "whatsapp"
    assert metadata["data"]["context"] == {"ProfileName": "Ann", "WaId": phone[1:]}
    sent = connected.submission(f"whatsapp:{phone}")
    assert (sent.field("From"), sent.field("Body")) == (f"whatsapp:{NUMBER}", "Hello Ann")
    connected.await_receipt(answer, "sent")
    assert report(sent, "read") == 200
    assert connected.receipt(answer) == ("read", 0)


def test_hostile_callbacks_are_refused_and_unknown_ones_accepted(
    connected: ServerWithProvider,
) -> None:
    inbound = f"{connected.callback_url}/inbound"
    known = {"MessageSid": "SM1", "From": "+15558660000", "To": NUMBER, "Body": "x"}
    status = {"MessageSid": "SM-unknown", "MessageStatus": "delivered"}

    assert call_back(inbound, token="another", **known) == 403
    assert httpx.post(inbound, data=known).status_code == 403
    assert call_back(inbound, **(known | {"From": "nobody"})) == 400
    assert call_back(inbound, **(known | {"Body": "x" * 2**21})) == 400
    assert call_back(f"{connected.callback_url}/elsewhere", **known) == 404
    assert call_back(f"{connected.callback_url}/status", **status) == 200
    assert call_back(f"{connected.callback_url}/status/SM{'0' * 32}", **status) == 200
    assert call_back(inbound, **(known | {"To": "+15550199999"})) == 200
