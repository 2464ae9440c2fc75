"""The transactions of the intake: events to rows of the queue, with the position of the sink."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from structlog.testing import capture_logs

from parlour.delivery import intake_transaction
from parlour.delivery.intake_transaction import (
    Enqueued,
    IntakeTransaction,
    Matched,
    WebhookReplay,
    lane_key,
)
from parlour.delivery.targets import WebhookTarget
from parlour.protocol.pages import PageRequest
from parlour.resources.conversations import store as conversation_store
from parlour.resources.messages import store as message_store
from parlour.resources.scoped_webhooks import store as scoped_webhook_store
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.resources.webhook_attempts.store import AttemptFilters
from parlour.resources.webhook_configuration import store as webhook_configuration_store
from parlour.store import event_log, webhook_queue
from parlour.store.transaction import Unavailable
from parlour.store.webhook_queue import DeliveryState, WebhookDelivery
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.scope import Scope
from tests.support.zero_random import ZeroRandom
from tests.unit.delivery.database import SCOPE, Database, run_on_database
from tests.unit.delivery.webhook_rows import (
    account_webhooks,
    conversation,
    message,
    scoped_webhook,
)

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.vocabulary.event import Event

SINK = "the sink"
URL = "http://h.test/"
ADDED = {"message": {"sid": "IM1", "body": "b"}}


TRANSACTION = IntakeTransaction(SINK, ZeroRandom(), studio_url="http://studio.test")


async def match(database: Database, *events: Event) -> list[Matched]:
    found: list[Matched] = await database.store.read(lambda tx: TRANSACTION.match(list(events), tx))
    return found


async def enqueue(
    database: Database, *matched: Matched, last: int = 1, pending: int = 0
) -> Enqueued:
    counts = Counter(AC1=pending)
    made: Enqueued = await database.store.write(
        lambda tx: TRANSACTION.enqueue(list(matched), last, counts, tx)
    )
    return made


async def added(database: Database, **changes: Any) -> Event:
    return await database.emit(event_names.ON_MESSAGE_ADDED, ADDED, **changes)


def target(key: str = "AC1", **changes: Any) -> WebhookTarget:
    values: dict[str, Any] = {
        "url": URL,
        "method": "POST",
        "retry_count": None,
        "scope": "account",
        "webhook_sid": None,
    }
    return WebhookTarget(key, **(values | changes))


async def following(database: Database, lane: int) -> list[WebhookDelivery]:
    found: list[WebhookDelivery] = await database.read(webhook_queue.following, "AC1", lane, -1)
    return found


async def attempts(database: Database) -> list[webhook_attempt_store.WebhookAttempt]:
    request = PageRequest(page=0, size=50, position=None)
    found = await database.read(
        webhook_attempt_store.list_attempts, SCOPE, AttemptFilters(), request
    )
    return [each.attempt for each in found]


def test_a_lane_is_a_url_and_a_conversation_or_a_subject_without_one() -> None:
    keys = {
        lane_key(URL, "CH1", "IM1"),
        lane_key(URL, "CH2", "IM1"),
        lane_key("http://other.test/", "CH1", "IM1"),
        lane_key(URL, "", "US1"),
        lane_key(URL, "", "US2"),
    }
    assert len(keys) == 5
    assert all(-(2**63) <= key < 2**63 for key in keys)
    assert min(keys) < 0 < max(keys)
    assert lane_key(URL, "CH1", "IM1") == lane_key(URL, "CH1", "IM2")
    assert lane_key(URL, "", "CH1") == lane_key(URL, "CH1", "")


# --- Matching -----------------------------------------------------------------------------


def test_events_with_webhooks_and_changes_of_the_queue_are_matched(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        save = webhook_configuration_store.save_webhook_configuration
        await database.write_settings(save, Scope("AC1"), account_webhooks(post_webhook_url=URL))
        sent = await added(database)
        others = [
            await database.emit(name, ADDED)
            for name in (
                event_names.ON_MESSAGE_REMOVED,
                event_names.ROLE_CHANGED,
                event_names.SCOPED_WEBHOOK_ADDED,
                event_names.SCOPED_WEBHOOK_CHANGED,
                event_names.WEBHOOKS_REPLAYED,
            )
        ]
        assert await match(database, sent, *others) == [
            Matched(sent, [target()]),
            *(Matched(each, []) for each in others[2:]),
        ]

    run_on_database(tmp_path, scenario)


def test_an_event_that_cannot_be_decoded_is_matched_with_its_error(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        unknown = await database.emit("onPollAdded", {})
        with capture_logs() as logs:
            (found,) = await match(database, unknown)
        assert (found.event, found.targets) == (unknown, [])
        assert found.error is not None
        assert "onPollAdded" in found.error
        (entry,) = logs
        assert entry["event"] == "webhook_event_decode_failed"
        assert entry["sequence"] == unknown.sequence

    run_on_database(tmp_path, scenario)


def test_a_failure_of_the_store_is_not_an_unreadable_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise Unavailable("gone")

    monkeypatch.setattr(intake_transaction, "targets_of", fail)

    async def scenario(database: Database) -> None:
        event = await added(database)
        with pytest.raises(Unavailable):
            await match(database, event)

    run_on_database(tmp_path, scenario)


# --- Queueing -----------------------------------------------------------------------------


def test_a_delivery_for_each_target_is_written_with_the_position(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        event = await added(database)
        scoped = target("WH1", method="GET", retry_count=3, scope="conversation", webhook_sid="WH1")
        made = await enqueue(database, Matched(event, [target(), scoped]), last=9)
        now, lane = database.clock.now_ms(), lane_key(URL, "CH1", "")
        first = WebhookDelivery(
            account_sid="AC1",
            event_sequence=event.sequence,
            target_key="AC1",
            service_sid="IS1",
            conversation_sid="CH1",
            event_name="onMessageAdded",
            scope="account",
            webhook_sid=None,
            url=URL,
            method="POST",
            retry_limit=None,
            token="00000000-0000-4000-8000-000000000000",
            parameters=made.queued[0].parameters,
            lane=lane,
            lane_order=webhook_queue.live_order(event.sequence, 0),
            state="pending",
            retry_count=0,
            due_ms=now,
            date_queued=now,
            date_updated=now,
        )
        second = msgspec.structs.replace(
            first,
            target_key="WH1",
            scope="conversation",
            webhook_sid="WH1",
            method="GET",
            retry_limit=3,
            lane_order=first.lane_order + 1,
            due_ms=None,
        )
        assert made == Enqueued([first, second], [], [])
        assert await following(database, lane) == [first, second]
        assert msgspec.json.decode(first.parameters) == {
            "AccountSid": "AC1",
            "Body": "b",
            "ChatServiceSid": "IS1",
            "EventType": "onMessageAdded",
            "MessageSid": "IM1",
            "Source": "API",
        }
        assert await database.read(event_log.find_position, SINK) == 9

    run_on_database(tmp_path, scenario)


def test_a_repeated_intake_queues_no_second_delivery(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        matched = Matched(await added(database), [target()])
        assert len((await enqueue(database, matched)).queued) == 1
        assert (await enqueue(database, matched)).queued == []
        assert await database.read(webhook_queue.counts) == {"AC1": 1}

    run_on_database(tmp_path, scenario)


@pytest.mark.parametrize("name", [event_names.ON_MESSAGE_ADDED, event_names.WEBHOOKS_REPLAYED])
def test_an_event_that_cannot_be_decoded_is_logged_and_the_others_are_queued(
    tmp_path: Path, name: str
) -> None:
    async def scenario(database: Database) -> None:
        unreadable = await database.emit(name, {"other": 1})
        event = await added(database)
        with capture_logs() as logs:
            matched = Matched(unreadable, [target()]), Matched(event, [target()])
            made = await enqueue(database, *matched)
        assert made.unreadable == 1
        assert [each.event_sequence for each in made.queued] == [event.sequence]
        assert [each["sequence"] for each in logs] == [unreadable.sequence]
        (found,) = await attempts(database)
        assert (found.outcome, found.event_sequence) == ("unreadable", unreadable.sequence)

    run_on_database(tmp_path, scenario)


def test_the_error_of_matching_is_logged_as_text_that_can_be_stored(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        event, another = await added(database), await added(database)
        made = await enqueue(database, Matched(event, [], "a\0b"), Matched(another, [], "x" * 5000))
        assert (made.queued, made.unreadable) == ([], 2)
        found = await attempts(database)
        short, long = sorted(found, key=lambda each: each.event_sequence)
        assert long.error is not None
        assert len(long.error) == limits.RESPONSE_BYTES_LOGGED_MAX
        assert short == webhook_attempt_store.WebhookAttempt(
            account_sid="AC1",
            sid=short.sid,
            event_sequence=event.sequence,
            target_key="",
            conversation_sid="CH1",
            event_name="onMessageAdded",
            outcome="unreadable",
            retry_count=0,
            status=None,
            error_code=None,
            error="the event cannot be read: a\N{REPLACEMENT CHARACTER}b",
            elapsed_ms=0,
            answer="",
            next_attempt_ms=None,
            date_created=database.clock.now_ms(),
        )

    run_on_database(tmp_path, scenario)


# --- Too many pending deliveries ----------------------------------------------------------


@pytest.mark.parametrize(
    ("pending", "step", "dropped"), [(6, 1, 0), (7, 1, 1), (8, 1, 2), (8, 4, 4)]
)
def test_beyond_the_maximum_of_an_account_its_oldest_deliveries_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pending: int, step: int, dropped: int
) -> None:
    monkeypatch.setattr(limits, "DELIVERIES_PENDING_PER_ACCOUNT_MAX", 10)
    monkeypatch.setattr(limits, "DELIVERIES_DROPPED_PER_STEP_MAX", step)

    async def scenario(database: Database) -> None:
        matched = [Matched(await added(database), [target()]) for _ in range(4)]
        made = await enqueue(database, *matched, pending=pending)
        expected = [each.event.sequence for each in matched][:dropped]
        assert [each.event_sequence for each in made.ended] == expected
        assert {each.state for each in made.ended} <= {"dropped"}
        assert len(made.queued) == 4

    run_on_database(tmp_path, scenario)


# --- Events that change the queue ---------------------------------------------------------


def test_a_replay_is_counted_and_its_lanes_get_a_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted: list[tuple[str, int]] = []

    async def promote(_tx: object, account_sid: str, lane: int) -> bool:
        promoted.append((account_sid, lane))
        return True

    monkeypatch.setattr(webhook_queue, "promote", promote)

    async def scenario(database: Database) -> None:
        name = event_names.WEBHOOKS_REPLAYED
        events = [
            await database.emit(name, {"reopened": 2, "lanes": [5, -6]}),
            await database.emit(name, {"reopened": 3}),
        ]
        made = await enqueue(database, *(Matched(each, []) for each in events))
        first, second = (each.sequence for each in events)
        replays = [WebhookReplay("AC1", first, 2), WebhookReplay("AC1", second, 3)]
        assert made == Enqueued([], [], replays)
        assert promoted == [("AC1", 5), ("AC1", -6)]

    run_on_database(tmp_path, scenario)


@pytest.mark.parametrize(
    ("is_removed", "url", "is_stopped"),
    [(True, URL, True), (False, URL, False), (True, None, False)],
)
def test_the_retries_of_a_removed_webhook_are_stopped(
    tmp_path: Path, url: str | None, *, is_removed: bool, is_stopped: bool
) -> None:
    async def scenario(database: Database) -> None:
        scoped = target("WH1", scope="conversation", webhook_sid="WH1")
        matched = [Matched(await added(database), [scoped]) for _ in range(2)]
        (head, _) = (await enqueue(database, *matched)).queued
        await database.write(webhook_queue.record_result, head, DeliveryState.PENDING, 1, 9)
        webhook = {"sid": "WH1", "url": url, "conversation_sid": "CH1"}
        payload = {"scoped_webhook": webhook, "is_removed": is_removed}
        change = await database.emit(event_names.SCOPED_WEBHOOK_CHANGED, payload)
        made = await enqueue(database, Matched(change, []))
        assert [each.state for each in made.ended] == ["stopped"] * (2 * is_stopped)
        assert len(await following(database, head.lane)) == 2 - 2 * is_stopped

    run_on_database(tmp_path, scenario)


def test_a_new_webhook_gets_a_delivery_for_each_replayed_message(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        await database.write(conversation_store.insert_conversation, SCOPE, conversation())
        for index in range(3):
            await database.write(message_store.insert_message, SCOPE, message(index))
        webhook = scoped_webhook(replay_after=1)
        await database.write(scoped_webhook_store.insert_scoped_webhook, SCOPE, webhook)
        payload = {"scoped_webhook": webhook, "next_message_index": 3}
        event = await database.emit(event_names.SCOPED_WEBHOOK_ADDED, payload)
        made = await enqueue(database, Matched(event, []))
        assert [(each.target_key, each.event_name) for each in made.queued] == [
            ("WH1.1", "onMessageAdded"),
            ("WH1.2", "onMessageAdded"),
        ]
        first, second = made.queued
        assert first.lane == lane_key("http://WH1.test/", "CH1", "")
        assert second.lane_order == first.lane_order + 1

    run_on_database(tmp_path, scenario)


def test_a_new_flow_gets_replayed_messages_at_the_studio_server(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        await database.write(conversation_store.insert_conversation, SCOPE, conversation())
        await database.write(message_store.insert_message, SCOPE, message(0))
        flow = scoped_webhook(
            target="studio", flow_sid="FW1", url=None, filters=None, replay_after=0
        )
        payload = {"scoped_webhook": flow, "next_message_index": 1}
        event = await database.emit(event_names.SCOPED_WEBHOOK_ADDED, payload)
        (made,) = (await enqueue(database, Matched(event, []))).queued
        assert made.url == "http://studio.test/v1/Accounts/AC1/Flows/FW1"

    run_on_database(tmp_path, scenario)


def test_an_event_that_cannot_be_decoded_is_logged_once_although_its_commit_is_repeated(
    tmp_path: Path,
) -> None:
    async def scenario(database: Database) -> None:
        event = Matched(await added(database), [], "not JSON")
        await enqueue(database, event)
        await enqueue(database, event)
        assert len(await attempts(database)) == 1
        # Only the events of the last transaction can be repeated, so only they are in memory.
        await enqueue(database, Matched(await added(database), [], "not JSON"))
        await enqueue(database, event)
        assert len(await attempts(database)) == 3

    run_on_database(tmp_path, scenario)
