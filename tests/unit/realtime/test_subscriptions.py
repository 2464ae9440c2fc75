"""Requests for subscriptions: parsing, establishing, replay, resync, failures and cancelling."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from parlour.protocol.sync_events import ADDED, UPDATED, Change
from parlour.realtime.last_changed import user_conversations_key
from parlour.realtime.session import TunnelRequest
from parlour.vocabulary import limits
from tests.unit.realtime.subscription_setup import (
    MY_CONVERSATIONS,
    POSITION,
    SCOPE,
    USER_INFO,
    USER_SID,
    SubscriptionSetup,
    body,
    conversation,
    document,
    messages,
    requested,
)

if TYPE_CHECKING:
    from parlour.vocabulary.realtime_objects import ObjectName


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> SubscriptionSetup:
    return SubscriptionSetup(monkeypatch)


def run(world: SubscriptionSetup, *requests: dict[str, Any], action: str = "establish") -> None:
    asyncio.run(world.request(body(*requests, action=action)))


# --- Requests --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"\xff",
        b'{"action":"establish"}',
        body(action="unknown"),
        body({"object_sid": "x", "object_type": "map", "last_event_id": -2}),
        body({"object_sid": "x", "object_type": "map", "last_event_id": 1 << 53}),
        body(*[requested(messages())] * (limits.SUBSCRIPTIONS_PER_REQUEST_MAX + 1)),
        body() + b" " * limits.SUBSCRIPTIONS_BODY_BYTES_MAX,
    ],
)
def test_a_body_that_is_no_request_is_refused_with_54000(
    world: SubscriptionSetup, text: bytes
) -> None:
    request = TunnelRequest(method="POST", path="/v4/Subscriptions", body=text)
    work = world.subscriptions.handle(world.connection, request)  # type: ignore[arg-type]
    reply = asyncio.run(work)
    assert (reply.status, json.loads(reply.body)["code"]) == (400, 54000)
    assert reply.after_reply is None


@pytest.mark.parametrize(
    ("numbers", "lowest"),
    [((5, 3, 9), 3), ((None, 4), 4), ((4, None), 4), ((None, None), None), ((2, 2), 2)],
)
def test_an_object_named_twice_is_established_once_from_its_lowest_number(
    world: SubscriptionSetup, numbers: tuple[int | None, ...], lowest: int | None
) -> None:
    run(world, *(requested(messages(), number) for number in numbers))
    assert world.established() == [(messages().sid, POSITION)]
    assert world.conversations == ([] if lowest is None else [(conversation(1), lowest)])


def test_events_are_searched_for_conversations_of_objects_with_a_number(
    world: SubscriptionSetup,
) -> None:
    run(world, requested(messages(), 3), requested(document()), requested(USER_INFO, 4))
    # The sid of a map may also be the sid of a conversation's roster.
    roster_owner = "CH" + USER_INFO.sid[2:]
    assert world.conversations == [(conversation(1), 3), (roster_owner, 4)]


# --- Establishing ----------------------------------------------------------------------------


def test_an_object_without_a_number_is_established_without_replay(world: SubscriptionSetup) -> None:
    run(world, requested(messages()))
    assert world.log[:2] == ["start", ("scan", [], POSITION)]
    assert world.established() == [(messages().sid, POSITION)]
    assert world.connection.subscribed == {messages().sid: messages()}


def test_a_number_beyond_the_last_published_event_is_confirmed_as_it_is(
    world: SubscriptionSetup,
) -> None:
    run(world, requested(messages(), POSITION + 5))
    assert world.established() == [(messages().sid, POSITION + 5)]


def test_an_event_published_while_establishing_is_sent_after_the_confirmation(
    world: SubscriptionSetup,
) -> None:
    def publish() -> None:
        change = Change(messages(), ADDED, 3, {})
        world.hub.publish([change], POSITION, 0)  # Its state was read at this event.
        world.hub.publish([change], POSITION + 1, 0)

    world.before_confirmation = publish
    run(world, requested(messages()))
    assert [entry[0] for entry in world.log[2:]] == ["subscription_established", "list_item_added"]


def test_missed_events_of_one_conversation_are_sent_together(world: SubscriptionSetup) -> None:
    world.missed_numbers = [10, 20, 30]
    run(world, requested(document(), 15), requested(messages(), 25))
    assert world.entries("scan") == [("scan", [conversation(1)], POSITION)]
    assert world.entries("conversation") == [
        ("conversation", {document(): 15, messages(): 25}, [20, 30], POSITION)
    ]


def test_a_conversation_without_missed_events_is_not_replayed(world: SubscriptionSetup) -> None:
    run(world, requested(messages(), 15))
    assert world.entries("conversation") == []
    assert len(world.established()) == 1


@pytest.mark.parametrize("after", [POSITION, POSITION + 1])
def test_an_object_that_is_up_to_date_is_not_replayed(world: SubscriptionSetup, after: int) -> None:
    world.missed_numbers = [10, 20]
    run(world, requested(messages(), after))
    assert world.entries("conversation") == []


@pytest.mark.parametrize(
    ("name", "key", "verb"),
    [
        (MY_CONVERSATIONS, user_conversations_key(SCOPE.service_sid, "alice"), ADDED),
        (USER_INFO, USER_SID, UPDATED),
    ],
)
def test_a_map_of_a_user_is_sent_whole_if_it_changed(
    world: SubscriptionSetup, name: ObjectName, key: str, verb: str
) -> None:
    world.last_changed.record(key, 50)
    run(world, requested(name, 49))
    assert world.entries("items") == [("items", name, verb, POSITION)]
    world.log.clear()
    run(world, requested(name, 50))
    assert world.entries("items") == []


def test_large_requests_are_established_in_steps_and_confirmed_in_batches(
    world: SubscriptionSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SUBSCRIPTIONS_PER_STEP", 3)
    monkeypatch.setattr(limits, "ESTABLISHED_PER_NOTIFICATION_MAX", 2)
    objects = [messages(number) for number in range(1, 6)]
    world.visible |= set(objects)
    run(world, *map(requested, objects))
    sizes = [len(events) for _, events in world.entries("subscription_established")]
    assert sizes == [2, 1, 2]
    assert [sid for sid, _ in world.established()] == [each.sid for each in objects]


# --- Failures --------------------------------------------------------------------------------


def test_an_invisible_object_fails_alone(world: SubscriptionSetup) -> None:
    run(world, requested(messages(2)), requested(messages(1)))
    assert world.established() == [(messages(1).sid, POSITION)]
    assert world.failed() == [(messages(2).sid, 54150)]
    assert list(world.connection.subscribed) == [messages(1).sid]


def test_an_invisible_document_is_reported_as_removed_from_the_conversations_of_the_user(
    world: SubscriptionSetup,
) -> None:
    run(world, requested(document(2), 5))
    assert ("map_item_removed", conversation(2)) in world.log
    assert world.failed() == [(document(2).sid, 54100)]


def test_a_document_with_an_invalid_sid_fails_without_a_removal(world: SubscriptionSetup) -> None:
    run(world, {"object_sid": "nonsense", "object_type": "document"})
    assert world.entries("map_item_removed") == []
    assert world.failed() == [("nonsense", 54100)]


def test_objects_beyond_the_limit_of_a_connection_fail(
    world: SubscriptionSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SUBSCRIPTIONS_PER_CONNECTION_MAX", 1)
    run(world, requested(messages()), requested(USER_INFO))
    assert world.established() == [(messages().sid, POSITION)]
    assert world.failed() == [(USER_INFO.sid, 54200)]


def test_a_right_lost_before_notifications_were_held_back_fails_the_object(
    world: SubscriptionSetup,
) -> None:
    world.before_recheck = world.visible.clear
    world.missed_numbers = [10]
    run(world, requested(messages(), 5))
    assert world.entries("conversation") == []
    assert world.established() == []
    assert world.failed() == [(messages().sid, 54150)]
    assert world.connection.subscribed == {}


def test_a_right_revoked_during_the_replay_fails_the_object(world: SubscriptionSetup) -> None:
    world.before_recheck = lambda: world.hub.revoke(world.connection.user_key, [messages()])
    run(world, requested(messages(), 5))
    assert world.established() == []
    assert world.failed() == [(messages().sid, 54150)]


# --- Resync ----------------------------------------------------------------------------------


def test_a_conversation_out_of_reach_of_the_log_is_removed_and_added(
    world: SubscriptionSetup,
) -> None:
    world.to_resync = {conversation(1), conversation(9)}
    world.participants = {conversation(1): object(), conversation(9): object()}
    run(world, requested(messages(), 1))
    assert world.log[2:5] == [
        "drained",
        ("map_item_removed", conversation(1)),
        ("map_item_added", conversation(1)),
    ]
    assert len(world.entries("map_item_added")) == 1
    assert world.established() == [(messages().sid, POSITION)]


def test_a_conversation_that_the_user_left_is_not_resynchronized(world: SubscriptionSetup) -> None:
    world.to_resync = {conversation(1)}
    run(world, requested(messages(), 1))
    assert world.entries("map_item_added") == []


# --- Cancelling ------------------------------------------------------------------------------


def test_cancelled_objects_are_unsubscribed_and_confirmed(world: SubscriptionSetup) -> None:
    run(world, requested(messages()), requested(USER_INFO))
    world.log.clear()
    run(world, requested(messages()), action="cancel")
    assert world.log == [
        ("subscription_canceled", [{"object_sid": messages().sid, "object_type": "list"}])
    ]
    assert list(world.connection.subscribed) == [USER_INFO.sid]


def test_requests_of_one_connection_are_established_one_after_another(
    world: SubscriptionSetup,
) -> None:
    async def both() -> None:
        first = world.request(body(requested(messages())))
        second = world.subscriptions.handle(
            world.connection,  # type: ignore[arg-type]
            TunnelRequest(method="POST", path="/v4/Subscriptions", body=body(requested(USER_INFO))),
        )
        after_reply = (await second).after_reply
        assert after_reply is not None
        await asyncio.gather(first, after_reply())

    asyncio.run(both())
    order = [each if isinstance(each, str) else each[0] for each in world.log]
    assert order == ["start", "scan", "subscription_established"] * 2
