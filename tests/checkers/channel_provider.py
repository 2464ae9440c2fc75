"""An HTTP provider that outlives the server: it records submissions and reports each delivery.

It recognises a repeated reference, as real providers do, and responds with the same identifier. It
reports each delivery until the report is acknowledged: some before the response, the others when
the next message to that phone arrives, because then the result of the submission is recorded.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import queue
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import parse_qs, urlencode

from tests.support.background_threads import BackgroundThreads
from tests.support.client import FORM_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CARRIER = "main"
SECRET = "secret of the callbacks"
REFERENCE_HEADER = "I-Reference"
RESPONSE_SECONDS = 0.02
"""Long enough that submissions are in flight at most kills."""
EARLY_EVERY = 3
"""Each third delivery is reported before the response to its submission."""
REPORTERS = 4
RETRY_SECONDS = 0.02
CARRIERS_FILE = """
[carriers.{carrier}]
type = "http-provider"
base_url = "{url}"
account_sid = "AC99"
auth_token = "token"
signature = "body-sha256"
signature_header = "X-Signature"
signature_secret = "{secret}"
idempotency_header = "{header}"

[[routes]]
channel = "sms"
carrier = "{carrier}"

[[numbers]]
addresses = ["{number}"]
account = "{account}"
"""


class Arrival(NamedTuple):
    """One submission that arrived at the provider.

    ``term`` names the lease term of its sender, and ``fence`` that term's number in the database;
    ``sent_at`` is the time at which the request was written.
    """

    reference: str
    recipient: str
    body: str
    term: str
    fence: int = 0
    sent_at: float = 0.0


def source_of(body: str) -> str:
    """Return the source of a message: the first word of its body; empty for a phone."""
    return "" if body.isdigit() else body.partition(" ")[0]


class CallbackClient:
    """Sends signed callbacks to the servers in turn, over one connection at a time."""

    def __init__(self, ports: Callable[[], Sequence[int]]) -> None:
        self._ports = ports
        self._turn = 0
        self._connection: http.client.HTTPConnection | None = None

    def send(self, path: str, **parameters: str) -> bool:
        """Return whether the callback was acknowledged; the next one goes to the next server."""
        body = urlencode(parameters).encode()
        signature = hmac.digest(SECRET.encode(), body, hashlib.sha256).hex()
        headers = {"X-Signature": signature, "Content-Type": FORM_TYPE}
        try:
            if self._connection is None:
                ports = self._ports()
                self._turn += 1
                port = ports[self._turn % len(ports)]
                self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            self._connection.request(
                "POST", f"/parlour/v1/Carriers/{CARRIER}/{path}", body, headers
            )
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return False
        if response.status != 200:
            self.close()
        return response.status == 200

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Reporters(BackgroundThreads):
    """Report deliveries, each until it is acknowledged."""

    def __init__(self, ports: Callable[[], Sequence[int]]) -> None:
        super().__init__(*((number,) for number in range(REPORTERS)))
        self._ports = ports
        self.due: queue.Queue[str] = queue.Queue()

    def _run(self, _number: int) -> None:
        client = CallbackClient(self._ports)
        while not self._stop.is_set():
            try:
                provider_id = self.due.get(timeout=RETRY_SECONDS)
            except queue.Empty:
                continue
            if not client.send("status", MessageSid=provider_id, MessageStatus="delivered"):
                self.due.put(provider_id)
                self._stop.wait(RETRY_SECONDS)
        client.close()


class RecordingProvider:
    """The provider; ``ports`` returns the ports of the servers that take its callbacks."""

    def __init__(self, ports: Callable[[], Sequence[int]]) -> None:
        self.arrivals: list[Arrival] = []
        self.received: Counter[tuple[str, str]] = Counter()
        """The number of different messages by recipient, and by the first word of the body."""
        self._ports = ports
        self._reporters = Reporters(ports)
        self._known: set[str] = set()
        self._unreported: dict[str, str] = {}
        """The last message of each recipient that is reported later."""
        self._delays = True
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        provider = self

        class SubmissionHandler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                fields = parse_qs(self.rfile.read(length).decode())
                arrival = Arrival(
                    self.headers[REFERENCE_HEADER],
                    fields["To"][0],
                    fields["Body"][0],
                    self.headers.get("x-term", ""),
                    int(self.headers.get("x-fence", "0")),
                    float(self.headers.get("x-at", "0")),
                )
                body = json.dumps({"sid": provider._accept(arrival), "status": "queued"}).encode()
                self.send_response(201)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        class QuietServer(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """Ignore the connections of killed servers."""

        self._server = QuietServer(("127.0.0.1", 0), SubmissionHandler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Start to accept submissions."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._reporters.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._stopped.set()
        self._reporters.stop()
        self._server.shutdown()
        self._server.server_close()

    def carriers_file(self, number: str, account_sid: str) -> str:
        """Return a carriers file in which a number of an account belongs to this provider."""
        return CARRIERS_FILE.format(
            carrier=CARRIER,
            url=self.url,
            secret=SECRET,
            header=REFERENCE_HEADER,
            number=number,
            account=account_sid,
        )

    def report_last(self) -> None:
        """Report the last message to each phone, and further ones without a delay."""
        with self._lock:
            self._delays = False
            for provider_id in self._unreported.values():
                self._reporters.due.put(provider_id)
            self._unreported.clear()

    def _accept(self, arrival: Arrival) -> str:
        """Record a submission; return the provider's identifier of the message."""
        provider_id = f"SM{arrival.reference[2:]}"
        with self._lock:
            self.arrivals.append(arrival)
            is_new = arrival.reference not in self._known
            if is_new:
                self._known.add(arrival.reference)
                self.received[arrival.recipient, source_of(arrival.body)] += 1
                earlier = self._unreported.pop(arrival.recipient, None)
                if earlier is not None:
                    self._reporters.due.put(earlier)
                if self._delays:
                    self._unreported[arrival.recipient] = provider_id
                else:
                    self._reporters.due.put(provider_id)
            # A planted fault sends without a term, from a transaction that a report would wait for.
            is_early = is_new and self._delays and len(self._known) % EARLY_EVERY == 0
            is_early = is_early and bool(arrival.term)
        if is_early and self._report_early(provider_id):
            with self._lock:
                self._unreported.pop(arrival.recipient, None)
        self._stopped.wait(RESPONSE_SECONDS)
        return provider_id

    def _report_early(self, provider_id: str) -> bool:
        client = CallbackClient(self._ports)
        try:
            return client.send("status", MessageSid=provider_id, MessageStatus="delivered")
        finally:
            client.close()
