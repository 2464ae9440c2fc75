"""A server whose numbers are connected to the stand-in of the Cloud API, end to end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.carriers.graph_api import (
    APP_SECRET,
    NUMBER_ID,
    TOKEN,
    USER,
    USER_ID,
    VERIFY_TOKEN,
    GraphApi,
    GraphError,
    contact,
    message_value,
    signature,
    status_value,
    webhook,
)
from tests.carriers.whatsapp_setup import OWN, PHONE, PNG
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("whatsapp server")

WEBHOOK = "/parlour/v1/Carriers/meta/webhook"
FILE = """
[carriers.meta]
type = "whatsapp"
base_url = "{base_url}"
access_token = {{ env = "WHATSAPP_TOKEN" }}
app_secret = {{ env = "WHATSAPP_APP_SECRET" }}
verify_token = {{ env = "WHATSAPP_VERIFY_TOKEN" }}

[carriers.meta.phone_numbers]
"+15017122661" = "{number_id}"

[[routes]]
channel = "whatsapp"
carrier = "meta"

[[numbers]]
account = "{account_sid}"
address = "whatsapp:+15017122661"
"""
SECRETS = {
    "WHATSAPP_TOKEN": TOKEN,
    "WHATSAPP_APP_SECRET": APP_SECRET,
    "WHATSAPP_VERIFY_TOKEN": VERIFY_TOKEN,
}


class ConnectedServer:
    """A server, its stand-in, and one conversation with a user of WhatsApp."""

    def __init__(self, server: Server, graph: GraphApi) -> None:
        self.graph = graph
        self.api = Api(server.base_url, server.account_sid, server.auth_token)
        self.open = Api(server.base_url, None, None)

    def converse(self, user: str) -> str:
        """Return the path of the messages of a new conversation with a user."""
        conversation = self.api.post("/Conversations").expect(201)["sid"]
        binding = {
            "MessagingBinding.Address": f"whatsapp:+{user}",
            "MessagingBinding.ProxyAddress": OWN,
        }
        self.api.post(f"/Conversations/{conversation}/Participants", binding).expect(201)
        return f"/Conversations/{conversation}/Messages"

    def call_back(self, body: bytes, given: str | None = None) -> int:
        """Post a webhook; return the status of the response."""
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": signature(body) if given is None else given,
        }
        response = self.open.request("POST", WEBHOOK, body=body, headers=headers)
        return response.status

    def receive(self, user: str, type_: str, content: Any, **members: Any) -> None:
        """Let a user send a message to the own number."""
        sender = {**contact(), "wa_id": user}
        value = message_value(type_, content, sender=sender, **{"from": user, **members})
        assert self.call_back(webhook(value)) == 200

    def messages(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get(path).expect(200)["messages"]
        return found

    def receipt(self, path: str, message_sid: str, status: str) -> dict[str, Any]:
        """Return the only receipt of a message once it has a status."""

        def read() -> dict[str, Any] | None:
            found = self.api.get(f"{path}/{message_sid}/Receipts").expect(200)["delivery_receipts"]
            return next((each for each in found if each["status"] == status), None)

        made = eventually(read, lambda found: found is not None)
        assert made is not None
        return made


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConnectedServer]:
    folder: Path = tmp_path_factory.mktemp("whatsapp")
    path = folder / "carriers.toml"
    with GraphApi() as graph:
        server = Server(env={"PARLOUR_CARRIERS": str(path), **SECRETS})
        path.write_text(
            FILE.format(
                base_url=graph.base_url, number_id=NUMBER_ID, account_sid=server.account_sid
            )
        )
        with server:
            made = ConnectedServer(server, graph)
            yield made
            made.api.close()
            made.open.close()


def sent(connected: ConnectedServer, count: int) -> list[dict[str, Any]]:
    """Return the messages that the stand-in has, once there are so many."""
    return eventually(lambda: connected.graph.messages, lambda found: len(found) >= count)


def test_a_message_is_sent_within_the_window_and_its_receipt_follows_the_webhooks(
    connected: ConnectedServer,
) -> None:
    path = connected.converse(USER)
    connected.receive(USER, "text", {"body": "Hi"}, id="wamid.first")
    (first,) = eventually(lambda: connected.messages(path), bool)
    assert (first["author"], first["body"], first["index"]) == (PHONE, "Hi", 0)
    metadata = connected.api.get(f"{path}/{first['sid']}/ChannelMetadata").expect(200)
    assert metadata["type"] == "whatsapp"
    assert metadata["data"]["context"]["ProfileName"] == "Ada"
    assert metadata["data"]["context"]["UserId"] == USER_ID
    # A redelivery makes no second message.
    connected.receive(USER, "text", {"body": "Hi"}, id="wamid.first")
    before = len(connected.graph.messages)
    made = connected.api.post(path, Body="Hello", Author="support").expect(201)
    message = sent(connected, before + 1)[-1]
    assert message["text"] == {"body": "Hello"}
    assert message["to"] == f"+{USER}"
    receipt = connected.receipt(path, made["sid"], "sent")
    assert receipt["channel_message_sid"] == message["biz_opaque_callback_data"]
    assert receipt["channel_message_sid"].startswith("WA")
    identifier = f"wamid.{len(connected.graph.messages):08}"
    for status in ("delivered", "read"):
        assert connected.call_back(webhook(status_value(status, identifier))) == 200
        connected.receipt(path, made["sid"], status)
    # A late one changes nothing.
    assert connected.call_back(webhook(status_value("delivered", identifier))) == 200
    delivery = connected.api.get(f"{path}/{made['sid']}").expect(200)["delivery"]
    assert (delivery["total"], delivery["delivered"], delivery["read"]) == (1, "all", "all")
    assert len(connected.messages(path)) == 2


def test_a_failed_webhook_is_undelivered_and_an_error_at_submission_failed(
    connected: ConnectedServer,
) -> None:
    user = "15558675311"
    path = connected.converse(user)
    connected.receive(user, "text", {"body": "Hi"}, id="wamid.second")
    eventually(lambda: connected.messages(path), bool)
    made = connected.api.post(path, Body="Hello").expect(201)
    receipt = connected.receipt(path, made["sid"], "sent")
    reference = receipt["channel_message_sid"]
    errors = [{"code": 131026, "title": "Message undeliverable"}]
    value = status_value("failed", "wamid.unknown", errors=errors)
    value["statuses"][0]["biz_opaque_callback_data"] = reference
    assert connected.call_back(webhook(value)) == 200
    assert connected.receipt(path, made["sid"], "undelivered")["error_code"] == 63024
    connected.graph.planned.append(GraphError(400, 132001))
    made = connected.api.post(path, Body="Hello again").expect(201)
    assert connected.receipt(path, made["sid"], "failed")["error_code"] == 63027


def test_media_go_both_ways(connected: ConnectedServer) -> None:
    user = "15558675312"
    path = connected.converse(user)
    connected.graph.media["77"] = ("image/png", PNG)
    content = {"id": "77", "mime_type": "image/png", "caption": "Look"}
    connected.receive(user, "image", content, id="wamid.third")
    (message,) = eventually(lambda: connected.messages(path), bool)
    assert message["body"] == "Look"
    (medium,) = message["media"]
    assert (medium["content_type"], medium["size"]) == ("image/png", len(PNG))


def test_outside_the_window_only_approved_templates_are_sent(connected: ConnectedServer) -> None:
    api, path = connected.api, connected.converse("15558675313")
    before = len(connected.graph.messages)
    made = api.post(path, Body="Hello").expect(201)
    assert connected.receipt(path, made["sid"], "undelivered")["error_code"] == 63016
    assert len(connected.graph.messages) == before
    types = {"twilio/text": {"body": "Your table for {{1}} is ready."}}
    content = {"friendly_name": "table", "language": "en", "types": types}
    headers = {"Content-Type": "application/json"}
    template = api.request("POST", "/Content", body=json.dumps(content), headers=headers)
    sid = template.expect(201)["sid"]
    approval = {"name": "table_ready", "category": "UTILITY"}
    api.post(f"/Content/{sid}/ApprovalRequests/whatsapp", approval).expect(201)
    connected.graph.templates["table_ready", "en"] = 1
    made = api.post(path, ContentSid=sid, ContentVariables='{"1":"four"}').expect(201)
    assert made["body"] == "Your table for four is ready."
    connected.receipt(path, made["sid"], "sent")
    made = api.post(path, Body="Your table for six is ready.").expect(201)
    connected.receipt(path, made["sid"], "sent")
    values = []
    for message in connected.graph.messages[before:]:
        assert message["template"]["name"] == "table_ready"
        values.append(message["template"]["components"][0]["parameters"][0]["text"])
    assert values == ["four", "six"]


def test_hostile_webhooks_are_refused_and_unknown_ids_acknowledged(
    connected: ConnectedServer,
) -> None:
    body = webhook(status_value("delivered", "wamid.unknown"))
    assert connected.call_back(body, "sha256=" + "0" * 64) == 403
    assert connected.call_back(body) == 200
    assert connected.call_back(b"{", signature(b"{")) == 400
    query = {"hub.mode": "subscribe", "hub.challenge": "4711", "hub.verify_token": VERIFY_TOKEN}
    response = connected.open.get(WEBHOOK, query)
    assert (response.status, response.body) == (200, b"4711")
    assert connected.open.get(WEBHOOK, {**query, "hub.verify_token": "x"}).status == 403
