"""Actions per second: changes beyond the rate get 429 and change nothing; off by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parlour.operations.action_rates import ActionRates
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock
from parlour.vocabulary.errors import RETRY_AFTER, ApiError
from tests.events.in_process_server import WITH_HEADER, InProcessServer
from tests.realtime.clients import RealtimeClients, scenario_runner
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.realtime.clients import ScenarioRunner

BURST = limits.ACTIONS_WINDOW_MS // 1000
"""The burst at a rate of one action per second."""
TOO_MANY = (429, 50063)
TOO_MANY_OF_ACCOUNT = (429, 50074)


@pytest.fixture(scope="module")
def limited() -> Iterator[Server]:
    """A server that allows one action per second."""
    with Server(args=("--actions-per-second", "1")) as running:
        yield running


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene on such a server, with a clock that the test moves."""
    return scenario_runner(tmp_path / "data", actions_per_second=1)


def stop_clock(instance: InProcessServer) -> FakeClock:
    """Count from now on by a frozen clock."""
    clock = FakeClock()
    instance.app.pipeline.action_rates = ActionRates(
        clock, instance.app.settings.actions_per_second
    )
    return clock


async def refused(
    instance: InProcessServer, operation_id: str, form: Any = None, **path: str
) -> Any:
    """Return status and code of a rejected call, which must have a Retry-After."""
    with pytest.raises(ApiError) as caught:
        await instance.do(operation_id, form, **path)
    assert caught.value.headers == RETRY_AFTER
    return caught.value.status, caught.value.code


@pytest.mark.promise("--actions-per-second", 429)
@pytest.mark.promise("reference/quirks.md", "and of a service beyond N, are answered 429")
def test_over_rest_it_is_429_with_retry_after_and_nothing_changed(limited: Server) -> None:
    api = Api(limited.base_url, *limited.make_account())
    sid = api.post("/Conversations").expect(201)["sid"]
    path = f"/Conversations/{sid}/Messages"
    made = 0
    while (reply := api.post(path, Body=str(made))).status == 201:
        made += 1
        assert made < 100 * BURST, "The rate was never exceeded."
    assert made >= BURST
    reply.refuses(429, 50063)
    assert reply.headers["Retry-After"] == "1"
    sent = [each["body"] for each in api.get(path, PageSize=100).expect(200)["messages"]]
    assert sent == [str(number) for number in range(made)]
    eventually(lambda: api.post(path, Body="later").status, lambda status: status == 201)
    api.close()


def test_another_account_cannot_use_up_the_rate_of_a_conversation(limited: Server) -> None:
    api, foreign = (Api(limited.base_url, *limited.make_account()) for _ in range(2))
    path = f"/Conversations/{api.post('/Conversations').expect(201)['sid']}/Messages"
    for number in range(4 * BURST):
        foreign.post(path, Body=str(number))
    api.post(path, Body="not mine").expect(201)
    foreign.close()
    api.close()


def test_the_setting_is_off_by_default(api: Api, tmp_path: Path) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        assert clients.instance.app.pipeline.action_rates is None

    scenario_runner(tmp_path / "data")(scenario)
    path = f"/Conversations/{api.post('/Conversations').expect(201)['sid']}"
    for number in range(40):
        api.post(path, FriendlyName=f"Name {number}").expect(200)


