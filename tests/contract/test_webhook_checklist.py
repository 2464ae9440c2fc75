"""The webhook checklist: the guarantees for a customer's backend, in fourteen numbered tests.

Each has extensive tests elsewhere: names and values of every event in
tests/events/test_webhook_parameters.py, scopes in test_webhook_scopes.py, responses of pre-action
webhooks in test_pre_action.py, replays in test_webhook_replays.py, retries in tests/virtual_time
and tests/unit/protocol/test_retries.py, signatures in test_webhook_signatures.py.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from twilio.request_validator import RequestValidator

from parlour.protocol import retries
from parlour.resources.scoped_webhooks import store as scoped_webhook_store
from tests.checkers.webhook_receiver import WebhookReceiver
from tests.contract import test_every_operation_npm as by_node
from tests.contract.test_webhook_signatures import in_node, in_python, received
from tests.events.event_tour import ME, seed
from tests.events.in_process_server import (
    ALICE,
    BY_SMS,
    EVERYTHING,
    WITH_HEADER,
    InProcessServer,
    ScenarioRunner,
    scenario_runner,
)
from tests.events.pre_action_setup import refusal
from tests.events.webhook_backend import WebhookBackend, respond_with
from tests.resources import test_timers
from tests.resources.settings_setup import new_account_api
from tests.support.client import Api
from tests.support.machine_pressure import Stopwatch
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.events.webhook_backend import Responder
    from tests.support.ports import ReservedPort
    from tests.support.server import Server

# Both run Node.js; one process should do it.
pytestmark = pytest.mark.xdist_group("npm-client")

installed_node_packages = by_node.installed_node_packages
fast = test_timers.fast

MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
LOG = "/parlour/v1/WebhookAttempts"
ENABLED = {"X-Twilio-Webhook-Enabled": "true"}
FLOW_SID = "FW" + "0" * 31 + "1"
ROBERT: Any = {
    "MessagingBinding.Address": "+15558675310",
    "MessagingBinding.ProxyAddress": "+15017122661",
}


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a runner of scenarios, each on a separate server."""
    return scenario_runner(tmp_path / "data")


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebhookReceiver]:
    """One receiver for the tests of this file; each has separate paths."""
    with WebhookReceiver(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.fixture
def own(server: Server) -> Iterator[Api]:
    """A separate account."""
    api = new_account_api(server)
    yield api
    api.close()


def test_01_client_changes_call_pre_and_post_webhooks_both_signed(
    run_scenario: ScenarioRunner, installed_node_packages: None
) -> None:
    async def scenario(instance: InProcessServer, hooks: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        await instance.enable_webhooks(hooks)
        await instance.send_message(sid, "Grüße", ALICE)
        await instance.wait_until_idle()
        assert [call.event for call in hooks.requests] == ["onMessageAdd", "onMessageAdded"]
        for call in hooks.requests:
            assert (call.values["Source"], call.values["ClientIdentity"]) == ("SDK", "alice")
            assert call.values["Author"] == "alice"
        assert MILLISECONDS.fullmatch(hooks.requests[1].values["DateCreated"])
        requests = [received(hooks.url(call.path), call) for call in hooks.requests]
        assert in_python(requests) == in_node(requests) == [True, True]

    run_scenario(scenario)


@pytest.mark.parametrize(
    ("header", "is_notified"),
    [(None, False), ("false", False), ("1", False), ("true", True), ("True", True), ("TRUE", True)],
)
def test_02_rest_fires_no_webhook_at_any_scope_without_its_header(
    own: Api, receiver: WebhookReceiver, header: str | None, is_notified: bool
) -> None:
    place = f"/ok/header-{header}"
    sid = own.post("/Conversations").expect(201)["sid"]
    form = {"PreWebhookUrl": f"{place}/pre", "PostWebhookUrl": f"{place}/post"}
    urls = {name: receiver.url(path) for name, path in form.items()}
    own.post("/Configuration/Webhooks", {**urls, "Filters": EVERYTHING}).expect(200)
    hook = {"Configuration.Url": receiver.url(f"{place}/scoped")}
    filters = {"Configuration.Filters": "onMessageAdded"}
    own.post(f"/Conversations/{sid}/Webhooks", {"Target": "webhook", **hook, **filters}).expect(201)
    trigger = {"Target": "trigger", **hook, "Configuration.Triggers": "hello"}
    own.post(f"/Conversations/{sid}/Webhooks", trigger).expect(201)
    headers = {"X-Twilio-Webhook-Enabled": header} if header else {}
    own.post(f"/Conversations/{sid}/Messages", Body="hello", headers=headers).expect(201)
    # Events of the earlier request were delivered before this one, or never will be.
    own.post(f"/Conversations/{sid}/Messages", Body="loud, hello", headers=ENABLED).expect(201)
    expected = sorted(["/pre", "/post", "/scoped", "/scoped"] * (2 if is_notified else 1))
    lines = eventually(lambda: receiver.lines(place), lambda found: len(found) >= len(expected))
    assert sorted(line.path.removeprefix(place) for line in lines) == expected
    bodies = {line.parameters["Body"] for line in lines}
    assert bodies == ({"hello", "loud, hello"} if is_notified else {"loud, hello"})


def test_03_a_service_webhook_replaces_the_accounts_there_only(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, hooks: WebhookBackend) -> None:
        await instance.enable_webhooks(hooks)
        other = (await instance.do("CreateService", {"FriendlyName": "Other"})).sid
        form: Any = {"PostWebhookUrl": hooks.url("/service"), "Filters": EVERYTHING}
        await instance.do("UpdateServiceWebhookConfiguration", form, ChatServiceSid=other)
        create = "CreateServiceConversation"
        await instance.do(create, origin=WITH_HEADER, ChatServiceSid=other)
        await instance.wait_until_idle()
        assert [call.path for call in hooks.requests] == ["/service"]
        hooks.requests.clear()
        await instance.do(create, origin=WITH_HEADER, ChatServiceSid=instance.scope.service_sid)
        await instance.wait_until_idle()
        assert [call.path for call in hooks.requests] == ["/pre", "/post"]

    run_scenario(scenario)


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (respond_with(200, "{}"), "said"),
        (respond_with(200, '{"body":"amended"}'), "amended"),
        (respond_with(200, '{"attributes":"{"}'), (400, 50304)),
        (respond_with(403), (403, 50056)),
        (respond_with(500), (403, 50056)),
        (respond_with(200, "ok"), "said"),
        (None, "said"),
    ],
    ids=["200 {}", "a body", "bad attributes", "403", "500", "text", "refused port"],
)
def test_04_responses_of_a_pre_action_webhook(
    run_scenario: ScenarioRunner, refusing_port: ReservedPort, given: Responder | None, outcome: Any
) -> None:
    async def scenario(instance: InProcessServer, hooks: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        changes = {} if given is not None else {"PreWebhookUrl": f"{refusing_port.url}/"}
        await instance.enable_webhooks(hooks, **changes)
        if given is not None:
            hooks.responders["/pre"] = given
        if isinstance(outcome, str):
            assert (await instance.send_message(sid, "said", ALICE)).body == outcome
        else:
            assert await refusal(instance.send_message(sid, "said", ALICE)) == outcome
        await instance.wait_until_idle()
        assert len(hooks.requests_to("/post")) == isinstance(outcome, str)

    run_scenario(scenario)


def test_04_amended_values_are_returned_stored_listed_and_published(
    own: Api, receiver: WebhookReceiver
) -> None:
    amended = {"body": "amended", "author": "erin", "attributes": {"by": "the backend"}}
    sid = own.post("/Conversations").expect(201)["sid"]
    form = {
        "PreWebhookUrl": receiver.url("/say/" + quote(json.dumps(amended), safe="")),
        "PostWebhookUrl": receiver.url("/ok/amended"),
        "Filters": ["onMessageAdd", "onMessageAdded"],
    }
    own.post("/Configuration/Webhooks", form).expect(200)
    path = f"/Conversations/{sid}/Messages"
    shown = own.post(path, Body="said", Author="dave", headers=ENABLED).expect(201)
    assert (shown["body"], shown["author"]) == ("amended", "erin")
    assert json.loads(shown["attributes"]) == amended["attributes"]
    assert own.get(f"{path}/{shown['sid']}").expect(200) == shown
    assert own.get(path).expect(200)["messages"] == [shown]
    (line,) = eventually(lambda: receiver.lines("/ok/amended"), bool)
    assert (line.parameters["Body"], line.parameters["Author"]) == ("amended", "erin")


def test_04_pre_action_webhook_times_out_after_five_seconds(
    own: Api, receiver: WebhookReceiver
) -> None:
    url = receiver.url("/slow/6000/pre")
    form = {"PreWebhookUrl": url, "Filters": ["onMessageAdd"]}
    own.post("/Configuration/Webhooks", form).expect(200)
    sid = own.post("/Conversations").expect(201)["sid"]
    path = f"/Conversations/{sid}/Messages"
    watch = Stopwatch()
    sent = own.post(path, Body="said", headers=ENABLED).expect(201)
    assert watch.seconds >= 5.0
    assert watch.seconds_at_least < 5.9
    assert sent["body"] == "said"
    (attempt,) = eventually(lambda: own.get(LOG).expect(200)["webhook_attempts"], bool)
    assert (attempt["outcome"], attempt["error_code"]) == ("failed", 50076)
    assert 5000 <= attempt["elapsed_ms"] <= 5200


def test_05_a_rejected_conversation_of_an_inbound_message_is_not_created(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, hooks: WebhookBackend) -> None:
        await instance.enable_webhooks(hooks)
        hooks.responders["/pre"] = respond_with(403)
        doing = instance.do("CreateConversation", {"UniqueName": "inbound"}, origin=BY_SMS)
        assert await refusal(doing) == (403, 50056)
        await instance.wait_until_idle()
        (call,) = hooks.requests
        assert (call.event, call.values["Source"]) == ("onConversationAdd", "SMS")
        assert "ConversationSid" not in call.values
        assert (await refusal(instance.do("FetchConversation", Sid="inbound")))[0] == 404

    run_scenario(scenario)


def test_06_with_get_the_parameters_follow_the_query_and_the_whole_is_signed(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, hooks: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        urls = {"PreWebhookUrl": "", "PostWebhookUrl": hooks.url("/post?tenant=7")}
        await instance.enable_webhooks(hooks, Method="GET", **urls)
        await instance.send_message(sid, "50% off & more", ALICE)
        await instance.wait_until_idle()
        (call,) = hooks.requests
        assert (call.method, call.body) == ("GET", b"")
        assert call.target.startswith("/post?tenant=7&AccountSid=")
        assert call.values["Body"] == "50% off & more"
        assert "Body=50%25+off+%26+more" in call.target
        assert in_python([received("", call)]) == [True]

    run_scenario(scenario)


def test_07_credentials_are_sent_in_a_header_and_fragments_are_dropped(
    own: Api, receiver: WebhookReceiver
) -> None:
    url = receiver.url("/status/503/odd")
    form = {"PostWebhookUrl": url.replace("://", "://user:pass@") + "#rc=2"}
    own.post("/Configuration/Webhooks", {**form, "Filters": ["onMessageAdded"]}).expect(200)
    sid = own.post("/Conversations").expect(201)["sid"]
    own.post(f"/Conversations/{sid}/Messages", Body="x", headers=ENABLED).expect(201)
    (line, *_) = eventually(lambda: receiver.lines("/status/503/odd"), bool)
    assert line.headers["authorization"] == "Basic dXNlcjpwYXNz"
    signature = line.headers["x-twilio-signature"]
    assert RequestValidator(own.token).validate(url, line.parameters, signature)


def test_08_limits_of_the_webhooks_of_a_conversation(own: Api) -> None:
    path = f"/Conversations/{own.post('/Conversations').expect(201)['sid']}/Webhooks"
    url = "https://hooks.example.com/"
    hook = {"Target": "webhook", "Configuration.Url": url}
    good = {**hook, "Configuration.Filters": "onMessageAdded"}
    own.post(path, {**hook, "Configuration.Filters": "onMessageAdd"}).refuses(400, 50365)
    words = {"Target": "trigger", "Configuration.Url": url, "Configuration.Triggers": "x" * 249}
    own.post(path, words).refuses(400, 50366)
    own.post(path, {**good, "Configuration.Url": url.ljust(513, "x")}).refuses(400, 50372)
    own.post(path, {**good, "Configuration.Url": url.ljust(512, "x")}).expect(201)
    for _ in range(4):
        own.post(path, good).expect(201)
    own.post(path, good).refuses(400, 50361)


def test_09_a_new_webhook_receives_the_existing_messages(
    own: Api, receiver: WebhookReceiver
) -> None:
    sid = own.post("/Conversations").expect(201)["sid"]
    for body in "abc":
        own.post(f"/Conversations/{sid}/Messages", Body=body).expect(201)
    form = {
        "Target": "webhook",
        "Configuration.Url": receiver.url("/ok/replayed"),
        "Configuration.Filters": "onMessageAdded",
        "Configuration.ReplayAfter": "0",
    }
    own.post(f"/Conversations/{sid}/Webhooks", form).expect(201)
    found = eventually(lambda: receiver.lines("/ok/replayed"), lambda lines: len(lines) == 3)
    assert [line.event for line in found] == ["onMessageAdded"] * 3
    assert [line.parameters["Body"] for line in found] == ["a", "b", "c"]
    assert [line.parameters["Index"] for line in found] == ["0", "1", "2"]


def test_10_a_trigger_fires_once_for_two_words_and_never_without_a_body(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, hooks: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        await instance.store.write(lambda tx: seed(tx, instance, ALICE))
        await instance.attach(sid, "trigger", Url=hooks.url("/t"), Triggers=["help", "please"])
        here = {"ConversationSid": sid}
        await instance.do("CreateConversationMessage", {"MediaSid": ME}, origin=ALICE, **here)
        await instance.send_message(sid, "help, please", ALICE)
        await instance.wait_until_idle()
        assert [call.values["Body"] for call in hooks.requests] == ["help, please"]

    run_scenario(scenario)


@pytest.mark.parametrize("level", ["account", "service"])
def test_11_a_timer_fires_webhooks_at_every_scope_without_a_request(
    fast: Server, receiver: WebhookReceiver, level: str
) -> None:
    api = Api(fast.base_url, fast.account_sid, fast.auth_token)
    place = f"/ok/timer-{level}"
    made = api.post("/Conversations", {"Timers.Inactive": "PT1M"}).expect(201)
    form = {"PostWebhookUrl": receiver.url(place), "Filters": EVERYTHING}
    at = api if level == "account" else api.service(made["chat_service_sid"])
    at.post("/Configuration/Webhooks", form).expect(200)
    scoped = {
        "Target": "webhook",
        "Configuration.Url": receiver.url(f"{place}/scoped"),
        "Configuration.Filters": "onConversationStateUpdated",
    }
    api.post(f"/Conversations/{made['sid']}/Webhooks", scoped).expect(201)
    lines = eventually(lambda: receiver.lines(place), lambda found: len(found) == 2, seconds=10)
    api.close()
    assert {line.path for line in lines} == {place, f"{place}/scoped"}
    assert lines[0].parameters == lines[1].parameters
    parameters = dict(lines[0].parameters)
    assert MILLISECONDS.fullmatch(parameters.pop("StateUpdated"))
    assert parameters == {
        "EventType": "onConversationStateUpdated",
        "AccountSid": fast.account_sid,
        "ChatServiceSid": made["chat_service_sid"],
        "ConversationSid": made["sid"],
        "MessagingServiceSid": made["messaging_service_sid"],
        "StateFrom": "active",
        "StateTo": "inactive",
        "Reason": "TIMER",
        "Source": "API",
        "RetryCount": "0",
    }


@pytest.mark.parametrize(("status", "counts"), [(503, ["0", "1", "2"]), (500, ["0"])])
def test_12_a_hosted_schedule_retries_as_often_as_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, counts: list[str]
) -> None:
    monkeypatch.setattr(retries, "_HOSTED_DELAYS_MS", (10, 10, 10))

    async def scenario(instance: InProcessServer, hooks: WebhookBackend) -> None:
        hooks.responders[
            "/studio/v1/Accounts/" + instance.scope.account_sid + f"/Flows/{FLOW_SID}"
        ] = respond_with(status)
        sid = (await instance.do("CreateConversation")).sid
        made = await instance.attach(sid, "studio", FlowSid=FLOW_SID)
        set_count = "UPDATE scoped_webhook SET retry_count = 2 WHERE account_sid = $1 AND sid = $2"
        await instance.store.write(
            lambda tx: tx.run(set_count, instance.scope.account_sid, made.sid)
        )
        found = await instance.store.read(
            lambda tx: scoped_webhook_store.list_all_scoped_webhooks(tx, instance.scope, sid)
        )
        assert [each.retry_count for each in found] == [2]
        await instance.send_message(sid, "x", ALICE)
        await instance.wait_until_idle()
        assert [call.values["RetryCount"] for call in hooks.requests] == counts
        assert len({call.headers["i-twilio-idempotency-token"] for call in hooks.requests}) == 1

    async def run() -> None:
        async with WebhookBackend() as hooks:
            settings = {"webhook_retries": "hosted", "webhook_studio_url": hooks.url("/studio")}
            async with InProcessServer(tmp_path / "data", **settings) as instance:
                await scenario(instance, hooks)

    asyncio.run(run())


def test_13_media_are_listed_and_an_empty_body_is_not_sent(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, hooks: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        await instance.store.write(lambda tx: seed(tx, instance, ALICE))
        await instance.enable_webhooks(hooks)
        here = {"ConversationSid": sid}
        await instance.do("CreateConversationMessage", {"MediaSid": ME}, origin=ALICE, **here)
        await instance.wait_until_idle()
        assert [call.event for call in hooks.requests] == ["onMessageAdd", "onMessageAdded"]
        for call in hooks.requests:
            (carried,) = json.loads(call.values["Media"])
            assert list(carried) == ["Sid", "Filename", "ContentType", "Size"]
            assert carried == {
                "Sid": ME,
                "Filename": "cat.jpg",
                "ContentType": "image/jpeg",
                "Size": 12345,
            }
            assert "Body" not in call.values

    run_scenario(scenario)


def test_14_receipts_have_a_status_and_the_channels_sid_and_no_source(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(instance: InProcessServer, hooks: WebhookBackend) -> None:
        sid = (await instance.do("CreateConversation")).sid
        here = {"ConversationSid": sid}
        robert = await instance.do("CreateConversationParticipant", ROBERT, **here)
        await instance.enable_webhooks(hooks)
        message = await instance.send_message(sid, "silent, but carried")
        await instance.wait_until_idle()
        assert {call.event for call in hooks.requests} == {"onDeliveryUpdated"}
        assert [call.values["Status"] for call in hooks.requests] == ["sent", "delivered"]
        for call in hooks.requests:
            assert call.values["ChannelMessageSid"].startswith("SM")
            assert call.values["MessageSid"] == message.sid
            assert call.values["ParticipantSid"] == robert.sid
            assert call.values["DeliveryReceiptSid"].startswith("DY")
            assert not {"Source", "ClientIdentity", "ErrorCode"} & set(call.values)

    run_scenario(scenario)
