"""Targets: which webhooks an event is sent to, with which key, method and limit of retries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from structlog.testing import capture_logs

from parlour.delivery.targets import WebhookTarget, pre_action_target, replays_of, targets_of
from parlour.delivery.webhook_settings import EffectiveConfiguration, SettingsInForce
from parlour.resources.conversations import store as conversation_store
from parlour.resources.messages import store as message_store
from parlour.resources.webhook_configuration import store as webhook_configuration_store
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.event import Event
from parlour.vocabulary.origin import API, SDK
from parlour.vocabulary.scope import Scope
from tests.unit.delivery.database import SCOPE, Database, run_on_database
from tests.unit.delivery.webhook_rows import (
    POST,
    PRE,
    account_webhooks,
    conversation,
    message,
    scoped_webhook,
)

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.resources.scoped_webhooks.store import ScopedWebhook

STUDIO = "http://studio.test/"
CONFIGURED = EffectiveConfiguration(
    key="AC1",
    scope="account",
    method="GET",
    filters=frozenset({"onMessageAdded", "onUserAdded"}),
    pre_webhook_url=PRE,
    post_webhook_url=POST,
)
TARGET = WebhookTarget("AC1", POST, "GET", None, "account", None)


def event(name: str = event_names.ON_MESSAGE_ADDED, **changes: Any) -> Event:
    made = Event(9, "AC1", "IS1", "CH1", "IM1", name, API, None, True, 5, '{"message":{"body":""}}')
    return msgspec.structs.replace(made, **changes)


class FixedSettings(SettingsInForce):
    """The same settings at each event."""

    def __init__(
        self, found: EffectiveConfiguration | None, webhooks: tuple[ScopedWebhook, ...]
    ) -> None:
        self.found = found
        self.webhooks = webhooks

    async def configured(self, _tx: object, scope: Scope, sequence: int) -> Any:
        assert (scope, sequence) == (SCOPE, 9)
        return self.found

    async def attached(self, _tx: object, scope: Scope, event: Event) -> Any:
        assert (scope, event.conversation_sid) == (SCOPE, "CH1")
        return self.webhooks


def drive(work: Any) -> Any:
    """Run a coroutine that waits for nothing; return its result."""
    with pytest.raises(StopIteration) as stopped:
        work.send(None)
    return stopped.value.value


def targets(
    made: Event,
    *webhooks: ScopedWebhook,
    found: EffectiveConfiguration | None = None,
    studio_url: str = "",
) -> list[WebhookTarget]:
    tx: Any = None
    result: list[WebhookTarget] = drive(
        targets_of(tx, made, studio_url, settings=FixedSettings(found, webhooks))
    )
    return result


# --- The configured target ----------------------------------------------------------------


def test_the_configured_webhook_is_first_and_scoped_ones_follow() -> None:
    webhooks = scoped_webhook("WH2", method="GET", retry_count=3), scoped_webhook("WH1")
    assert targets(event(), *webhooks, found=CONFIGURED) == [
        TARGET,
        WebhookTarget("WH2", "http://WH2.test/", "GET", 3, "conversation", "WH2"),
        WebhookTarget("WH1", "http://WH1.test/", "POST", None, "conversation", "WH1"),
    ]


def test_an_event_that_does_not_fire_or_is_internal_has_no_target() -> None:
    webhooks = scoped_webhook(filters='["onMessageAdded","receiptAdded"]')
    assert targets(event(fires=False), webhooks, found=CONFIGURED) == []
    assert targets(event(event_names.RECEIPT_ADDED), webhooks, found=CONFIGURED) == []


def test_an_event_of_a_newer_version_is_an_error() -> None:
    with pytest.raises(ValueError, match="onPollAdded"):
        drive(targets_of(None, event("onPollAdded")))  # type: ignore[arg-type]


def test_without_a_url_or_outside_of_the_filters_the_configuration_has_no_target() -> None:
    without = msgspec.structs.replace(CONFIGURED, post_webhook_url=None)
    assert targets(event(), found=without) == []
    assert targets(event(event_names.ON_MESSAGE_REMOVED), found=CONFIGURED) == []


def test_events_without_a_conversation_are_not_sent_to_scoped_webhooks() -> None:
    webhook = scoped_webhook(filters='["onUserAdded"]')
    assert targets(event(event_names.ON_USER_ADDED), webhook, found=CONFIGURED) == [TARGET]


def test_settings_are_read_from_the_store_and_a_pre_action_uses_its_own_url(
    tmp_path: Path,
) -> None:
    async def scenario(database: Database) -> None:
        assert await database.read(pre_action_target, SCOPE, "onMessageAdd") is None
        made = account_webhooks(method="GET", filters='["onMessageAdd","onMessageAdded"]')
        save = webhook_configuration_store.save_webhook_configuration
        await database.write_settings(save, Scope("AC1"), made)
        added = await database.emit(event_names.ON_MESSAGE_ADDED, {})
        assert await database.read(targets_of, added) == [TARGET]
        assert await database.read(pre_action_target, SCOPE, "onMessageAdd") == WebhookTarget(
            "AC1", PRE, "GET", None, "account", None
        )
        assert await database.read(pre_action_target, SCOPE, "onMessageUpdate") is None

    run_on_database(tmp_path, scenario)


# --- Scoped targets -----------------------------------------------------------------------


def test_a_scoped_webhook_receives_the_events_of_its_filters() -> None:
    webhook = scoped_webhook(filters='["onMessageRemoved"]')
    assert targets(event(), webhook) == []
    (target,) = targets(event(event_names.ON_MESSAGE_REMOVED), webhook)
    assert target.webhook_sid == "WH1"


@pytest.mark.parametrize(
    ("body", "is_triggered"),
    [
        ("say HELP now", True),
        ("STRASSE", True),
        ("hel p", False),
        ("", False),
        (None, False),
    ],
)
def test_a_trigger_matches_a_word_in_the_body_regardless_of_case(
    body: str | None, *, is_triggered: bool
) -> None:
    webhook = scoped_webhook(target="trigger", triggers='["help","straße"]', filters=None)
    made = event(payload=msgspec.json.encode({"message": {"body": body}}).decode())
    assert bool(targets(made, webhook)) == is_triggered


def test_a_trigger_receives_added_messages_only() -> None:
    webhook = scoped_webhook(target="trigger", triggers='["help"]', filters='["onMessageUpdated"]')
    payload = '{"message":{"body":"help"}}'
    assert targets(event(event_names.ON_MESSAGE_UPDATED, payload=payload), webhook) == []


def test_a_flow_is_started_at_the_studio_server() -> None:
    webhook = scoped_webhook(target="studio", flow_sid="FW1", url=None, filters=None)
    for url in (STUDIO, STUDIO.rstrip("/")):
        (target,) = targets(event(), webhook, studio_url=url)
        assert target.url == "http://studio.test/v1/Accounts/AC1/Flows/FW1"


def test_a_flow_receives_new_messages_or_the_events_of_its_filters() -> None:
    removed = event(event_names.ON_MESSAGE_REMOVED)
    flow = scoped_webhook(target="studio", flow_sid="FW1", url=None, filters=None)
    assert targets(removed, flow, studio_url=STUDIO) == []
    filtered = scoped_webhook(
        target="studio", flow_sid="FW1", url=None, filters='["onMessageRemoved"]'
    )
    assert len(targets(removed, filtered, studio_url=STUDIO)) == 1
    assert targets(event(), filtered, studio_url=STUDIO) == []


def test_without_a_studio_server_a_flow_is_logged_and_not_started() -> None:
    webhook = scoped_webhook(target="studio", flow_sid="FW1", url=None, filters=None)
    with capture_logs() as logs:
        assert targets(event(), webhook) == []
    assert logs == [
        {
            "event": "flow_start_failed",
            "log_level": "warning",
            "account_sid": "AC1",
            "conversation_sid": "CH1",
            "webhook_sid": "WH1",
            "flow_sid": "FW1",
        }
    ]


# --- Replays ------------------------------------------------------------------------------


async def replays(database: Database, end: int, webhook: ScopedWebhook) -> Any:
    made = event(
        event_names.SCOPED_WEBHOOK_ADDED,
        fires=False,
        payload=msgspec.json.encode(
            {"scoped_webhook": webhook, "next_message_index": end}
        ).decode(),
    )
    return await database.read(replays_of, made)


async def insert(database: Database, *messages: Any) -> None:
    await database.write(conversation_store.insert_conversation, SCOPE, conversation())
    for each in messages:
        await database.write(message_store.insert_message, SCOPE, each)


def test_a_replay_has_the_messages_before_the_webhook_in_order(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        silent = message(2, author="bob", source=SDK, body="help 2")
        await insert(database, message(0), message(1), silent, message(3), message(4))
        found = await replays(database, 4, scoped_webhook(replay_after=1, retry_count=2))
        assert [target for target, _ in found] == [
            WebhookTarget(f"WH1.{index}", "http://WH1.test/", "POST", 2, "conversation", "WH1")
            for index in (1, 2, 3)
        ]
        _, values = found[0]
        assert (values["EventType"], values["Index"]) == ("onMessageAdded", "1")
        assert (values["Source"], values["MessagingServiceSid"]) == ("API", "MG1")
        assert "ClientIdentity" not in values
        _, values = found[1]
        assert (values["Source"], values["ClientIdentity"]) == ("SDK", "bob")
        assert values["MessageSid"] == "IM2"
        trigger = scoped_webhook(target="trigger", triggers='["help"]', replay_after=0)
        assert [target.key for target, _ in await replays(database, 4, trigger)] == ["WH1.2"]

    run_on_database(tmp_path, scenario)


def test_without_a_replay_or_a_conversation_there_is_none(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        assert await replays(database, 4, scoped_webhook(replay_after=0)) == []
        await insert(database, message(0))
        assert await replays(database, 4, scoped_webhook(replay_after=None)) == []
        assert len(await replays(database, 4, scoped_webhook(replay_after=0))) == 1

    run_on_database(tmp_path, scenario)


def test_a_replay_is_truncated_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REPLAYED_MESSAGES_MAX", 2)

    async def scenario(database: Database) -> None:
        await insert(database, *(message(index) for index in range(3)))
        with capture_logs() as logs:
            assert len(await replays(database, 2, scoped_webhook(replay_after=0))) == 2
            assert logs == []
            found = await replays(database, 3, scoped_webhook(replay_after=0))
        assert [target.key for target, _ in found] == ["WH1.0", "WH1.1"]
        (entry,) = logs
        assert entry["event"] == "webhook_replay_truncated"
        assert (entry["webhook_sid"], entry["first_missing"]) == ("WH1", 2)

    run_on_database(tmp_path, scenario)