def test_changes_by_sid_and_by_name_share_a_rate_limit(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        instance = clients.instance
        sid = (await instance.do("CreateConversation", {"UniqueName": "room"})).sid
        service = {"ChatServiceSid": instance.scope.service_sid}
        clock = stop_clock(instance)
        await instance.send_message(sid, "by SID")
        await instance.send_message("room", "by unique name")
        await instance.do("UpdateConversation", {"FriendlyName": "x"}, Sid="room")
        await instance.do(
            "CreateServiceConversationParticipant",
            {"Identity": "a"},
            ConversationSid=sid,
            **service,
        )
        await instance.do("UpdateServiceConversation", {"FriendlyName": "y"}, Sid=sid, **service)
        for operation, form, path in (
            ("CreateConversationMessage", {"Body": "b"}, {"ConversationSid": "room"}),
            ("CreateConversationParticipant", {"Identity": "b"}, {"ConversationSid": sid}),
            ("DeleteConversationParticipant", None, {"ConversationSid": sid, "Sid": "a"}),
            ("UpdateConversation", {"FriendlyName": "z"}, {"Sid": sid}),
            ("UpdateServiceConversation", {"FriendlyName": "z"}, {"Sid": sid, **service}),
        ):
            assert await refused(instance, operation, form, **path) == TOO_MANY, operation
        await instance.attach(
            sid, Url="http://127.0.0.1/", Filters="onMessageAdded"
        )  # Not an action.
        found = await instance.do("FetchConversation", Sid=sid)
        assert found.friendly_name == "y"
        assert (await instance.do("FetchConversationParticipant", ConversationSid=sid, Sid="a")).sid
        clock.advance(1000)
        await instance.send_message(sid, "a second later")
        assert await refused(
            instance, "DeleteConversationParticipant", ConversationSid=sid, Sid="a"
        )

    run_scenario(scenario)


def test_conversations_users_and_roles_count_for_their_service(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        instance = clients.instance
        other = (await instance.do("CreateService", {"FriendlyName": "x"})).sid
        stop_clock(instance)
        made = (await instance.do("CreateConversation")).sid
        role = {"FriendlyName": "r", "Type": "service", "Permission": "editOwnUserInfo"}
        role_sid = (await instance.do("CreateRole", role)).sid
        user = (await instance.do("CreateUser", {"Identity": "a"})).sid
        await instance.do("CreateConversationWithParticipants")
        await instance.do("CreateServiceConversation", ChatServiceSid=instance.scope.service_sid)
        for operation, form, path in (
            ("CreateConversation", None, {}),
            ("DeleteConversation", None, {"Sid": made}),
            ("CreateUser", {"Identity": "b"}, {}),
            ("UpdateUser", {"FriendlyName": "b"}, {"Sid": user}),
            ("DeleteUser", None, {"Sid": user}),
            ("DeleteRole", None, {"Sid": role_sid}),
        ):
            assert await refused(instance, operation, form, **path) == TOO_MANY, operation
        await instance.send_message(made, "counts for the conversation")
        await instance.do("CreateServiceConversation", ChatServiceSid=other)

    run_scenario(scenario)


@pytest.mark.promise("ACTIONS_OF_ACCOUNT_FACTOR", 429)
def test_an_account_has_ten_times_as_many_in_all(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        instance = clients.instance
        instance.app.pipeline.action_rates = None
        sids = [(await instance.do("CreateConversation")).sid for _ in range(11)]
        clock = stop_clock(instance)
        in_all = BURST * limits.ACTIONS_OF_ACCOUNT_FACTOR
        for number in range(in_all):
            await instance.send_message(sids[number // BURST], str(number))
        assert await refused(instance, "CreateConversation") == TOO_MANY_OF_ACCOUNT
        sent = {"Body": "one too many"}
        path = {"ConversationSid": sids[-1]}
        assert await refused(instance, "CreateConversationMessage", sent, **path) == (
            TOO_MANY_OF_ACCOUNT
        )
        clock.advance(100)
        assert (await instance.send_message(sids[-1], "one")).message_index == 0, (
            "What was refused took no index."
        )

    run_scenario(scenario)


def test_commands_of_clients_count_like_calls_of_rest(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob")
        clock = stop_clock(clients.instance)
        for number in range(BURST):
            sent = await clients.post("bob", f"Conversations/{sid}/Messages", {"body": str(number)})
            assert sent.status == 201
        path = f"Conversations/{sid}/Messages"
        assert (await clients.post("bob", path, {"body": "x"})).refusal == TOO_MANY
        assert await refused(
            clients.instance, "CreateConversationMessage", {"Body": "x"}, ConversationSid=sid
        )
        typed = await clients.publish_typing("bob", f"ChannelSid={sid}".encode())
        assert typed.status == 200, "Typing changes nothing."
        clock.advance(1000)
        assert (await clients.post("bob", path, {"body": "x"})).body["index"] == BURST

    run_scenario(scenario)


def test_a_call_with_a_pre_action_webhook_is_counted_once(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        instance, backend = clients.instance, clients.backend
        sid = await clients.create_conversation("bob")
        url = backend.url("/before")
        await instance.do(
            "UpdateConfigurationWebhook", {"PreWebhookUrl": url, "Filters": "onMessageAdd"}
        )
        stop_clock(instance)
        for number in range(BURST):
            await instance.send_message(sid, str(number), WITH_HEADER)
        with pytest.raises(ApiError) as caught:
            await instance.send_message(sid, "x", WITH_HEADER)
        assert (caught.value.status, caught.value.code) == TOO_MANY
        assert len(backend.requests_to("/before")) == BURST, "A refused call is not asked about."

    run_scenario(scenario)


def test_a_repeated_call_with_its_idempotency_key_is_not_counted(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        instance = clients.instance
        sid = await clients.create_conversation("bob")
        stop_clock(instance)
        for number in range(BURST):
            await instance.run(
                "CreateConversationMessage",
                {"Body": str(number)},
                idempotency_key=f"key {number}",
                ConversationSid=sid,
            )
        again = await instance.run(
            "CreateConversationMessage",
            {"Body": "0"},
            idempotency_key="key 0",
            ConversationSid=sid,
        )
        assert again.replayed is not None
        assert await refused(
            instance, "CreateConversationMessage", {"Body": "x"}, ConversationSid=sid
        )

    run_scenario(scenario)
