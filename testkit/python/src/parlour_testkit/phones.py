"""Virtual phones: the other side of SMS, WhatsApp and other channels."""

from __future__ import annotations

import asyncio
import math
import mimetypes
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from parlour_testkit.connection import FUNCTIONS, PAGE_SIZE
from parlour_testkit.errors import ApiError, WaitTimedOut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    from parlour_testkit.connection import Connection
    from parlour_testkit.values import FormValue

_NOT_FOUND, _CONFLICT = 404, 409
_POLL_S = 0.05
_WAIT_S_MAX = 30
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class PhoneMessage:
    """A message as its phone shows it; ``details`` has all members of the server's answer."""

    sid: str
    sender: str
    to: tuple[str, ...]
    body: str
    media: tuple[dict[str, Any], ...]
    details: dict[str, Any]


class Phones:
    """The phones of an account, by address; one exists as soon as it is used."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._phones: dict[str, Phone] = {}

    def __getitem__(self, address: str) -> Phone:
        """Return the phone of an address: ``+15550100``, ``whatsapp:+15550100``."""
        return self._phones.setdefault(address, Phone(self._connection, address))


class Phone:
    """A virtual phone."""

    def __init__(self, connection: Connection, address: str) -> None:
        self.address = address
        self._connection = connection
        self._path = f"{FUNCTIONS}/VirtualPhones/{quote(address, safe='')}"

    def send(
        self,
        *,
        to: str | Sequence[str],
        body: str | None = None,
        media: str | PathLike[str] | Sequence[str | PathLike[str]] = (),
    ) -> PhoneMessage:
        """Send a message; it is in its conversation, or dropped, when this returns.

        Args:
            to: a number of the account; several are a group.
            body: the text.
            media: up to 10 files; a text that begins with ``http`` is a URL that is fetched.

        ``details["outcome"]`` is ``conversation``, ``auto_created``, ``plain_webhook``,
        ``opted_out`` or ``dropped``; ``details["reason"]`` states why it was dropped. Raises
        ApiError, OSError for a file that cannot be read.
        """
        given = [media] if isinstance(media, (str, Path)) or hasattr(media, "__fspath__") else media
        urls = [str(each) for each in given if str(each).startswith(("http://", "https://"))]
        files = [Path(each) for each in given if str(each) not in urls]
        pairs = [("To", each) for each in ([to] if isinstance(to, str) else to)]
        pairs += [("Body", body)] if body is not None else []
        pairs += [("MediaUrl", each) for each in urls]
        content, content_type = _multipart(pairs, files)
        reply = self._connection.send("POST", f"{self._path}/Messages", content, content_type)
        return _message(reply.json)

    @property
    def inbox(self) -> list[PhoneMessage]:
        """The messages that the phone has received, oldest first; at most 1,000 are retained."""
        found = self._of_phone(
            lambda: self._connection.pages(
                f"{self._path}/Messages", "messages", {"direction": "received"}
            )
        )
        return [_message(each) for each in found]

    def wait_for(self, *, body: str | None = None, timeout: float = 2) -> PhoneMessage:
        """Return the first message, received already or within the timeout.

        ``body`` is the exact text, ``timeout`` real seconds up to 30. Raises WaitTimedOut, whose
        text has the inbox.
        """
        __tracebackhide__ = True
        end = time.monotonic() + timeout
        left = timeout
        while True:
            found = self.inbox
            for each in found:
                if body in (None, each.body):
                    return each
            if left <= 0 or not self._receives_more_than(len(found), left):
                raise WaitTimedOut(self._explained(body, timeout, found))
            left = end - time.monotonic()

    async def wait_for_async(
        self,
        *,
        body: str | None = None,
        timeout: float = 2,  # noqa: ASYNC109 - the server's timeout.
    ) -> PhoneMessage:
        """As `wait_for`, while the event loop of the test runs on."""
        return await asyncio.to_thread(self.wait_for, body=body, timeout=timeout)

    def behave(
        self,
        behaviour: str | None = None,
        *,
        error: int | None = None,
        delay_ms: int | None = None,
        receipts: str | None = None,
        reads: bool | None = None,
    ) -> None:
        """Change what the phone does with messages; other values are unchanged.

        Args:
            behaviour: ``deliver``, ``undeliverable``, ``reject``, ``silent`` or ``off``.
            error: the code of the failure; alone, the phone is ``undeliverable`` with it.
            delay_ms: before each receipt, 0 to 60,000, by the server's clock.
            receipts: ``normal``, ``duplicate``, ``early`` or ``reversed``.
            reads: whether a phone of WhatsApp or RCS reads what it receives at once.

        Raises ApiError.
        """
        if behaviour is None and error is not None:
            behaviour = "undeliverable"
        changes: dict[str, FormValue] = {
            "behaviour": behaviour,
            "error_code": error,
            "delay_ms": delay_ms,
            "receipts": receipts,
            "reads": reads,
        }
        self._of_phone(lambda: self._connection.post(self._path, **changes))

    def _of_phone(self, call: Callable[[], _Result]) -> _Result:
        """Return the result of a call, before which the phone is created if there is none."""
        try:
            return call()
        except ApiError as refused:
            if refused.status != _NOT_FOUND:
                raise
        try:
            self._connection.post(f"{FUNCTIONS}/VirtualPhones", address=self.address)
        except ApiError as refused:
            if refused.status != _CONFLICT:  # A message has created it since.
                raise
        return call()

    def _receives_more_than(self, count: int, left_s: float) -> bool:
        """Wait until the phone has more messages than that; return whether it has."""
        if count >= PAGE_SIZE:
            time.sleep(_POLL_S)  # The server waits for at most one page.
            return True
        page = self._connection.get(
            f"{self._path}/Messages",
            direction="received",
            page_size=PAGE_SIZE,
            wait=max(1, min(math.ceil(left_s), _WAIT_S_MAX)),
            min_count=count + 1,
        )
        return bool(page["complete"])

    def _explained(self, body: str | None, timeout_s: float, found: Sequence[PhoneMessage]) -> str:
        wanted = "no message" if body is None else f"no message {body!r}"
        lines = [f"  - {each.sender}: {each.body!r}" for each in found] or ["  (none)"]
        return "\n".join(
            [f"{self.address} received {wanted} within {timeout_s:g} s. Its inbox:", *lines]
        )


def _message(found: dict[str, Any]) -> PhoneMessage:
    return PhoneMessage(
        sid=found["sid"],
        sender=found["from"],
        to=tuple(found["to"]),
        body=found["body"] or "",
        media=tuple(found["media"]),
        details=found,
    )


def _multipart(pairs: Sequence[tuple[str, str]], files: Sequence[Path]) -> tuple[bytes, str]:
    """Return a form with files, and its content type."""
    boundary = secrets.token_hex(16)
    parts = [
        f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
        for name, value in pairs
    ]
    for path in files:
        content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        head = (
            f'Content-Disposition: form-data; name="Media"; filename="{quote(path.name)}"\r\n'
            f"Content-Type: {content_type}\r\n\r\n"
        )
        parts.append(head.encode() + path.read_bytes())
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts)
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
