"""Callbacks of carriers: verified before anything is stored, and acknowledged after the commit."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from structlog.testing import capture_logs

from parlour.app import open_app
from parlour.channels.callbacks import Callbacks
from parlour.channels.carrier import (
    Callback,
    CallbackRefused,
    CallbackResponse,
    DeliveryReport,
    InboundMessage,
    InboundRefused,
)
from parlour.config import Settings
from parlour.http.carrier_callbacks import CarrierCallbackEndpoint
from parlour.operations.operation import AuthScheme
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from tests.support.in_process_requests import RecordedResponse, send_request
from tests.support.migrated_database import place_migrated_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parlour.app import App
    from parlour.channels.carrier import CallbackRequest, Carrier, CarrierSink

SECRET = b"the secret of the carrier"
FOLDER = "/parlour/v1/Carriers"
CARRIERS = ("sim", "second")


def sign(url: str, body: bytes) -> str:
    return hmac.new(SECRET, url.encode() + body, hashlib.sha256).hexdigest()


class SigningCarrier:
    """A carrier whose callbacks are signed JSON; it repeats them unless it gets a 2xx."""

    def __init__(self) -> None:
        self.requests: list[CallbackRequest] = []
        self.is_full = asyncio.Event()
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def read_callback(self, request: CallbackRequest) -> Callback:
        """Verify and parse a callback."""
        self.requests.append(request)
        if len(self.requests) == limits.CARRIER_CALLBACKS_RUNNING_MAX:
            self.is_full.set()
        await self.is_open.wait()
        if request.path not in {"", "events/new"}:
            raise CallbackRefused(404, "no such path")
        given = request.headers.get("x-signature", "")
        if not hmac.compare_digest(given, sign(request.url, request.body)):
            raise CallbackRefused(403, "expected the signature 5ec2e7")
        if request.method == "GET":
            return Callback(response=CallbackResponse(200, "text/x-challenge", b"challenge"))
        try:
            content = json.loads(request.body)
        except ValueError:
            raise CallbackRefused(400, "The body is no JSON.") from None
        messages = tuple(
            InboundMessage(each, "sms", "+15550100002", "+15550100001", (), each)
            for each in content["messages"]
        )
        reports = tuple(DeliveryReport("sent", provider_id=each) for each in content["reports"])
        return Callback(messages, reports, CallbackResponse(202, "text/xml", b"<ok/>"))


class CallbackStorage:
    """Stores in memory; some identifiers make it fail."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.error: Exception | None = None

    async def inbound(self, message: InboundMessage) -> None:
        """Store a message."""
        if message.provider_id == "foreign":
            raise InboundRefused("+1 is no number of this server")
        await self._store(message.provider_id)

    async def report(self, report: DeliveryReport) -> None:
        """Store a report."""
        await self._store(str(report.provider_id))

    async def _store(self, name: str) -> None:
        if name == "unlucky" and self.error is not None:
            raise self.error
        await asyncio.sleep(0)
        self.stored.append(name)


class CallbackServer:
    """A server in this process; both of its carriers are the same SigningCarrier."""

    def __init__(self, data: Path) -> None:
        place_migrated_database(data)
        self.runner = asyncio.Runner()
        self.carrier: SigningCarrier
        self.sink = CallbackStorage()
        self.app: App = self.runner.run(self._open(data))

    async def _open(self, data: Path) -> App:
        self.carrier = SigningCarrier()
        app = await open_app(Settings(data=data, public_url="https://chat.example.com/"))
        receiver = Callbacks(
            dict.fromkeys(CARRIERS, cast("Carrier", self.carrier)),
            dict.fromkeys(CARRIERS, cast("CarrierSink", self.sink)),
            app.clock,
        )
        endpoints = cast("dict[AuthScheme, Any]", app.server._endpoints)
        replaced = endpoints[AuthScheme.CARRIER]
        endpoints[AuthScheme.CARRIER] = CarrierCallbackEndpoint(
            receiver, replaced._roots, replaced._refusals
        )
        await app.start()
        return app

    def close(self) -> None:
        self.runner.run(self.app.stop())
        self.runner.close()

    async def send(
        self,
        path: str = "/sim/events/new",
        content: Any = None,
        *,
        method: str = "POST",
        body: bytes = b"",
        signature: str | None = None,
        peer: str = "127.0.0.1",
    ) -> RecordedResponse:
        """Send a callback, signed unless a signature is given."""
        if content is not None:
            body = json.dumps({"messages": [], "reports": []} | content).encode()
        target = FOLDER + path
        if signature is None:
            signature = sign(f"https://chat.example.com{target}", body)
        headers = {b"host": b"internal:8080", b"x-signature": signature.encode()}
        return await send_request(self.app.server, method, target, headers, body, peer=peer)

    def respond(self, *arguments: Any, **options: Any) -> RecordedResponse:
        return self.runner.run(self.send(*arguments, **options))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CallbackServer]:
    made = CallbackServer(tmp_path / "data")
    yield made
    made.close()


def code_of(response: RecordedResponse) -> tuple[int, int]:
    """Return the status, and the code of an error in the shape of the API."""
    error = json.loads(response.body)
    assert error["status"] == response.status
    assert set(error) == {"code", "message", "more_info", "status"}
    return response.status, error["code"]


