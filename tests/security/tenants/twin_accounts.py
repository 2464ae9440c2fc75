"""Twins: accounts with the same names, texts and addresses, which differ in their sids only.

Isolation usually fails at names: the unique name in a path, an identity, a pair of addresses. So
both accounts, and the two services of each, use the same names. In addition each service has a few
names that the other one lacks, and `Only` holds the names of one account alone.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.security.tenants.channel_objects import add_number, seed_phones
from tests.security.tenants.targets import (
    SID,
    CallerCredentials,
    CallerRequest,
    MatrixTarget,
    rows_of,
    settle,
)
from tests.security.tenants.valid_forms import ALICE, PHONES, URL
from tests.security.tenants.webhook_objects import seed_attempt
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping

PROXY = "+15017122661"
PROXIES = (PROXY, "+15017122662", "+15017122663", "+15017122664")
"""One for each conversation, since the same two users are in all of them."""
RESERVED = ("+15005550331", "+15005550332")
"""An address for each service of an account, in a pair that is reserved."""
CHAIN_OF_USER = "Users/Conversations"
"""The chain's key for the conversation at the end of a user's path."""


@dataclass
class ServiceObjects:
    """One service: a chain of sids from its conversation downwards, and a second such chain."""

    sid: str
    chain: dict[str, str] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """Names that both services have."""
    only: dict[str, str] = field(default_factory=dict)
    """Names that the account's other service lacks."""


@dataclass
class AccountObjects:
    """One account with objects of every kind."""

    login: CallerCredentials
    default: ServiceObjects
    second: ServiceObjects
    account: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    key: CallerCredentials | None = None
    only: dict[str, str] = field(default_factory=dict)

    @property
    def sid(self) -> str:
        """The account's sid."""
        return self.login.name

    @property
    def services(self) -> tuple[ServiceObjects, ServiceObjects]:
        """The default service and the other one."""
        return self.default, self.second


