"""Two phones text each other through numbers of a pool; neither sees the other's number.

Each gets a number of the pool that is free for them. A pair of a phone and a number belongs to one
open conversation: the server rejects a second one with 50416, and the next number is tried. So a
pool needs as many numbers as one phone has conversations at the same time.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

if TYPE_CHECKING:
    from collections.abc import Sequence

PAIR_IS_TAKEN = 50416

# --- The application ------------------------------------------------------------------------


class PoolExhausted(Exception):  # noqa: N818 - named after the condition.
    """Each number of the pool is taken in another conversation of this phone."""


@dataclass(frozen=True)
class MaskedCall:
    """One conversation: its SID, and the number that each phone writes to."""

    conversation_sid: str
    numbers: dict[str, str]


class MaskedNumbers:
    """Connects phones through the numbers of a pool."""

    def __init__(self, client: Client, pool: Sequence[str]) -> None:
        self._conversations = client.conversations.v1.conversations
        self._pool = tuple(pool)

    def connect(self, name: str, *phones: str) -> MaskedCall:
        """Return a new conversation of these phones. Raises PoolExhausted."""
        conversation = self._conversations.create(friendly_name=name)
        try:
            numbers = {phone: self._join(str(conversation.sid), phone) for phone in phones}
        except PoolExhausted:
            self._conversations(conversation.sid).delete()
            raise
        return MaskedCall(str(conversation.sid), numbers)

    def end(self, call: MaskedCall) -> None:
        """Close a conversation: its numbers are free for its phones again."""
        self._conversations(call.conversation_sid).update(state="closed")

    def _join(self, conversation_sid: str, phone: str) -> str:
        """Add a phone under the first number that is free for it; return the number."""
        for number in self._pool:
            try:
                self._conversations(conversation_sid).participants.create(
                    messaging_binding_address=phone, messaging_binding_proxy_address=number
                )
            except TwilioRestException as error:
                if error.code != PAIR_IS_TAKEN:
                    raise
            else:
                return number
        raise PoolExhausted(phone)


# --- The phones: virtual ones of the server -------------------------------------------------


class VirtualPhone:
    """A phone that exists on the server only."""

    def __init__(self, client: Client, base_url: str, number: str) -> None:
        self._client = client
        phone_url = f"{base_url}/parlour/v1/VirtualPhones/{number}"
        self._messages_url = f"{phone_url}/Messages"
        self._read = 0
        self.number = number
        # Without the messages of an earlier run; 404 if there was none.
        client.request("DELETE", phone_url)

    def send(self, to: str, body: str) -> None:
        """Send a text; returns once it is in a conversation."""
        self._request("POST", data={"To": to, "Body": body})

    def receive(self) -> tuple[str, str]:
        """Wait for the next text; return its sender and its body."""
        query = {"Direction": "received", "Wait": "20", "MinCount": str(self._read + 1)}
        messages = self._request("GET", params=query)["messages"]
        if len(messages) <= self._read:
            raise TimeoutError(f"{self.number} received no text")
        message = messages[self._read]
        self._read += 1
        return message["from"], message["body"]

    def _request(self, method: str, **content: Any) -> dict[str, Any]:
        response = self._client.request(method, self._messages_url, **content)
        if not response.ok:
            raise RuntimeError(f"{method} {self._messages_url}: {response.text}")
        result: dict[str, Any] = json.loads(response.text)
        return result


# --- The scenario ---------------------------------------------------------------------------


def main() -> None:
    """A customer orders two rides at the same time, and texts with both drivers."""
    base_url = os.environ["PARLOUR_URL"]
    client = Client(os.environ["ACCOUNT_SID"], os.environ["AUTH_TOKEN"])
    client.conversations.base_url = base_url
    rides = MaskedNumbers(client, ["+15550100001", "+15550100002"])
    names = {"+15550111111": "Ann", "+15550122222": "Bob", "+15550133333": "Cem"}
    ann, bob, cem = (VirtualPhone(client, base_url, number) for number in names)

    def text(sender: VirtualPhone, receiver: VirtualPhone, ride: MaskedCall, body: str) -> None:
        sender.send(ride.numbers[sender.number], body)
        shown, received = receiver.receive()
        print(f"{names[receiver.number]} receives {received!r} from {shown}")

    running: list[MaskedCall] = []
    try:
        first = rides.connect("Ride 1", ann.number, bob.number)
        running.append(first)
        text(ann, bob, first, "I am at the main entrance.")
        text(bob, ann, first, "Two minutes!")

        # The first number already connects Ann with Bob, so this ride uses the second one.
        second = rides.connect("Ride 2", ann.number, cem.number)
        running.append(second)
        text(cem, ann, second, "I am here for the luggage.")
        text(ann, cem, second, "Coming.")
        text(ann, bob, first, "See you.")

        running.remove(first)
        rides.end(first)
        third = rides.connect("Ride 3", ann.number, bob.number)
        running.append(third)
        print(f"After the end of ride 1, Ann has {third.numbers[ann.number]} for ride 3.")
    finally:
        for ride in running:
            rides.end(ride)


if __name__ == "__main__":
    main()