def test_a_signed_callback_is_stored_and_gets_the_response_of_its_carrier(
    server: CallbackServer,
) -> None:
    response = server.respond(content={"messages": ["one", "two"], "reports": ["three"]})
    assert (response.status, response.body) == (202, b"<ok/>")
    assert (b"content-type", b"text/xml") in response.headers
    assert server.sink.stored == ["one", "two", "three"]


def test_the_carrier_gets_the_whole_request(server: CallbackServer) -> None:
    response = server.respond("/sim/events/new?a=1&b=%20", method="GET")
    assert (response.status, response.body) == (200, b"challenge")
    (request,) = server.carrier.requests
    assert request.method == "GET"
    assert request.path == "events/new"
    assert request.url == f"https://chat.example.com{FOLDER}/sim/events/new?a=1&b=%20"
    assert request.query == "a=1&b=%20"
    assert request.headers["host"] == "internal:8080"
    assert request.body == b""


def test_a_wrong_signature_is_403_and_nothing_is_stored(server: CallbackServer) -> None:
    for signature in ("", "0" * 64, sign("https://chat.example.com/elsewhere", b"")):
        with capture_logs() as logs:
            response = server.respond(content={"messages": ["one"]}, signature=signature)
        assert code_of(response) == (403, 20403)
        assert b"5ec2e7" not in response.body
        (event,) = [each for each in logs if each["event"] == "callback_refused"]
        assert event["reason"] == "expected the signature 5ec2e7"
    assert server.sink.stored == []


def test_a_malformed_callback_is_400_with_the_reason(server: CallbackServer) -> None:
    response = server.respond(body=b"{")
    assert code_of(response) == (400, 20001)
    assert json.loads(response.body)["message"] == "The body is no JSON."


@pytest.mark.parametrize(
    "path", ["/other", "/other/events/new", "/SIM", "/sim/elsewhere", "/%73im"]
)
def test_an_unknown_carrier_or_path_is_404(server: CallbackServer, path: str) -> None:
    assert code_of(server.respond(path, content={})) == (404, 20404)
    assert server.sink.stored == []


def test_another_method_is_405(server: CallbackServer) -> None:
    response = server.respond(method="DELETE")
    assert code_of(response) == (405, 20004)
    assert (b"allow", b"GET, HEAD, POST") in response.headers
    assert server.carrier.requests == []


def test_a_message_to_a_foreign_number_is_acknowledged_and_logged(server: CallbackServer) -> None:
    with capture_logs() as logs:
        response = server.respond(content={"messages": ["foreign", "one"], "reports": ["two"]})
    assert response.status == 202
    assert server.sink.stored == ["one", "two"]
    assert [each["event"] for each in logs] == ["callback_message_dropped"]


@pytest.mark.parametrize("error", [Busy("full"), Unavailable("down")])
@pytest.mark.parametrize("kind", ["messages", "reports"])
def test_a_failure_of_the_store_is_503_so_that_the_carrier_redelivers(
    server: CallbackServer, error: Exception, kind: str
) -> None:
    server.sink.error = error
    response = server.respond(content={kind: ["one", "unlucky", "two"]})
    assert code_of(response) == (503, 20503)
    assert (b"retry-after", b"1") in response.headers
    assert server.sink.stored == ["one"]
    server.sink.error = None
    assert server.respond(content={kind: ["one", "unlucky", "two"]}).status == 202
    assert server.sink.stored == ["one", "one", "unlucky", "two"]


def test_a_callback_above_the_limit_is_400(
    server: CallbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read_body(_: object) -> bytes:
        raise ApiError(20413)

    monkeypatch.setattr("parlour.http.carrier_callbacks.read_body", read_body)
    assert code_of(server.respond(content={})) == (400, 20001)
    assert server.carrier.requests == []


def test_callbacks_above_the_limit_of_one_carrier_are_503_and_others_are_served(
    server: CallbackServer,
) -> None:
    async def run() -> list[RecordedResponse]:
        server.carrier.is_open.clear()
        running = [
            asyncio.create_task(server.send(content={"messages": [str(number)]}))
            for number in range(limits.CARRIER_CALLBACKS_RUNNING_MAX)
        ]
        await server.carrier.is_full.wait()
        refused = await server.send(content={"messages": ["above"]})
        assert code_of(refused) == (503, 20503)
        assert (await server.send("/other", content={})).status == 404
        server.carrier.is_open.set()
        return await asyncio.gather(*running)

    assert {each.status for each in server.runner.run(run())} == {202}
    assert len(server.sink.stored) == limits.CARRIER_CALLBACKS_RUNNING_MAX
    assert server.respond(content={"messages": ["after"]}).status == 202


def test_a_callback_needs_no_login_and_takes_none(server: CallbackServer) -> None:
    async def run() -> RecordedResponse:
        target = f"{FOLDER}/sim"
        headers = {b"host": b"h", b"authorization": b"Basic " + b"wrong"}
        return await send_request(server.app.server, "POST", target, headers, b"{}")

    # Only the missing signature counts, not the wrong login.
    assert code_of(server.runner.run(run())) == (403, 20403)
