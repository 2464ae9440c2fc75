"""Run the server with headers in each submission to an HTTP carrier: lease term, fence and time.

``PLANTED`` in the environment plants a fault that the harness has to report:

| value | fault | crash point |
|---|---|---|
| acknowledge_first | a callback is acknowledged before its message is stored | inbound received |
| send_first | a message is sent in its transaction, so before it is recorded | submission sent |
| record_first | a submission is recorded as accepted before it is sent | submission sent |
| unfenced | an owner never learns that it lost its lease, and its writes are not rejected | - |
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import os
import sys
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import msgspec

from parlour.channels import outbox_results
from parlour.channels.callbacks import Callbacks
from parlour.channels.carrier import Accepted, CallbackResponse
from parlour.channels.outbox_queue import CarrierQueue
from parlour.channels.outbox_results import SubmissionResult
from parlour.cli.main import main
from parlour.egress.connection import OutboundConnection
from parlour.resources.outbox import store as outbox_store
from parlour.store.leases import FencedLeaseTerm
from parlour.vocabulary.crash_points import SUBMISSION_SENT, crash_point

if TYPE_CHECKING:
    from parlour.channels.carrier import Carrier
    from parlour.channels.outbox_results import LoadedSubmission
    from parlour.resources.outbox.store import Submission
    from parlour.store.transaction import Transaction

PLANTED = os.environ.get("PLANTED", "")
END_OF_HEAD = b"\r\n\r\n"

send = CarrierQueue._send
exchange = OutboundConnection.exchange
receive = Callbacks.receive
insert = outbox_store.insert_submission
headers: ContextVar[str] = ContextVar("headers", default="")
numbers = itertools.count(1)
terms: dict[int, tuple[object, int]] = {}
tasks: set[asyncio.Task[CallbackResponse]] = set()


async def send_in_term(self: CarrierQueue, carrier: Carrier, loaded: LoadedSubmission) -> None:
    """Send a submission, with the headers of the lease term."""
    lease_term = self._term.lease_term
    if id(lease_term) not in terms:
        terms[id(lease_term)] = lease_term, next(numbers)
    number = terms[id(lease_term)][1]
    fence = getattr(lease_term, "fence", 0)
    headers.set(f"\r\nx-term: {os.getpid()}-{number}\r\nx-fence: {fence}")
    if PLANTED == "record_first":
        result = SubmissionResult(loaded, Accepted(), 0)
        await lease_term.store.write(lambda tx: outbox_results.record_result(tx, result))
        crash_point(SUBMISSION_SENT)
    await send(self, carrier, loaded)


async def send_signed(self: OutboundConnection, written: bytes, read_bytes_max: int) -> None:
    """Send a request; a submission gets the headers of its lease term."""
    if headers.get():
        head, _, body = written.partition(END_OF_HEAD)
        added = f"{headers.get()}\r\nx-at: {time.time()}"
        written = head + added.encode() + END_OF_HEAD + body
    await exchange(self, written, read_bytes_max)


async def acknowledge_first(self: Callbacks, *arguments: Any, **more: Any) -> CallbackResponse:
    """Acknowledge a callback, and store its message afterwards."""

    async def store() -> CallbackResponse:
        await asyncio.sleep(0.05)  # The acknowledgement is sent by then.
        return await receive(self, *arguments, **more)

    task = asyncio.create_task(store())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return CallbackResponse()


async def send_first(tx: Transaction, submission: Submission) -> None:
    """Send a message in its transaction, and record it as accepted."""
    [recipient] = outbox_store.decode_recipients(submission.recipients)
    url = urlsplit(os.environ["PROVIDER_URL"])
    assert url.hostname is not None
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=5)
    body = outbox_store.decode_content(submission.content).body
    form = urlencode({"To": recipient.address, "Body": body or ""})
    connection.request("POST", "/", form, {"I-Reference": submission.sid})
    connection.getresponse().read()
    connection.close()
    crash_point(SUBMISSION_SENT)
    await insert(tx, msgspec.structs.replace(submission, state="accepted", due_ms=None))


async def check_nothing(_self: FencedLeaseTerm, _tx: Transaction) -> None:
    """Accept all writes."""


def pass_nothing(_name: str) -> None:
    """Do nothing: the planted fault has the crash point."""


CarrierQueue._send = send_in_term  # type: ignore[method-assign]
OutboundConnection.exchange = send_signed  # type: ignore[method-assign]
if PLANTED == "acknowledge_first":
    Callbacks.receive = acknowledge_first  # type: ignore[method-assign, assignment]
if PLANTED in {"send_first", "record_first"}:
    vars(sys.modules[CarrierQueue.__module__])["crash_point"] = pass_nothing
if PLANTED == "send_first":
    outbox_store.insert_submission = send_first
if PLANTED == "unfenced":
    FencedLeaseTerm.is_current = lambda _self: True  # type: ignore[method-assign]
    FencedLeaseTerm.check = check_nothing  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
