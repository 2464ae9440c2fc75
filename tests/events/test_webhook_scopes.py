"""Which webhooks receive an event: precedence, filters, triggers, flows, and replays."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from parlour.delivery.targets import pre_action_target, targets_of
from parlour.store import event_log
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.clock import FakeClock
from parlour.vocabulary.event import Event
from tests.events.in_process_server import (
    ACCOUNT_SID,
    ALICE,
    BY_SMS,
    EVERYTHING,
    WITH_HEADER,
    InProcessServer,
    ScenarioRunner,
    scenario_runner,
)
from tests.events.webhook_backend import WebhookBackend

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.delivery.targets import WebhookTarget
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


FLOW_SID = "FW" + "0" * 31 + "1"


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scene on a separate server."""
    return scenario_runner(tmp_path / "data")


async def service(instance: InProcessServer, service_sid: str, **form: Any) -> None:
    """Set the webhooks of a service with these values."""
    await instance.do("UpdateServiceWebhookConfiguration", form, ChatServiceSid=service_sid)


def paths(backend: WebhookBackend) -> list[str]:
    """Return the paths that received a request, in order."""
    return [received.path for received in backend.requests]


# --- Account and service --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (None, ["/account/pre", "/account/post"]),
        ("PreWebhookUrl", ["/service"]),
        ("PostWebhookUrl", ["/service"]),
    ],
)
def test_one_url_of_a_service_replaces_everything_of_its_account(
    run_scenario: ScenarioRunner, side: str | None, expected: list[str]
) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        await instance.enable_webhooks(backend, "/account")
        urls = {} if side is None else {side: backend.url("/service")}
        await service(instance, instance.scope.service_sid, Filters=EVERYTHING, **urls)
        await instance.do("CreateConversation", origin=WITH_HEADER)
        await instance.wait_until_idle()
        assert paths(backend) == expected

    run_scenario(scenario)


