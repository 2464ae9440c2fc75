"""The cost of the order of replies: replies after notifications, and the same without any.

A connection without subscriptions receives no notifications, so its replies wait for none: this is
the time without the rule. The client here responds at once and runs on the same machine; on another
one a round trip is added (docs/explanation/realtime.md).
"""

from __future__ import annotations

import itertools
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from websockets.sync.client import ClientConnection, connect

from bench.api_client import KeepAliveApi
from bench.realtime import frames
from bench.realtime.listeners import BODY

if TYPE_CHECKING:
    from types import TracebackType

    from bench.realtime.listeners import ListenerConversation

QUIET_SECONDS = 0.1
_NEW_ITEM = b"list_item_added"
_OK = {"code": 200, "status": "OK"}
_CREATED = 201


class Ordered(NamedTuple):
    """Medians, in milliseconds."""

    command: float
    command_alone: float
    page_behind: float
    page_quiet: float
    page_alone: float


class _Client:
    """A connection that acknowledges notifications on arrival."""

    def __init__(self, conversation: ListenerConversation, number: int, *, listens: bool) -> None:
        url = f"ws://127.0.0.1:{conversation.process.port}/v3/wsconnect"
        self._socket: ClientConnection = connect(url, compression=None, max_size=None)
        self._ids = itertools.count(1000)
        begin, *others = conversation.script(number)
        self._socket.send(begin)
        self.receive_until(b'"method":"reply"')
        if listens:
            for each in others:
                self._socket.send(each)
            self.receive_until(b"subscription_established")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: object, _trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def receive_until(self, mark: bytes) -> None:
        """Receive frames up to the first that contains a mark."""
        while True:  # Ends with that frame, or with the connection.
            raw = self._socket.recv()
            assert isinstance(raw, bytes)
            header, _ = frames.parsed(raw)
            if header["method"] != "reply":
                reply = {"id": header["id"], "method": "reply", "status": _OK}
                self._socket.send(frames.frame(reply))
            if mark in raw:
                return

    def ask_ms(self, method: str, path: str, body: object = None, **params: str) -> float:
        """Return the time from a request to its reply."""
        number = next(self._ids)
        kind = frames.JSON if body is None else frames.JSON_COMMAND
        request = frames.request(number, method, path, body, params, kind)
        begin = time.perf_counter()
        self._socket.send(request)
        self.receive_until(b'"method":"reply","id":"' + frames.parsed(request)[0]["id"].encode())
        return (time.perf_counter() - begin) * 1000


def measure(conversation: ListenerConversation, count: int) -> Ordered:
    """Measure so many replies of each kind."""
    sid = conversation.conversation_sid
    messages = f"/Client/v2/Conversations/{sid}/Messages"
    body = {"body": BODY, "attributes": "{}"}
    items = f"/v3/Lists/{sid}.messages/Items"
    newest = {"Order": "desc", "PageSize": "10"}
    with _Client(conversation, 0, listens=False) as client:
        alone = [client.ask_ms("POST", messages, body) for _ in range(count)]
        page_alone = [client.ask_ms("GET", items, **newest) for _ in range(count)]
    behind, quiet = [], []
    with (
        KeepAliveApi(conversation.process.port, conversation.credentials) as api,
        _Client(conversation, 0, listens=True) as client,
    ):
        ordered = [client.ask_ms("POST", messages, body) for _ in range(count)]
        for _ in range(count):
            api.post(f"/v1/Conversations/{sid}/Messages", Author="system", Body=BODY)
            client.receive_until(_NEW_ITEM)
            behind.append(client.ask_ms("GET", items, **newest))
        for _ in range(count // 10):
            time.sleep(QUIET_SECONDS)
            quiet.append(client.ask_ms("GET", items, **newest))
    found = (ordered, alone, behind, quiet, page_alone)
    return Ordered(*(statistics.median(each) for each in found))


def lines_of(seen: Ordered) -> list[str]:
    """Return the results as text."""
    command = f"{seen.command:.2f} ms behind its notifications, {seen.command_alone:.2f} with none"
    page = (
        f"{seen.page_behind:.2f} ms behind a notification, {seen.page_quiet:.2f} with none lately"
    )
    return [
        f"reply to sendMessage, p50: {command}",
        f"page of messages, p50: {page}, {seen.page_alone:.2f} unsubscribed",
    ]
