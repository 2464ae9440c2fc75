"""The journal of requests in test mode: forms and responses, redacted, of REST and of clients."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from parlour.operations.journal_redaction import REDACTED, is_secret_parameter
from parlour.operations.parameters import secret_names, wire_names
from parlour.resources.table import operations
from parlour.testmode.table import declared_operations
from parlour.vocabulary import limits
from tests.events.in_process_server import ACCOUNT_SID, AUTH_TOKEN
from tests.realtime.clients import RealtimeClients, ScenarioRunner, scenario_runner
from tests.support.in_process_api import InProcessApi

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.realtime.session import Session, TunnelReply, TunnelRequest
    from tests.events.in_process_server import InProcessServer

REQUESTS = "/parlour/v1/Requests"
# Whether the token of a client expires.
NO_SECRETS = {"CreateFault.ExpireToken"}
SECRET = "the-secret-of-this-test"


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene on a separate server in test mode."""
    return scenario_runner(tmp_path / "data", test=True)


def api_of(instance: InProcessServer) -> InProcessApi:
    return InProcessApi(instance.app.server, ACCOUNT_SID, AUTH_TOKEN)


async def recorded(api: InProcessApi, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get(REQUESTS, **query)).expect(200)["requests"]
    return found


def test_a_request_is_recorded_with_form_and_response(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        api = api_of(clients.instance)
        made = await api.send(
            "POST",
            "/v1/Conversations",
            b"FriendlyName=Caf%C3%A9&UniqueName=order-1",
            x_twilio_webhook_enabled="true",
            idempotency_key="key 1",
            user_agent="a test",
        )
        conversation = made.expect(201)
        (request,) = await recorded(api)
        assert request["form"] == {"FriendlyName": "Café", "UniqueName": "order-1"}
        assert request["answer"] == conversation
        assert request["conversation_sid"] == conversation["sid"]
        expected = {
            "source": "rest",
            "operation": "CreateConversation",
            "method": "POST",
            "path": "/v1/Conversations",
            "status": 201,
            "code": None,
            "identity": None,
            "webhooks_enabled": True,
            "idempotency_key": "key 1",
            "user_agent": "a test",
            "fault": None,
            "answer_bytes": len(made.body),
        }
        assert {name: request[name] for name in expected} == expected
        assert dict(made.headers)[b"twilio-request-id"].decode() == request["sid"]
        assert request["elapsed_ms"] >= 0
        fetched = (await api.get(f"{REQUESTS}/{request['sid']}")).expect(200)
        assert fetched == request

    run_scenario(scenario)


def test_an_error_is_recorded_with_its_code(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        api = api_of(clients.instance)
        error = (await api.post("/v1/Conversations", {"Attributes": "no JSON"})).json()
        await api.get("/v1/Nothing")
        nowhere, refused = await recorded(api)
        assert (refused["status"], refused["code"]) == (error["status"], error["code"])
        assert refused["answer"] == error
        assert (nowhere["operation"], nowhere["path"]) == (None, "/v1/Nothing")
        assert nowhere["status"] == 404

    run_scenario(scenario)


def record_commands(clients: RealtimeClients) -> None:
    """Run the clients' commands as the tunnel of a connection does."""
    recorder = clients.instance.app.realtime.connections.tunnel.recorder
    assert recorder is not None
    handle = clients.commands.handle

    async def recorded_command(session: Session, request: TunnelRequest) -> TunnelReply:
        return await recorder.run(session, request, handle)

    clients.commands.handle = recorded_command  # type: ignore[method-assign]


def test_commands_of_clients_are_recorded(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        instance = clients.instance
        record_commands(clients)
        api = api_of(instance)
        sid = await clients.create_conversation("alice")
        path = f"Conversations/{sid}/Messages"
        sent = await clients.post("alice", path, {"body": "Hi"})
        refused = await clients.post("alice", path, {"body": "x" * 100_000})
        failed, message = await recorded(api, Source="sdk", Identity="alice", ConversationSid=sid)
        assert (message["status"], message["operation"]) == (
            sent.status,
            "CreateConversationMessage",
        )
        assert message["form"]["Body"] == "Hi"
        assert message["answer"] == sent.body
        assert message["path"] == f"/Client/v2/{path}"
        assert (failed["status"], failed["code"]) == (refused.status, refused.body["code"])
        assert await recorded(api, Source="sdk", Identity="bob") == []

    run_scenario(scenario)


def test_requests_with_a_fault_are_recorded_with_its_name(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        api = api_of(clients.instance)
        fault = {"Target": "request", "Operation": "CreateConversation", "Name": "planned"}
        (await api.post("/parlour/v1/Faults", {**fault, "Status": 429})).expect(201)
        (await api.post("/v1/Conversations", {"FriendlyName": "x"})).expect(429)
        (refused,) = await recorded(api)
        assert (refused["operation"], refused["status"]) == ("CreateConversation", 429)
        assert (refused["fault"], refused["form"]) == ("planned", {"FriendlyName": "x"})
        dropped = {**fault, "Drop": "true", "Phase": "after"}
        (await api.post("/parlour/v1/Faults", dropped)).expect(201)
        await api.post("/v1/Conversations", {"FriendlyName": "y"})
        lost, _ = await recorded(api)
        assert (lost["operation"], lost["status"]) == ("CreateConversation", None)
        assert lost["form"] == {"FriendlyName": "y"}

    run_scenario(scenario)


def test_a_reset_empties_the_journal(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        api = api_of(clients.instance)
        await api.get("/v1/Conversations")
        assert len(await recorded(api)) == 1
        assert (await api.post("/parlour/v1/Reset")).status in {200, 201}
        assert await recorded(api) == []

    run_scenario(scenario)


def test_secrets_are_redacted(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        api = api_of(clients.instance)
        keys = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Keys.json"
        key = (await api.post(keys, {"FriendlyName": "k"})).expect(201)
        account = (await api.get(f"/2010-04-01/Accounts/{ACCOUNT_SID}.json")).expect(200)
        form = {"Type": "apn", "Certificate": SECRET, "PrivateKey": SECRET, "FriendlyName": "c"}
        (await api.post("/v1/Credentials", form)).expect(201)
        await api.post("/v1/Credentials", {"Type": "fcm", "Secret": SECRET, "ApiKey": SECRET})
        url = f"https://user:{SECRET}@example.com/hook"
        await api.post("/v1/Configuration/Webhooks", {"PostWebhookUrl": url})
        pair = base64.b64encode(f"user:{SECRET}".encode()).decode()
        await api.post("/v1/Conversations", {"FriendlyName": f"Authorization: Basic {pair}"})
        await api.post("/v1/Conversations", {"AuthToken": SECRET, "ClientSecret": SECRET})
        await api.post("/v1/Conversations", {"Attributes": json.dumps({"url": url})})
        page = await api.get(REQUESTS, PageSize=100)
        shown = page.body.decode()
        for secret in (SECRET, key["secret"], account["auth_token"], pair):
            assert secret not in shown
        assert REDACTED in shown
        requests = page.expect(200)["requests"]
        made = next(each for each in requests if each["operation"] == "CreateKey")
        assert made["answer"]["secret"] == REDACTED
        assert made["answer"]["sid"] == key["sid"]
        assert made["form"] == {"FriendlyName": "k"}
        assert f"https://{REDACTED}@example.com/hook" in shown

    run_scenario(scenario)


def test_every_parameter_whose_name_shows_a_secret_is_declared_as_one() -> None:
    """A parameter that is redacted by its name only lacks its declaration."""
    undeclared = {
        f"{each.operation_id}.{name}"
        for each in (*operations(), *declared_operations())
        for name, _, _ in wire_names(each.spec.parameters)
        if is_secret_parameter(name) and name not in secret_names(each.spec.parameters)
    }
    assert undeclared == NO_SECRETS
    declared = {name for each in operations() for name in secret_names(each.spec.parameters)}
    assert {"Certificate", "PrivateKey", "ApiKey", "Secret"} <= declared


def test_functions_of_the_server_and_unknown_callers_are_not_recorded(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        api = api_of(clients.instance)
        await api.get("/parlour/v1/Server")
        await api.get("/healthz")
        wrong = InProcessApi(clients.instance.app.server, ACCOUNT_SID, "wrong")
        (await wrong.get("/v1/Conversations")).expect(401)
        assert await recorded(api) == []

    run_scenario(scenario)


def test_filters_are_combined_and_after_names_a_request(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        api = api_of(clients.instance)
        one = (await api.post("/v1/Conversations")).expect(201)["sid"]
        await api.get(f"/v1/Conversations/{one}")
        await api.post("/v1/Conversations", {"Attributes": "no JSON"})
        requests = await recorded(api)

        async def operations_of(**query: Any) -> list[tuple[str, int]]:
            return [(each["operation"], each["status"]) for each in await recorded(api, **query)]

        created, fetched = ("CreateConversation", 201), ("FetchConversation", 200)
        refused = ("CreateConversation", 400)
        assert await operations_of() == [refused, fetched, created]
        assert await operations_of(Operation="CreateConversation") == [refused, created]
        assert await operations_of(Operation="CreateConversation", Status=201) == [created]
        assert await operations_of(Code=requests[0]["code"]) == [refused]
        assert await operations_of(ConversationSid=one) == [fetched, created]
        assert await operations_of(Source="sdk") == []
        assert await operations_of(After=requests[2]["sid"]) == [refused, fetched]
        assert await operations_of(After=requests[2]["sid"], PageSize=1) == [refused]
        assert await operations_of(After="RQ" + "0" * 32) == [refused, fetched, created]

    run_scenario(scenario)


def test_pages_go_in_both_directions(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        api = api_of(clients.instance)
        for number in range(5):
            await api.get("/v1/Conversations", PageSize=number + 1)
        whole = [each["sid"] for each in await recorded(api)]

        async def page(url: str) -> tuple[list[str], dict[str, Any]]:
            body = (await api.send("GET", url.removeprefix("http://localhost"))).expect(200)
            return [each["sid"] for each in body["requests"]], body["meta"]

        first, meta = await page(f"{REQUESTS}?PageSize=2")
        second, meta = await page(meta["next_page_url"])
        third, last = await page(meta["next_page_url"])
        assert first + second + third == whole
        assert last["next_page_url"] is None
        assert (await page(last["previous_page_url"]))[0] == second
        assert (await page(meta["previous_page_url"]))[0] == first

    run_scenario(scenario)


def test_a_list_takes_the_name_of_any_form_and_refuses_an_unknown_operation(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        api = api_of(clients.instance)
        await api.post("/v1/Conversations")
        [found] = await recorded(api, Operation="CreateServiceConversation")
        assert found["operation"] == "CreateConversation"
        refused = await api.get(REQUESTS, Operation="CreateConversations")
        hint = "There is no operation CreateConversations; did you mean CreateConversation?"
        assert refused.refuses(400, 20001) == hint

    run_scenario(scenario)


def test_a_waiting_list_answers_once_the_request_was_made(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        api = api_of(clients.instance)
        waiting = asyncio.create_task(
            api.get(REQUESTS, Operation="CreateConversation", Wait=30, MinCount=2)
        )
        for _ in range(2):
            await api.get("/v1/Conversations")
            await api.post("/v1/Conversations")
        page = (await waiting).expect(200)
        assert (len(page["requests"]), page["complete"]) == (2, True)
        short = (await api.get(REQUESTS, Operation="CreateUser", Wait=0)).expect(200)
        assert (short["requests"], short["complete"]) == ([], False)

    run_scenario(scenario)


def test_long_responses_are_cut_and_the_ring_is_bounded(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOURNAL_TEST_BYTES_MAX", 60_000)

    async def scenario(clients: RealtimeClients) -> None:
        api = api_of(clients.instance)
        for number in range(20):
            await api.post("/v1/Conversations", {"FriendlyName": f"{number:0100}"})
        for _ in range(3):
            listed = await api.get("/v1/Conversations")
        journal = clients.instance.app.journal
        last, *_ = await recorded(api)
        assert last["answer_bytes"] == len(listed.body) > limits.JOURNAL_ANSWER_BYTES_MAX
        assert last["answer"] == listed.body[: limits.JOURNAL_ANSWER_BYTES_MAX].decode()
        assert journal._bytes <= 60_000
        assert 0 < len(journal) < 23
        journal.forget(ACCOUNT_SID)
        assert (len(journal), journal._bytes) == (0, 0)
        assert await recorded(api) == []

    run_scenario(scenario)


def test_long_headers_count_towards_the_ring_and_have_no_credentials(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOURNAL_TEST_BYTES_MAX", 60_000)

    async def scenario(clients: RealtimeClients) -> None:
        api = api_of(clients.instance)
        agent = "program Bearer 0123456789abcdef " + "x" * 9_000
        for _ in range(10):
            await api.send("GET", "/v1/Users", user_agent=agent)
        assert 0 < len(clients.instance.app.journal) < 7
        last, *_ = await recorded(api)
        assert last["user_agent"] == agent.replace("0123456789abcdef", REDACTED)

    run_scenario(scenario)
