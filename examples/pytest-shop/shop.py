"""A shop that writes to its customers by SMS, in one conversation for each order.

It is an ordinary program of the official Python library: it takes a client, and knows no server.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, TypeVar

from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
TOO_MANY_REQUESTS = 429
ATTEMPTS_MAX = 3


class Shop:
    """Opens orders, and writes to customers."""

    def __init__(self, client: Client, number: str, *, pause_s: float = 0.5) -> None:
        """``number`` is the shop's own; ``pause_s`` is the interval before a retry, in seconds."""
        self._conversations = client.conversations.v1.conversations
        self._number = number
        self._pause_s = pause_s

    def open_order(self, order: str, phone: str) -> str:
        """Open the conversation of an order, and confirm it; return the SID."""
        made = self._retry(
            lambda: self._conversations.create(
                unique_name=f"order-{order}", timers_inactive="PT10M", timers_closed="P1D"
            )
        )
        sid = str(made.sid)
        self._retry(
            lambda: self._conversations(sid).participants.create(
                messaging_binding_address=phone, messaging_binding_proxy_address=self._number
            )
        )
        self.write(order, f"Thank you! Your order {order} is being packed.")
        return sid

    def write(self, order: str, text: str) -> None:
        """Write to the customer of an order."""
        conversation = self._conversations(f"order-{order}")
        self._retry(lambda: conversation.messages.create(author="shop", body=text))

    def failed_texts(self, order: str) -> list[str]:
        """Return the texts of an order that its phone did not get."""
        return [
            str(message.body)
            for message in self._conversations(f"order-{order}").messages.list()
            if any(each.status == "undelivered" for each in message.delivery_receipts.list())
        ]

    def _retry(self, call: Callable[[], T]) -> T:
        """Return the result of a call, which is repeated after too many requests."""
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                return call()
            except TwilioRestException as error:
                if error.status != TOO_MANY_REQUESTS or attempt == ATTEMPTS_MAX:
                    raise
                time.sleep(self._pause_s)
        raise AssertionError


def main() -> None:
    """Open an order: ``python shop.py 4711 +15558675310``."""
    order, phone = sys.argv[1:]
    shop = Shop(Client(), os.environ["SHOP_NUMBER"])
    sys.stdout.write(f"{shop.open_order(order, phone)}\n")


if __name__ == "__main__":
    main()
