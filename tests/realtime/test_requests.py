"""Requests without a matching command, and bodies without a clear meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from parlour.realtime.session import TunnelRequest
from tests.events.in_process_server import ACCOUNT_SID, AUTH_TOKEN
from tests.realtime.clients import NO_CONVERSATION
from tests.support.in_process_api import InProcessApi

if TYPE_CHECKING:
    from tests.realtime.clients import RealtimeClients, ScenarioRunner

REQUEST_SID = "RQ" + "0" * 31 + "1"


def test_an_event_names_the_command_that_caused_it(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob")
        path, body = f"/Client/v2/Conversations/{sid}/Messages", b'{"body":"Hi"}'
        request = TunnelRequest(method="POST", path=path, body=body, sid=REQUEST_SID)
        assert (await clients.send("bob", request)).status == 201
        api = InProcessApi(clients.instance.app.server, ACCOUNT_SID, AUTH_TOKEN)
        page = await api.get("/parlour/v1/Events", RequestSid=REQUEST_SID)
        events = page.expect(200)["events"]
        shown = [(each["event_type"], each["client_identity"]) for each in events]
        assert ("onMessageAdded", "bob") in shown
        assert {each["request_sid"] for each in events} == {REQUEST_SID}

    run_scenario(scenario)


@pytest.mark.parametrize(
    "path",
    [
        "/Client/v2",
        "/Client/v2/",
        "/Client/v2/Nothing",
        "/Client/v2/Conversations/a/b/c/d/e/f",
        "/Client/v2/Conversations//Messages",
        "/Client/v2/Conversations/%",
        "/Client/v2/Conversations/%00",
        "/Client/v2/Conversations/%FF",
        "/Client/v2/configuration",
        "/Client/v3/Configuration",
        "/v1/Services",
        "/v1/registrations/a/b",
        "/",
        "",
    ],
)
def test_a_path_that_leads_nowhere(run_scenario: ScenarioRunner, path: str) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        request = TunnelRequest(method="GET", path=path)
        assert (await clients.send("bob", request)).refusal == (404, 20404)

    run_scenario(scenario)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "Configuration"),
        ("DELETE", "Conversations"),
        ("PUT", "Conversations/x"),
        ("GET", "Conversations/x/Messages"),
        ("GET", "Conversations/x/Participants/y"),
        ("DELETE", "Users/bob"),
        ("GET", "Typing"),
        ("GET", "/v1/registrations"),
        ("HEAD", "Configuration"),
    ],
)
def test_a_method_that_a_path_does_not_have(
    run_scenario: ScenarioRunner, method: str, path: str
) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        assert (await clients.request("bob", method, path)).refusal == (405, 20004)

    run_scenario(scenario)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"\xff",
        b'{"body":"\\ud800"}',
        b'{"body":"\\udc00"}',
        b'{"body":"\\u0000"}',
        b'{"body":1}',
        b"[" * 100_000,
        b'{"body":' * 50_000,
        b'{"attributes":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b"body=text",
    ],
)
def test_an_ambiguous_body_is_rejected(run_scenario: ScenarioRunner, body: bytes) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob")
        path = f"/Client/v2/Conversations/{sid}/Messages"
        status, code = (
            await clients.send("bob", TunnelRequest(method="POST", path=path, body=body))
        ).refusal
        assert (status, code) in {(400, 20001), (400, 50303), (400, 50304)}
        assert (await clients.get("bob", f"Conversations/{sid}")).body["messages_count"] == 0

    run_scenario(scenario)


@pytest.mark.promise("COMMAND_BODY_BYTES_MAX", 413)
def test_a_body_that_is_too_large(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob")
        path = f"/Client/v2/Conversations/{sid}/Messages"
        body = b'{"body":"' + b"b" * (1 << 20) + b'"}'
        request = TunnelRequest(method="POST", path=path, body=body)
        assert (await clients.send("bob", request)).refusal == (413, 20413)

    run_scenario(scenario)


def test_an_empty_body_has_no_parameters(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        request = TunnelRequest(method="POST", path="/Client/v2/Conversations")
        assert (await clients.send("bob", request)).status == 201

    run_scenario(scenario)


def test_names_with_every_character(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        name = "a/b%2F?c=d&e#f+g ü✓"
        sid = await clients.create_conversation("bob", UniqueName=name)
        raw = "".join(f"%{byte:02X}" for byte in name.encode())
        found = await clients.get("bob", f"MyConversations/{raw}")
        assert found.body["sid"] == sid
        # Decoded once, and only after it was split.
        twice = raw.replace("%", "%25")
        assert (await clients.get("bob", f"MyConversations/{twice}")).refusal == NO_CONVERSATION
        plain = await clients.get("bob", "MyConversations/a/b")
        assert plain.refusal == (404, 20404)

    run_scenario(scenario)