class AccountClient:
    """One account, with requests of its owner."""

    def __init__(self, target: MatrixTarget, login: CallerCredentials) -> None:
        """Create a client with a login."""
        self.target = target
        self.login = login

    def get(self, path: str) -> dict[str, Any]:
        """The requests that read."""
        return self._json("GET", path, {})

    def post(self, path: str, **fields: str | list[str]) -> dict[str, Any]:
        """The requests that create or change. Two underscores of a name mean a dot."""
        return self._json("POST", path, {name.replace("__", "."): v for name, v in fields.items()})

    def _json(self, method: str, path: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.target.send(CallerRequest(method, path, fields, self.login.header))
        assert answer.status < 300, f"{method} {path} {fields}: {answer.status} {answer.body!r}"
        found: dict[str, Any] = json.loads(answer.body)
        return found


def build(target: MatrixTarget) -> AccountObjects:
    """Create an account with everything that twins have."""
    login = target.make_account()
    account = AccountClient(target, login)
    default_sid = account.get("/v1/Configuration")["default_chat_service_sid"]
    second_sid = account.post("/v1/Services", FriendlyName="Second")["sid"]
    world = AccountObjects(login, ServiceObjects(default_sid), ServiceObjects(second_sid))
    _fill_account(account, world)
    for number, service in enumerate(world.services):
        _fill_service(account, world, service, number)
    settle(target)
    return world


def _fill_account(account: AccountClient, world: AccountObjects) -> None:
    """Create the objects of the account as a whole."""
    made = [
        account.post("/v1/Configuration/Addresses", Type="sms", Address=f"+1500555020{number}")
        for number in range(2)
    ]
    credentials = [
        account.post("/v1/Credentials", Type="fcm", Secret="a push secret", FriendlyName="Push")
        for _ in range(2)
    ]
    keys = [
        account.post(f"/2010-04-01/Accounts/{world.sid}/Keys.json", FriendlyName="Key")
        for _ in range(2)
    ]
    account.post(
        "/v1/Configuration/Webhooks", PostWebhookUrl=URL, Filters=["onConversationUpdated"]
    )
    configuration = account.post("/v1/Configuration", DefaultClosedTimer="P30D")
    templates = [
        account.post("/parlour/v1/ContentTemplates", FriendlyName="Greeting", Body="Hello {{1}}")
        for _ in range(2)
    ]
    account.post(
        f"/v1/Content/{templates[0]['sid']}/ApprovalRequests/whatsapp",
        name="greeting",
        category="UTILITY",
    )
    attempts = [seed_attempt(account.target, world, number) for number in (1, 2)]
    world.account = {
        "Accounts": world.sid,
        "Addresses": made[0]["sid"],
        "Credentials": credentials[0]["sid"],
        "Keys": keys[0]["sid"],
        "Services": world.second.sid,
        "MessagingServices": configuration["default_messaging_service_sid"],
        "ContentTemplates": templates[0]["sid"],
        "Content": templates[1]["sid"],
        "WebhookAttempts": attempts[0],
        "Requests": "RQ" + world.sid[2:],
        "Connections": "CN" + world.sid[2:],
        **seed_phones(account),
    }
    world.names = {"Addresses": made[0]["address"]}
    world.key = CallerCredentials(keys[1]["sid"], keys[1]["secret"])


def _fill_service(
    account: AccountClient, world: AccountObjects, service: ServiceObjects, number: int
) -> None:
    """Create two objects of each kind in a service, and names that the other service lacks."""
    base = f"/v1/Services/{service.sid}"
    service.chain["Services"] = service.elsewhere["Services"] = service.sid
    role = account.post(
        f"{base}/Roles", FriendlyName="Moderator", Type="conversation", Permission=["sendMessage"]
    )
    warden = account.post(
        f"{base}/Roles", FriendlyName="Warden", Type="service", Permission=["joinConversation"]
    )
    for identity in (ALICE, "bob"):
        account.post(
            f"{base}/Users", Identity=identity, FriendlyName="A user", RoleSid=warden["sid"]
        )
    _configure(account, base)
    lobby = _fill_conversation(account, base, "lobby", role["sid"], PROXIES[2 * number])
    attic = _fill_conversation(account, base, "attic", role["sid"], PROXIES[2 * number + 1])
    user = account.get(f"{base}/Users/{ALICE}")
    bindings = [
        _seed_binding(account.target, world, service, kind) for kind in ("fcm", "fcm", "apn")
    ]
    service.chain |= lobby | {
        "Roles": role["sid"],
        "ServiceRoles": warden["sid"],
        "DefaultRoles": account.get(f"{base}/Configuration")["default_conversation_role_sid"],
        "Users": user["sid"],
        "Bindings": bindings[0],
        "Media": seed_media(account.target, world, service),
        CHAIN_OF_USER: attic["Conversations"],
    }
    service.elsewhere |= attic
    _reserve_pair(account.target, world, service, RESERVED[number])
    service.names = {"Conversations": "lobby", "Participants": ALICE, "Users": ALICE}
    service.only = _only_here(account, base, lobby["Conversations"], ("den", "loft")[number])


def _configure(account: AccountClient, base: str) -> None:
    account.post(f"{base}/Configuration", ReachabilityEnabled="true")
    account.post(
        f"{base}/Configuration/Notifications",
        NewMessage__Enabled="true",
        NewMessage__Template="A message",
    )
    account.post(
        f"{base}/Configuration/Webhooks", PostWebhookUrl=URL, Filters=["onConversationUpdated"]
    )


def _fill_conversation(
    account: AccountClient, base: str, name: str, role_sid: str, proxy_address: str
) -> dict[str, str]:
    """Create a conversation with participants, messages, receipts and webhooks."""
    made = account.post(f"{base}/Conversations", UniqueName=name, FriendlyName=name.title())
    conversation_path = f"{base}/Conversations/{made['sid']}"
    alice = account.post(f"{conversation_path}/Participants", Identity=ALICE, RoleSid=role_sid)
    phones = [
        account.post(
            f"{conversation_path}/Participants",
            MessagingBinding__Address=address,
            MessagingBinding__ProxyAddress=proxy_address,
        )
        for address in PHONES
    ]
    messages = [
        account.post(f"{conversation_path}/Messages", Body=text, Author=ALICE)
        for text in ("one", "two")
    ]
    account.post(f"{conversation_path}/Participants/{ALICE}", LastReadMessageIndex="0")
    webhooks = [
        account.post(
            f"{conversation_path}/Webhooks",
            Target="webhook",
            Configuration__Url=URL,
            Configuration__Filters=["onMessageAdded"],
        )
        for _ in range(2)
    ]
    path = f"{conversation_path}/Messages/{messages[0]['sid']}/Receipts"
    receipts = eventually(lambda: account.get(path)["delivery_receipts"], bool)
    return {
        "Conversations": made["sid"],
        "Participants": alice["sid"],
        "Messages": messages[0]["sid"],
        "Receipts": receipts[0]["sid"],
        "Webhooks": webhooks[0]["sid"],
        "Phones": phones[0]["sid"],
    }


def _only_here(account: AccountClient, base: str, lobby_sid: str, name: str) -> dict[str, str]:
    """Create a conversation, a user and a participant with a unique name."""
    account.post(f"{base}/Conversations", UniqueName=name)
    account.post(f"{base}/Conversations/{lobby_sid}/Participants", Identity=name)
    return {"Conversations": name, "Users": name, "Participants": name}


def _reserve_pair(
    target: MatrixTarget, world: AccountObjects, service: ServiceObjects, address: str
) -> None:
    """Reserve a pair of numbers, as a conversation does while its participants are added."""
    target.insert(
        "pending_pair",
        {
            "account_sid": world.sid,
            "service_sid": service.sid,
            "conversation_sid": service.elsewhere["Conversations"],
            "address": address,
            "proxy_address": PROXY,
        },
    )


def _seed_binding(
    target: MatrixTarget, world: AccountObjects, service: ServiceObjects, kind: str
) -> str:
    """Insert a push binding: only client SDKs create them."""
    sid = f"BS{secrets.token_hex(16)}"
    target.insert(
        "push_binding",
        _row(world, service, sid)
        | {
            "sequence": 1,
            "identity": ALICE,
            "endpoint": "alice-endpoint",
            "address": secrets.token_hex(8),
            "binding_type": kind,
            "credential_sid": None,
            "message_types": '["new_message"]',
        },
    )
    return sid


def seed_media(target: MatrixTarget, world: AccountObjects, service: ServiceObjects) -> str:
    """Insert a medium without a message."""
    sid = f"ME{secrets.token_hex(16)}"
    target.insert(
        "media",
        _row(world, service, sid)
        | {
            "message_sid": None,
            "size": 3,
            "content_type": "text/plain",
            "filename": "one.txt",
            "category": "media",
            "author": ALICE,
            # A medium without a message is removed after a time.
            "date_created": int(time.time() * 1000),
        },
    )
    return sid


def _row(world: AccountObjects, service: ServiceObjects, sid: str) -> dict[str, Any]:
    return {
        "account_sid": world.sid,
        "service_sid": service.sid,
        "sid": sid,
        "date_created": 1,
        "date_updated": 1,
    }


# Objects that one account has and its twin lacks.
ONLY_ADDRESS = "+15005550301"
ONLY_PROXY = "+15005550302"
ONLY_CONFIGURED = "+15005550303"
ONLY_LISTED = "+15005550304"
ONLY_PENDING = "+15005550308"
ONLY_PHONE = "+15005550309"
GROUP = ("+12135550305", "+12135550306", "+12135550307")
IDEMPOTENCY_KEY = "the same key in both accounts"
IDEMPOTENT_FORM = {"FriendlyName": "Sent once"}


def add_only(target: MatrixTarget, world: AccountObjects) -> None:
    """Add the objects that the twin lacks: names, a pair, a group, settings, a list of numbers."""
    account = AccountClient(target, world.login)
    made = account.post("/v1/Conversations", UniqueName="cellar")
    conversation_path = f"/v1/Conversations/{made['sid']}"
    account.post(f"{conversation_path}/Participants", Identity="carol")
    account.post(
        f"{conversation_path}/Participants",
        MessagingBinding__Address=ONLY_ADDRESS,
        MessagingBinding__ProxyAddress=ONLY_PROXY,
    )
    account.post("/v1/Conversations/lobby/Participants", Identity="carol")
    account.post("/v1/Configuration/Addresses", Type="sms", Address=ONLY_CONFIGURED)
    account.post("/parlour/v1/VirtualPhones", Address=ONLY_PHONE)
    account.post("/parlour/v1/WebhookRetries", Retries="durable")
    account.post("/parlour/v1/Tokens", Identity=ALICE)
    add_number(target, world.sid)
    make_group(account)
    target.insert(
        "pending_pair",
        {
            "account_sid": world.sid,
            "service_sid": world.default.sid,
            "conversation_sid": made["sid"],
            "address": ONLY_PENDING,
            "proxy_address": PROXY,
        },
    )
    account.target.send(
        CallerRequest(
            "POST", "/v1/Conversations", IDEMPOTENT_FORM, world.login.header, IDEMPOTENCY_KEY
        )
    )
    world.only = {
        "Conversations": "cellar",
        "Users": "carol",
        "Participants": "carol",
        "Addresses": ONLY_CONFIGURED,
        "VirtualPhones": ONLY_PHONE,
    }
    target.set_numbers(world.sid, PROXY, ONLY_PROXY, ONLY_LISTED, *GROUP)
    settle(target)


def make_group(account: AccountClient) -> None:
    """Create a group of three numbers, the first of which belongs to a chat user."""
    made = account.post("/v1/Conversations", FriendlyName="Group")
    participants_path = f"/v1/Conversations/{made['sid']}/Participants"
    account.post(participants_path, Identity=ALICE, MessagingBinding__ProjectedAddress=GROUP[0])
    for address in GROUP[1:]:
        account.post(participants_path, MessagingBinding__Address=address)


def sids_of(target: MatrixTarget, world: AccountObjects) -> set[str]:
    """Return every sid of an account, except of messaging services, which are not stored here."""
    found = {
        sid
        for rows in rows_of(target, world.sid).values()
        for row in rows
        for cell in row
        if isinstance(cell, str)
        for sid in SID.findall(cell)
    }
    return {sid for sid in found if not sid.startswith("MG")}