def test_another_service_keeps_the_webhooks_of_the_account(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        await instance.enable_webhooks(backend, "/account")
        other = (await instance.do("CreateService", {"FriendlyName": "Other"})).sid
        url = backend.url("/service")
        await service(instance, other, PostWebhookUrl=url, Filters=["onConversationAdded"])
        elsewhere = {"ChatServiceSid": other}
        await instance.do("CreateServiceConversation", origin=WITH_HEADER, **elsewhere)
        await instance.do("CreateConversation", origin=WITH_HEADER)
        await instance.wait_until_idle()
        assert sorted(paths(backend)) == ["/account/post", "/account/pre", "/service"]

    run_scenario(scenario)


def test_a_service_whose_urls_are_cleared_falls_back(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        await instance.enable_webhooks(backend, "/account")
        own = instance.scope.service_sid
        await service(instance, own, PostWebhookUrl=backend.url("/service"), Filters=EVERYTHING)
        await service(instance, own, PostWebhookUrl="")
        await instance.do("CreateConversation", origin=WITH_HEADER)
        await instance.wait_until_idle()
        assert paths(backend) == ["/account/pre", "/account/post"]

    run_scenario(scenario)


def test_filters_and_method_come_from_the_effective_configuration(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        await instance.enable_webhooks(backend, "/account")
        await service(
            instance,
            instance.scope.service_sid,
            PreWebhookUrl=backend.url("/service"),
            PostWebhookUrl=backend.url("/service"),
            Method="get",
            Filters=["onConversationAdded", "onMessageAdd"],
        )
        made = await instance.do("CreateConversation", origin=WITH_HEADER)
        await instance.send_message(made.sid, "x", WITH_HEADER)
        await instance.wait_until_idle()
        received = {(each.method, each.event) for each in backend.requests}
        assert received == {("GET", "onConversationAdded"), ("GET", "onMessageAdd")}

    run_scenario(scenario)


@pytest.mark.parametrize("name", EVERYTHING)
def test_each_event_goes_to_its_url_and_no_other(run_scenario: ScenarioRunner, name: str) -> None:
    """Pre-action names go to the one URL, post-action names to the other, and no other name."""

    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        await instance.enable_webhooks(backend, "/account", Filters=[name])
        found = await instance.store.read(lambda tx: sides(tx, instance.scope))
        side = "before" if name in event_names.PRE_ACTION else "after"
        path = "/account/pre" if side == "before" else "/account/post"
        assert found == [(side, name, backend.url(path))]

    run_scenario(scenario)


async def sides(tx: Transaction, scope: Scope) -> list[tuple[str, str, str]]:
    """Return every event name with a target: its side, and its URL."""
    found = []
    for name in EVERYTHING:
        target = await pre_action_target(tx, scope, name)
        if target is not None and name in event_names.PRE_ACTION:
            found.append(("before", name, target.url))
        if name in event_names.POST_ACTION:
            received = await targets_of(tx, event(name, scope))
            found += [("after", name, each.url) for each in received]
    return found


def event(
    name: str, scope: Scope, payload: str = '{"scoped_webhooks":[]}', **changes: Any
) -> Event:
    """Return an event that fires."""
    values: dict[str, Any] = {
        "sequence": 1 << 62,
        "account_sid": scope.account_sid,
        "service_sid": scope.service_sid,
        "conversation_sid": "CH" + "0" * 32,
        "subject_sid": "CH" + "0" * 32,
        "name": name,
        "source": "API",
        "client_identity": None,
        "fires": True,
        "date_ms": 1,
        "payload": '{"scoped_webhooks":[]}',
    }
    return Event(**values)


def test_a_flex_webhook_is_stored_and_never_called(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        await instance.enable_webhooks(backend, "/account", Target="flex")
        made = await instance.do("CreateConversation", origin=WITH_HEADER)
        await instance.attach(made.sid, Url=backend.url("/scoped"), Filters="onMessageAdded")
        await instance.send_message(made.sid, "x", WITH_HEADER)
        await instance.wait_until_idle()
        assert paths(backend) == ["/scoped"]
        assert (await instance.do("FetchConfigurationWebhook")).target == "flex"

    run_scenario(scenario)


def test_every_scope_is_called_once(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        await instance.enable_webhooks(backend, "/account")
        made = await instance.do("CreateConversation")
        for number in range(limits.WEBHOOKS_PER_CONVERSATION_MAX):
            url = backend.url(f"/scoped{number}")
            await instance.attach(made.sid, Url=url, Filters="onMessageAdded")
        await instance.send_message(made.sid, "x", ALICE)
        await instance.wait_until_idle()
        expected = ["/account/post", *(f"/scoped{number}" for number in range(5))]
        assert sorted(paths(backend)) == sorted(["/account/pre", *expected])
        tokens = {received.headers["i-twilio-idempotency-token"] for received in backend.requests}
        assert len(tokens) == 7

    run_scenario(scenario)


@pytest.mark.parametrize(
    ("origin", "is_notified"),
    [(ALICE, True), (BY_SMS, True), (WITH_HEADER, True), (None, False)],
    ids=["client", "sms", "header", "api"],
)
def test_sources_that_fire_webhooks(
    run_scenario: ScenarioRunner, origin: Any, is_notified: bool
) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        await instance.enable_webhooks(backend, "/account")
        await service(instance, instance.scope.service_sid, Filters=EVERYTHING)
        made = await instance.do("CreateConversation")
        await instance.attach(made.sid, Url=backend.url("/scoped"), Filters="onMessageAdded")
        await instance.attach(made.sid, "trigger", Url=backend.url("/trigger"), Triggers="x")
        origins = {} if origin is None else {"origin": origin}
        await instance.send_message(made.sid, "x", **origins)
        await instance.wait_until_idle()
        expected_paths = {"/account/pre", "/account/post", "/scoped", "/trigger"}
        assert set(paths(backend)) == (expected_paths if is_notified else set())

    run_scenario(scenario)


# --- Webhooks of conversations --------------------------------------------------------------


def test_a_scoped_webhook_receives_only_its_conversation_and_filters(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        mine = (await instance.do("CreateConversation")).sid
        other = (await instance.do("CreateConversation")).sid
        await instance.attach(
            mine, Url=backend.url("/mine"), Filters="onMessageAdded", Method="GET"
        )
        for sid in (mine, other):
            await instance.send_message(sid, "x", WITH_HEADER)
            await instance.do("UpdateConversation", {"Attributes": "{}"}, origin=ALICE, Sid=sid)
        await instance.wait_until_idle()
        (received,) = backend.requests
        assert (received.method, received.event) == ("GET", "onMessageAdded")
        assert received.values["ConversationSid"] == mine

    run_scenario(scenario)


def test_a_webhook_receives_nothing_after_it_was_detached(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        webhook = await instance.attach(sid, Url=backend.url("/s"), Filters="onMessageAdded")
        await instance.send_message(sid, "one", WITH_HEADER)
        await instance.wait_until_idle()
        here = {"ConversationSid": sid, "Sid": webhook.sid}
        await instance.do("DeleteConversationScopedWebhook", **here)
        await instance.send_message(sid, "two", WITH_HEADER)
        await instance.wait_until_idle()
        assert [received.values["Body"] for received in backend.requests] == ["one"]

    run_scenario(scenario)


# With one writer, transactions commit in the order of their start.
@pytest.mark.embedded
def test_the_deletion_of_a_conversation_is_sent_to_its_webhooks(
    run_scenario: ScenarioRunner,
) -> None:
    """The same holds for events before the deletion, even if they are read from the log later."""

    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        names = ["onMessageAdded", "onConversationRemoved"]
        await instance.attach(sid, Url=backend.url("/s"), Filters=names)
        doing = [
            instance.send_message(sid, "last", WITH_HEADER),
            instance.do("DeleteConversation", origin=WITH_HEADER, Sid=sid),
        ]
        await asyncio.gather(*doing)
        await instance.wait_until_idle()
        assert backend.events_sent_to("/s") == names

    run_scenario(scenario)


def test_events_read_after_the_deletion_use_the_webhooks_at_commit(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        first = await instance.attach(sid, Url=backend.url("/first"), Filters="onMessageAdded")
        await instance.send_message(sid, "x")
        late = await instance.attach(sid, Url=backend.url("/late"), Filters="onMessageAdded")
        await instance.send_message(sid, "y")
        await instance.do("DeleteConversation", Sid=sid)
        targets = await fired_again(instance, "onMessageAdded")
        assert [[each.key for each in found] for found in targets] == [
            [first.sid],
            [first.sid, late.sid],
        ]

    run_scenario(scenario)


async def fired_again(instance: InProcessServer, name: str) -> list[list[WebhookTarget]]:
    """Return the targets of each event of this name, if it fired now."""

    async def read(tx: Transaction) -> list[list[WebhookTarget]]:
        log = await event_log.read_after(tx, 0, 1000)
        found = [replace(each, fires=True) for each in log if each.name == name]
        return [await targets_of(tx, each) for each in found]

    return await instance.store.read(read)


@pytest.mark.embedded
def test_a_webhook_receives_nothing_from_before_it_was_attached(
    run_scenario: ScenarioRunner,
) -> None:
    """In the same millisecond too: the log's order decides, not the clock."""

    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        frozen = FakeClock(1_900_000_000_000)
        instance.app.store._write_tx._clock = frozen  # type: ignore[assignment]
        for number in range(3):
            await instance.send_message(sid, f"before {number}")
        webhook = await instance.attach(sid, Url=backend.url("/s"), Filters="onMessageAdded")
        await instance.send_message(sid, "after")
        targets = await fired_again(instance, "onMessageAdded")
        assert [[each.key for each in found] for found in targets] == [[], [], [], [webhook.sid]]

    run_scenario(scenario)


# --- Triggers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "body", "is_triggered"),
    [
        (["help"], "I need HELP!", True),
        (["HELP"], "helpless", True),
        (["help", "please"], "help, please", True),
        (["Straße"], "STRASSE", True),
        (["50% off"], "now 50% off", True),
        ([" "], "a b", True),
        (["help"], "hel p", False),
        (["help"], "", False),
        (["a", "b", "c", "d", "e"], "xyz e", True),
    ],
)
def test_a_trigger(
    run_scenario: ScenarioRunner, words: list[str], body: str, is_triggered: bool
) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        await instance.attach(sid, "trigger", Url=backend.url("/t"), Triggers=words)
        message = await instance.send_message(sid, body, WITH_HEADER)
        here = {"ConversationSid": sid, "Sid": message.sid}
        form: Any = {"Body": words[0]}
        await instance.do("UpdateConversationMessage", form, origin=WITH_HEADER, **here)
        await instance.wait_until_idle()
        assert backend.events_sent_to("/t") == (["onMessageAdded"] if is_triggered else [])

    run_scenario(scenario)


def test_a_message_without_a_body_triggers_nothing(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        await instance.attach(sid, "trigger", Url=backend.url("/t"), Triggers=["system", "null"])
        here = {"ConversationSid": sid}
        await instance.do("CreateConversationMessage", {}, origin=WITH_HEADER, **here)
        await instance.wait_until_idle()
        assert backend.requests == []

    run_scenario(scenario)


# --- Flows ----------------------------------------------------------------------------------


def test_a_flow_is_started_where_flows_are_run(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with WebhookBackend() as backend:
            studio_url = backend.url("/studio/")
            async with InProcessServer(
                tmp_path / "data", webhook_studio_url=studio_url
            ) as instance:
                sid = (await instance.do("CreateConversation")).sid
                await instance.attach(sid, "studio", FlowSid=FLOW_SID)
                await instance.send_message(sid, "silent")
                await instance.send_message(sid, "loud", WITH_HEADER)
                await instance.do("UpdateConversation", {"Attributes": "{}"}, origin=ALICE, Sid=sid)
                await instance.wait_until_idle()
            (received,) = backend.requests
            assert received.path == f"/studio/v1/Accounts/{ACCOUNT_SID}/Flows/{FLOW_SID}"
            assert (received.method, received.values["Body"]) == ("POST", "loud")

    asyncio.run(scenario())


def test_a_flow_receives_the_events_of_its_filters(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with WebhookBackend() as backend:
            studio_url = backend.url("/studio")
            async with InProcessServer(
                tmp_path / "data", webhook_studio_url=studio_url
            ) as instance:
                sid = (await instance.do("CreateConversation")).sid
                values = {"FlowSid": FLOW_SID, "Filters": "onConversationUpdated"}
                await instance.attach(sid, "studio", **values)
                await instance.send_message(sid, "x", WITH_HEADER)
                await instance.do("UpdateConversation", {"Attributes": "{}"}, origin=ALICE, Sid=sid)
                await instance.wait_until_idle()
            assert [received.event for received in backend.requests] == ["onConversationUpdated"]

    asyncio.run(scenario())


def test_without_a_url_for_flows_the_webhook_is_only_stored(run_scenario: ScenarioRunner) -> None:
    async def scenario(instance: InProcessServer, backend: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        await instance.attach(sid, "studio", FlowSid=FLOW_SID)
        await instance.attach(sid, Url=backend.url("/s"), Filters="onMessageAdded")
        await instance.send_message(sid, "x", WITH_HEADER)
        await instance.wait_until_idle()
        assert paths(backend) == ["/s"]

    run_scenario(scenario)
