"""Messages from and to the phones of twins: of the same addresses, but in other states.

The victim opted out of a sender, has a WhatsApp window open, and a message waits for a phone that
is off. None of it may change what the intruder sends and gets.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.security.tenants.matrix import Answered, shown_of
from tests.security.tenants.targets import CallerRequest, MatrixTarget, settle
from tests.security.tenants.twin_accounts import (
    ONLY_ADDRESS,
    ONLY_PROXY,
    PROXY,
    AccountClient,
    AccountObjects,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PHONES = ("+15005550351", "+15005550352")
CONVERSATION = "phones"
"""It has no webhook: a retry would change rows later."""
PHONE_OF_WHATSAPP = "whatsapp:+15005550341"
SENDER_OF_WHATSAPP = "whatsapp:+15005550342"
OUTSIDE_OF_WINDOW = ("undelivered", 63016)
DELIVERED = ("delivered", 0)
HELD = ("sent", 0)


def prepare(target: MatrixTarget, victim: AccountObjects) -> None:
    """Change the states of the victim's phones."""
    account = AccountClient(target, victim.login)
    account.post("/parlour/v1/VirtualPhones", Address=PHONES[1])
    account.post("/v1/Conversations", UniqueName=CONVERSATION)
    for address in PHONES:
        account.post(
            f"/v1/Conversations/{CONVERSATION}/Participants",
            MessagingBinding__Address=address,
            MessagingBinding__ProxyAddress=PROXY,
        )
    account.post(_messages(PHONES[0]), To=PROXY, Body="STOP")
    account.post(_messages(PHONE_OF_WHATSAPP), To=SENDER_OF_WHATSAPP, Body="Hello")
    account.post(_phone(PHONES[1]), Behaviour="off")
    account.post(f"/v1/Conversations/{CONVERSATION}/Messages", Body="Held")
    settle(target)


@dataclass(frozen=True)
class PhoneSend:
    """A message that the intruder's phone sends, and members of the response."""

    name: str
    asked: CallerRequest
    hidden: frozenset[str]
    shows: Mapping[str, Any] = field(default_factory=dict)

    def run(self, target: MatrixTarget) -> list[str]:
        """Return the errors as text."""
        answer = target.send(self.asked)
        found = shown_of(answer, self.asked, self.hidden)
        shown = json.loads(answer.body)
        if answer.status != 201 or any(shown[each] != self.shows[each] for each in self.shows):
            found.append(f"{answer.status} {answer.body!r}")
        return [f"{self.name}: {self.asked}: {each}" for each in found]


@dataclass(frozen=True)
class Delivery:
    """A message in a conversation of the intruder, and the final states of its receipts."""

    name: str
    owner: AccountObjects
    path: str
    states: tuple[tuple[str, int], ...]

    def run(self, target: MatrixTarget) -> list[str]:
        """Return the errors as text."""
        sent = CallerRequest("POST", self.path, {"Body": "Hello"}, self.owner.login.header)
        answer = target.send(sent)
        if answer.status != 201:
            return [f"{self.name}: {answer.status} {answer.body!r}"]
        settle(target)
        receipts = f"{self.path}/{json.loads(answer.body)['sid']}/Receipts"
        answer = target.send(CallerRequest("GET", receipts, {}, self.owner.login.header))
        shown = json.loads(answer.body).get("delivery_receipts", [])
        states = sorted((each["status"], each["error_code"]) for each in shown)
        return [] if states == sorted(self.states) else [f"{self.name}: {states}"]


PhoneCell = Answered | PhoneSend | Delivery


def traffic(world: AccountObjects, hidden: frozenset[str]) -> Iterator[PhoneCell]:
    """Yield messages from and to the intruder's phones."""
    messages = f"/v1/Conversations/{CONVERSATION}/Messages"

    def post(path: str, **fields: str) -> CallerRequest:
        form = {name.replace("__", "."): value for name, value in fields.items()}
        return CallerRequest("POST", path, form, world.login.header)

    def change(path: str, **fields: str) -> Answered:
        return Answered("a change before messages", post(path, **fields), hidden)

    def send(name: str, phone: str, to: str, body: str, outcome: str) -> PhoneSend:
        return PhoneSend(
            name, post(_messages(phone), To=to, Body=body), hidden, {"outcome": outcome}
        )

    def add(conversation: str, address: str, proxy_address: str) -> Answered:
        return change(
            f"/v1/Conversations/{conversation}/Participants",
            MessagingBinding__Address=address,
            MessagingBinding__ProxyAddress=proxy_address,
        )

    yield change("/parlour/v1/VirtualPhones", Address=PHONES[1])
    yield change("/v1/Conversations", UniqueName=CONVERSATION)
    for address in PHONES:
        yield add(CONVERSATION, address, PROXY)
    yield send("a pair of the twin", ONLY_ADDRESS, ONLY_PROXY, "Hello", "dropped")
    yield send("a pair of both", PHONES[0], PROXY, "Hello", "conversation")
    yield Delivery("an opt-out of the twin", world, messages, (DELIVERED, DELIVERED))
    yield send("the end of an opt-out", PHONES[0], PROXY, "START", "conversation")
    yield change(_phone(PHONES[1]), Behaviour="off")
    yield Delivery("a phone that is off", world, messages, (DELIVERED, HELD))
    yield change(_phone(PHONES[1]), Behaviour="deliver")
    yield change("/v1/Conversations", UniqueName="window")
    yield add("window", PHONE_OF_WHATSAPP, SENDER_OF_WHATSAPP)
    window = "/v1/Conversations/window/Messages"
    yield Delivery("a window of the twin", world, window, (OUTSIDE_OF_WINDOW,))


def _phone(address: str) -> str:
    return f"/parlour/v1/VirtualPhones/{address}"


def _messages(address: str) -> str:
    return f"{_phone(address)}/Messages"
