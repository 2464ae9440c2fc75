"""A tour through every operation: each is called in many ways, each response is checked."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tests.conformance.response_checker import faults
from tests.conformance.seed_rows import seed_content_template, seed_media, seed_push_binding
from tests.contract.operations import operation_of
from tests.support.client import Api
from tests.support.phone_numbers import PROXY, phone_number
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.client import ApiResponse
    from tests.support.server import Server

MESSAGING_SERVICE = "MG" + "0" * 31 + "1"
STUDIO_FLOW = "FW" + "0" * 31 + "1"
MOMENT = "2023-05-04T09:42:00+00:00"
URL = "https://example.com/hook"
ATTRIBUTES = ' { "topic" : "Überraschung" } '


class Tour:
    """Requests as one account, all checked; the findings by operation."""

    def __init__(self, server: Server, account: tuple[str, str]) -> None:
        """Send no requests yet."""
        self.server = server
        self.account_sid = account[0]
        self.api = Api(server.base_url, *account)
        self.statuses: dict[str, set[int]] = defaultdict(set)
        self.findings: dict[str, list[str]] = defaultdict(list)
        self.answers: list[tuple[str, str, ApiResponse]] = []

    def send_request(self, method: str, path: str, *fields: dict[str, Any], **more: Any) -> Any:
        """Send a request that must succeed, check it, and return the JSON of the response."""
        given: dict[str, Any] = {}
        for each in (*fields, more):
            given |= each
        arguments = {"query": given} if method == "GET" else {"form": given}
        if method == "DELETE" or not given:
            arguments = {}
        answer = self.api.request(method, path, **arguments)
        target = self.api.target(path, arguments.get("query"))
        operation = operation_of(method, target.partition("?")[0])
        assert operation is not None, f"{method} {target} is no operation"
        answer.expect(
            answer.status if answer.status in operation.statuses else operation.statuses[0]
        )
        found = faults(operation.operation_id, self.server.base_url, target, answer)
        self.findings[operation.operation_id] += [f"{method} {target}: {each}" for each in found]
        self.statuses[operation.operation_id].add(answer.status)
        self.answers.append((operation.operation_id, target, answer))
        return answer.json

    def get(self, path: str, **query: Any) -> Any:
        """Send a GET."""
        return self.send_request("GET", path, query)

    def post(self, path: str, *fields: dict[str, Any], **more: Any) -> Any:
        """Send a POST."""
        return self.send_request("POST", path, *fields, more)

    def remove(self, path: str) -> None:
        """Send a DELETE."""
        self.send_request("DELETE", path)


def go(tour: Tour) -> None:
    """Do the whole tour: the account, a service, and the resources of both URL forms."""
    account(tour)
    service_sid = tour.post("/Services", FriendlyName="Branch office")["sid"]
    service(tour, service_sid)
    default_sid = tour.get("/Configuration")["default_chat_service_sid"]
    for prefix, sid in (("", default_sid), (f"/Services/{service_sid}", service_sid)):
        roles(tour, prefix)
        users(tour, prefix)
        conversations(tour, prefix)
        batch_create(tour, prefix)
        participants(tour, prefix)
        memberships(tour, prefix)
        messages(tour, prefix, sid)
        webhooks(tour, prefix)
    tour.remove(f"/Services/{service_sid}")


def pages_of(tour: Tour, path: str, **query: Any) -> None:
    """Read a list from its first page to its second and back."""
    tour.get(path, **query)
    first = tour.get(path, PageSize=1, **query)
    following = first["meta"]["next_page_url"]
    if following is not None:
        second = tour.get(following.removeprefix(tour.server.base_url))
        tour.get(second["meta"]["previous_page_url"].removeprefix(tour.server.base_url))
    tour.get(path, PageSize=1000, Page=3, **query)


def account(tour: Tour) -> None:
    """Account settings, addresses and credentials."""
    tour.get("/Configuration")
    tour.post("/Configuration", DefaultInactiveTimer="PT1M", DefaultClosedTimer="P1DT2H3M4S")
    tour.post(
        "/Configuration",
        DefaultMessagingServiceSid=MESSAGING_SERVICE,
        DefaultInactiveTimer="PT0S",
        DefaultClosedTimer="PT0S",
    )
    tour.get("/Configuration/Webhooks")
    tour.post(
        "/Configuration/Webhooks",
        Method="get",
        Filters=["onMessageAdd", "onMessageAdded"],
        PreWebhookUrl=URL,
        PostWebhookUrl=URL,
        Target="flex",
    )
    _addresses(tour)
    _credentials(tour)
    tour.get("/Services")


def _addresses(tour: Tour) -> None:
    made = tour.post(
        "/Configuration/Addresses",
        {
            "AutoCreation.Enabled": "true",
            "AutoCreation.Type": "webhook",
            "AutoCreation.WebhookUrl": URL,
            "AutoCreation.WebhookMethod": "get",
            "AutoCreation.WebhookFilters": ["onMessageAdded", "onParticipantAdded"],
        },
        Type="sms",
        Address="+37256123457",
        FriendlyName="Front desk",
    )
    tour.post("/Configuration/Addresses", Type="sms", Address="12345", AddressCountry="US")
    tour.post("/Configuration/Addresses", Type="email", Address="desk@example.com")
    path = f"/Configuration/Addresses/{made['sid']}"
    tour.get(path)
    tour.get("/Configuration/Addresses/+37256123457")
    studio = {
        "AutoCreation.Type": "studio",
        "AutoCreation.StudioFlowSid": STUDIO_FLOW,
        "AutoCreation.StudioRetryCount": 2,
        "AutoCreation.ConversationServiceSid": tour.get("/Configuration")[
            "default_chat_service_sid"
        ],
    }
    tour.post(path, studio)
    pages_of(tour, "/Configuration/Addresses")
    pages_of(tour, "/Configuration/Addresses", Type="sms")
    tour.remove(path)


def _credentials(tour: Tour) -> None:
    apn = tour.post(
        "/Credentials", Type="apn", FriendlyName="Phones", Certificate="1", PrivateKey="2",
        Sandbox="true",
    )  # fmt: skip
    tour.post("/Credentials", Type="fcm", Secret="3")
    tour.post("/Credentials", Type="gcm", ApiKey="4")
    tour.post(f"/Credentials/{apn['sid']}", Sandbox="false", FriendlyName="Tablets")
    tour.get(f"/Credentials/{apn['sid']}")
    pages_of(tour, "/Credentials")
    tour.remove(f"/Credentials/{apn['sid']}")


def service(tour: Tour, service_sid: str) -> None:
    """Settings of a service, and its push bindings."""
    path = f"/Services/{service_sid}"
    tour.get(path)
    pages_of(tour, "/Services")
    tour.get(f"{path}/Configuration")
    tour.post(f"{path}/Configuration", ReachabilityEnabled="true")
    tour.get(f"{path}/Configuration/Webhooks")
    tour.post(f"{path}/Configuration/Webhooks", PreWebhookUrl=URL, PostWebhookUrl=URL)
    tour.post(f"{path}/Configuration/Webhooks", Filters=["onUserAdded"], Method="GET")
    tour.get(f"{path}/Configuration/Notifications")
    notifications = {
        f"{event}.{member}": text
        for event in ("NewMessage", "AddedToConversation", "RemovedFromConversation")
        for member, text in (("Enabled", "true"), ("Template", "${MESSAGE}"), ("Sound", "ring"))
    }
    tour.post(
        f"{path}/Configuration/Notifications",
        notifications,
        {"NewMessage.BadgeCountEnabled": "true", "NewMessage.WithMedia.Enabled": "true"},
        {"NewMessage.WithMedia.Template": "${MEDIA}", "LogEnabled": "true"},
    )
    sid, *_ = (
        seed_push_binding(tour.server, tour.account_sid, service_sid, identity, kind)
        for identity, kind in (("alice", "fcm"), ("bob", "apn"), ("carol", "twilsock"))
    )
    tour.get(f"{path}/Bindings/{sid}")
    pages_of(tour, f"{path}/Bindings")
    pages_of(tour, f"{path}/Bindings", Identity=["alice", "bob"], BindingType=["fcm", "apn"])
    tour.remove(f"{path}/Bindings/{sid}")


def roles(tour: Tour, prefix: str) -> None:
    """Roles of both types."""
    made = tour.post(
        f"{prefix}/Roles",
        FriendlyName="reader",
        Type="conversation",
        Permission=["leaveConversation", "sendMessage"],
    )
    tour.post(f"{prefix}/Roles", FriendlyName="s", Type="Service", Permission="joinConversation")
    tour.post(f"{prefix}/Roles/{made['sid']}", Permission=["sendMessage"])
    tour.get(f"{prefix}/Roles/{made['sid']}")
    pages_of(tour, f"{prefix}/Roles")
    tour.remove(f"{prefix}/Roles/{made['sid']}")


def users(tour: Tour, prefix: str) -> None:
    """Users by SID and by identity."""
    bare = tour.post(f"{prefix}/Users", Identity="alice")
    named = {"Identity": "bob@example.com", "FriendlyName": "Bob", "Attributes": ATTRIBUTES}
    tour.post(f"{prefix}/Users", named, RoleSid=bare["role_sid"])
    tour.get(f"{prefix}/Users/{bare['sid']}")
    tour.get(f"{prefix}/Users/bob@example.com")
    tour.post(f"{prefix}/Users/alice", FriendlyName="Alice", Attributes="")
    pages_of(tour, f"{prefix}/Users")
    tour.remove(f"{prefix}/Users/bob@example.com")


def conversations(tour: Tour, prefix: str) -> None:
    """Conversations: empty, with all fields, inactive, closed; by SID and by unique name."""
    path = f"{prefix}/Conversations"
    tour.post(path)
    full = tour.post(
        path,
        {"Timers.Inactive": "PT1M", "Timers.Closed": "PT10M", "Attributes": ATTRIBUTES},
        {"Bindings.Email.Address": "desk@example.com", "Bindings.Email.Name": "Desk"},
        FriendlyName="Home Repair Visit",
        UniqueName="repair 1/ü",
        DateCreated=MOMENT,
        DateUpdated="2025-05-04T09:42:00Z",
        MessagingServiceSid=MESSAGING_SERVICE,
    )
    tour.post(path, {"Bindings.Email.Address": "desk@example.com"}, State="inactive")
    tour.get(f"{path}/{full['sid']}")
    tour.get(f"{path}/repair 1%2F%C3%BC")
    tour.post(f"{path}/{full['sid']}", {"Timers.Closed": "PT0S"}, UniqueName="", State="inactive")
    tour.post(f"{path}/{full['sid']}", State="closed")
    tour.get(f"{path}/{full['sid']}")
    pages_of(tour, path)
    pages_of(tour, path, State="closed", StartDate="2023-05-04", EndDate="2027-01-01")
    tour.remove(f"{path}/{full['sid']}")


def batch_create(tour: Tour, prefix: str) -> None:
    """Conversations created with participants, and without."""
    alone = {"FriendlyName": "alone", "UniqueName": "alone"}
    tour.post(f"{prefix}/ConversationWithParticipants", alone)
    binding = {"address": phone_number(), "proxy_address": PROXY}
    made = tour.post(
        f"{prefix}/ConversationWithParticipants",
        {"Timers.Closed": "PT10M"},
        Participant=[
            json.dumps({"identity": "carol"}),
            json.dumps({"messaging_binding": binding, "attributes": '{"a":1}'}),
        ],
    )
    path = f"{prefix}/Conversations/{made['sid']}"
    tour.get(path)
    eventually(lambda: tour.api.get(path).expect(200)["state"], lambda state: state == "active")
    tour.get(f"{path}/Participants")


def participants(tour: Tour, prefix: str) -> None:
    """Participants of every kind, by SID and by identity."""
    conversation = tour.post(f"{prefix}/Conversations")["sid"]
    path = f"{prefix}/Conversations/{conversation}/Participants"
    chat = tour.post(path, Identity="dave@example.com", Attributes=ATTRIBUTES, DateCreated=MOMENT)
    tour.post(path, bound(phone_number()))
    tour.post(path, bound(f"whatsapp:{phone_number()}", f"whatsapp:{PROXY}"))
    tour.post(f"{prefix}/Conversations/{conversation}/Messages", Body="one")
    tour.get(f"{path}/dave@example.com")
    tour.post(f"{path}/dave%40example.com", LastReadMessageIndex=0, RoleSid=chat["role_sid"])
    tour.post(f"{path}/{chat['sid']}", LastReadTimestamp="2025-05-04T09:42:00Z", Attributes="{}")
    pages_of(tour, path)
    tour.remove(f"{path}/dave@example.com")
    _group(tour, prefix)


def _group(tour: Tour, prefix: str) -> None:
    conversation = tour.post(f"{prefix}/Conversations")["sid"]
    path = f"{prefix}/Conversations/{conversation}/Participants"
    projected = {"MessagingBinding.ProjectedAddress": "+15017122663"}
    tour.post(path, projected, Identity=f"erin-{len(prefix)}")
    bare = tour.post(path, {"MessagingBinding.ProjectedAddress": "+15017122664"})
    tour.post(path, {"MessagingBinding.Address": phone_number()})
    tour.get(path)
    tour.post(f"{path}/{bare['sid']}", Identity=f"frank-{len(prefix)}")
    tour.get(f"{prefix}/ParticipantConversations", Identity=f"erin-{len(prefix)}")
    tour.remove(f"{path}/{bare['sid']}")


def bound(address: str, proxy: str = PROXY) -> dict[str, str]:
    """Return the parameters of a messaging participant."""
    return {"MessagingBinding.Address": address, "MessagingBinding.ProxyAddress": proxy}


def memberships(tour: Tour, prefix: str) -> None:
    """Conversations of a user, an identity or an address."""
    number = phone_number()
    for name in ("", "named"):
        fields = {"FriendlyName": name, "UniqueName": name} if name else {}
        sid = tour.post(f"{prefix}/Conversations", fields, {"Timers.Closed": "PT10M"})["sid"]
        tour.post(f"{prefix}/Conversations/{sid}/Participants", Identity="grace")
        address = number if name else phone_number()
        tour.post(f"{prefix}/Conversations/{sid}/Participants", bound(address))
        tour.post(f"{prefix}/Conversations/{sid}/Messages", Body="one")
    path = f"{prefix}/Users/grace/Conversations"
    tour.get(f"{path}/{sid}")
    tour.post(f"{path}/named", NotificationLevel="muted", LastReadMessageIndex=0)
    tour.get(f"{path}/named")
    pages_of(tour, path)
    pages_of(tour, f"{prefix}/ParticipantConversations", Identity="grace")
    pages_of(tour, f"{prefix}/ParticipantConversations", Address=number)
    tour.post(f"{prefix}/Conversations/{sid}", State="closed")
    pages_of(tour, path)
    tour.remove(f"{path}/{tour.get(path)['conversations'][0]['conversation_sid']}")


def messages(tour: Tour, prefix: str, service_sid: str) -> None:
    """Messages with all optional parts, and their receipts."""
    conversation = tour.post(f"{prefix}/Conversations")["sid"]
    path = f"{prefix}/Conversations/{conversation}/Messages"
    plain = tour.post(path, Body="Hello", Author="heidi", Attributes=ATTRIBUTES)
    tour.post(path)
    tour.post(f"{prefix}/Conversations/{conversation}/Participants", Identity="heidi")
    tour.post(f"{prefix}/Conversations/{conversation}/Participants", bound(phone_number()))
    for filename in ("car.jpg", None):
        medium = seed_media(tour.server, tour.account_sid, service_sid, filename)
        sent = tour.post(path, MediaSid=medium, Author="heidi")
    template = seed_content_template(tour.server, tour.account_sid, "Hello {{1}}")
    tour.post(path, ContentSid=template, ContentVariables='{"1": "John"}')
    tour.post(f"{path}/{plain['sid']}", Author="ivan", DateUpdated=MOMENT, Body="")
    tour.get(f"{path}/{plain['sid']}")
    pages_of(tour, path)
    pages_of(tour, path, Order="DESC")
    receipts = f"{path}/{sent['sid']}/Receipts"
    shown = eventually(
        lambda: tour.api.get(receipts).expect(200)["delivery_receipts"],
        lambda found: found and found[0]["status"] == "delivered",
    )
    tour.get(f"{receipts}/{shown[0]['sid']}")
    pages_of(tour, receipts)
    tour.get(f"{path}/{sent['sid']}")
    tour.get(f"{path}/{plain['sid']}/Receipts")
    tour.remove(f"{path}/{plain['sid']}")


def webhooks(tour: Tour, prefix: str) -> None:
    """Webhooks of a conversation, of every target."""
    conversation = tour.post(f"{prefix}/Conversations")["sid"]
    path = f"{prefix}/Conversations/{conversation}/Webhooks"
    called = {"Configuration.Url": URL, "Configuration.Method": "get"}
    filters = {"Configuration.Filters": ["onMessageAdded", "onConversationRemoved"]}
    first = tour.post(path, called, filters, {"Configuration.ReplayAfter": 0}, Target="webhook")
    tour.post(path, called, {"Configuration.Triggers": ["help", "stop"]}, Target="trigger")
    tour.post(path, {"Configuration.FlowSid": STUDIO_FLOW}, Target="studio")
    tour.post(f"{path}/{first['sid']}", {"Configuration.Method": "POST"})
    tour.get(f"{path}/{first['sid']}")
    pages_of(tour, path)
    tour.remove(f"{path}/{first['sid']}")
