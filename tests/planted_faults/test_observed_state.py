"""The observed state has the summary of receipts that is true after the last of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tests.checkers.observed_state import read_everything

if TYPE_CHECKING:
    from tests.support.client import Api

SERVICE, CONVERSATION, MESSAGE = "IS1", "CH1", "IM1"
URL = "http://parlour.test/message"


class LateReceipt:
    """An API with one message, whose receipt is delivered once the receipts are read."""

    base_url = "http://parlour.test"

    def __init__(self) -> None:
        self.receipts_read = 0

    def get(self, path: str) -> LateReceipt:
        """Record the path of the request."""
        self.path = path
        return self

    def expect(self, _status: int) -> dict[str, Any]:
        """Return the response."""
        if self.path.startswith("/message/Receipts"):
            self.receipts_read += 1
            return self._list({"status": "delivered" if self.receipts_read > 1 else "sent"})
        if self.path == "/message":
            return self._message()
        name = self.path.partition("?")[0].rpartition("/")[2]
        if name == "Messages":
            return self._list(self._message())
        if name == "Services":
            return self._list({"sid": SERVICE})
        if name == "Conversations" and "State=" not in self.path:
            return self._list({"sid": CONVERSATION, "chat_service_sid": SERVICE})
        return self._list() | {"conversations": []}

    def _message(self) -> dict[str, Any]:
        delivered = "all" if self.receipts_read > 1 else "none"
        return {"sid": MESSAGE, "url": URL, "delivery": {"total": 1, "delivered": delivered}}

    @staticmethod
    def _list(*items: dict[str, Any]) -> dict[str, Any]:
        return {"items": list(items), "meta": {"key": "items", "next_page_url": None}}


def test_a_message_is_read_again_after_its_last_receipt() -> None:
    observed = read_everything(cast("Api", LateReceipt()), [])
    assert observed.receipts == {MESSAGE: [{"status": "delivered"}]}
    assert observed.objects["message", MESSAGE]["delivery"]["delivered"] == "all"
    assert observed.shown_twice == []
