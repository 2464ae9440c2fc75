"""What a seed creates: rows as the API shows them, silently, with dates of the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parlour.protocol.timestamps import format_date
from parlour.testmode.seeds.checker import check_document
from parlour.vocabulary.errors import ApiError
from tests.events.in_process_server import (
    ACCOUNT_SID,
    WITH_HEADER,
    InProcessServer,
    scenario_runner,
)
from tests.testmode.seeds.documents import example, full, without_steering
from tests.testmode.seeds.seed_server import SeedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.events.webhook_backend import WebhookBackend

pytestmark = pytest.mark.embedded
HOUR_MS = 3_600_000


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[SeedServer]:
    """A server of this test alone."""
    with SeedServer(tmp_path / "data") as running:
        yield running


def test_the_example_creates_its_objects(fresh: SeedServer) -> None:
    loaded = fresh.load(example())

    assert [label.partition("[")[0] for label in loaded.sids] == [
        "services.shop",
        "roles.agent",
        "users",
        "addresses",
        "conversations.order",
        "conversations.order.webhooks",
        "conversations.order.participants",
        "conversations.order.participants",
        "conversations.order.messages",
        "conversations.order.messages",
    ]
    assert {sid[:2] for sid in loaded.sids.values()} == set("IS RL US IG CH WH MB IM".split())
    assert loaded.sids["services.shop"] == fresh.server.scope.service_sid
    conversation = fresh.call("FetchConversation", Sid="order-4711")
    assert conversation.sid == loaded.sids["conversations.order"]
    now_ms = fresh.mode.clock.now_ms()
    assert format_date(now_ms) == "2026-01-05T09:00:00Z"
    assert conversation.date_created == now_ms - 2 * HOUR_MS
    assert conversation.date_inactive == now_ms + 600_000
    path = {"ConversationSid": conversation.sid}
    alice, bob = (
        fresh.call(
            "FetchConversationParticipant",
            Sid=loaded.sids[f"conversations.order.participants[{n}]"],
            **path,
        )
        for n in range(2)
    )
    assert (alice.role_sid, alice.last_read_message_index) == (loaded.sids["roles.agent"], 0)
    assert (bob.address, bob.proxy_address) == ("+15550100", "+15550999")
    first, second = (
        fresh.call(
            "FetchConversationMessage",
            Sid=loaded.sids[f"conversations.order.messages[{n}]"],
            **path,
        )
        for n in range(2)
    )
    assert (first.author, first.participant_sid) == ("alice", alice.sid)
    assert (first.date_created, second.date_created) == (now_ms - 2 * HOUR_MS, now_ms)
    assert (first.source, second.source) == ("API", "SMS")
    assert fresh.mode.emulations.of(ACCOUNT_SID).unknown_parameters == "refuse"
    assert fresh.call("FetchConfigurationWebhook").post_webhook_url == "https://app.example/hooks"


def test_the_random_seed_repeats_sids(fresh: SeedServer) -> None:
    one = fresh.load(full() | {"clock": None}, fresh.new_account())
    two = fresh.load(full() | {"clock": None}, fresh.new_account())

    assert one.sids == two.sids


def test_a_wrong_seed_moves_neither_clock_nor_randomness(fresh: SeedServer) -> None:
    before = fresh.mode.clock.mode
    wrong = example()
    wrong["users"].append({"identity": "alice"})

    with pytest.raises(ApiError) as caught:
        fresh.load(wrong)

    assert caught.value.message.startswith("users[1].identity: 50201 ")
    assert fresh.mode.clock.mode is before
    assert fresh.counts(ACCOUNT_SID)["chat_user"] == 0


def test_the_clock_cannot_go_back_while_there_is_data(fresh: SeedServer) -> None:
    fresh.call("CreateUser", {"Identity": "here"})

    with pytest.raises(ApiError, match="The clock cannot go back while there is data"):
        fresh.load({"parlour": 1, "clock": "2020-01-01", "users": [{"identity": "a"}]})

    assert fresh.counts(ACCOUNT_SID)["chat_user"] == 1


def test_nothing_is_sent_to_carriers(seeds: SeedServer) -> None:
    account = seeds.new_account()

    seeds.load(without_steering(full()), account)

    queued = seeds.rows("SELECT COUNT(*) FROM submission WHERE account_sid = $1", account)
    inbox = seeds.rows("SELECT COUNT(*) FROM virtual_phone_message WHERE account_sid = $1", account)
    assert (queued, inbox) == ([(0,)], [(0,)])


@pytest.mark.parametrize("fires", [False, True])
def test_webhooks_are_sent_only_if_the_seed_fires(tmp_path: Path, *, fires: bool) -> None:
    async def scene(instance: InProcessServer, backend: WebhookBackend) -> None:
        await instance.enable_webhooks(backend)
        mode = instance.app.test_mode
        assert mode is not None
        seed = {
            "parlour": 1,
            "fires": fires,
            "conversations": [
                {
                    "state": "closed",
                    "participants": [
                        {"identity": "alice", "last_read_message_index": 0},
                        {"address": "+15550100", "proxy_address": "+15550999"},
                    ],
                    "messages": [{"receipts": {"failed": "all"}}],
                }
            ],
        }
        await mode.seeder.load(ACCOUNT_SID, check_document(seed))
        await instance.do("CreateUser", {"Identity": "last"}, origin=WITH_HEADER)
        await instance.wait_until_idle()
        kinds = [dict(request.pairs)["EventType"] for request in backend.requests]
        post = [kind for kind in kinds if kind.endswith(("Added", "Updated"))]
        # The user of the API proves that webhooks are sent at all.
        assert set(post) == (_FIRED if fires else {"onUserAdded"})
        assert post.count("onUserAdded") == (2 if fires else 1)
        assert len(kinds) == len(post), "a pre-action event"

    scenario_runner(tmp_path / "data", test=True)(scene)


_FIRED = {
    "onConversationAdded",
    "onUserAdded",
    "onParticipantAdded",
    "onMessageAdded",
    "onDeliveryUpdated",
    "onParticipantUpdated",
    "onConversationStateUpdated",
}


def test_messages_of_the_past_order_the_list_by_activity(seeds: SeedServer) -> None:
    account = seeds.new_account()
    ages = {"old": "-P3D", "new": "-PT1H", "middle": "-P1D"}
    loaded = seeds.load(
        {
            "parlour": 1,
            "conversations": [
                {"key": key, "messages": [{"date_created": age}]} for key, age in ages.items()
            ],
        },
        account,
    )

    listed = seeds.rows(
        "SELECT sid FROM conversation WHERE account_sid = $1 ORDER BY last_activity DESC", account
    )

    expected = [loaded.sids[f"conversations.{key}"] for key in ("new", "middle", "old")]
    assert [sid for (sid,) in listed] == expected


def test_a_default_service_with_a_sid_replaces_the_empty_one(seeds: SeedServer) -> None:
    account, sid = seeds.new_account(), "IS" + "a" * 32

    seeds.load({"parlour": 1, "services": [{"sid": sid, "default": True}]}, account)

    assert seeds.rows("SELECT sid FROM service WHERE account_sid = $1", account) == [(sid,)]


def test_a_service_with_conversations_stays_when_another_becomes_the_default(
    seeds: SeedServer,
) -> None:
    account, sid = seeds.new_account(), "IS" + "b" * 32
    seeds.load({"parlour": 1, "conversations": [{}]}, account)

    seeds.load({"parlour": 1, "services": [{"sid": sid, "default": True}]}, account)

    assert len(seeds.rows("SELECT sid FROM service WHERE account_sid = $1", account)) == 2


def test_two_accounts_may_have_the_same_sids(seeds: SeedServer) -> None:
    for _ in range(2):
        loaded = seeds.load(without_steering(full()), seeds.new_account())
        assert loaded.sids["conversations.order"] == "CH" + "0" * 31 + "1"


def test_a_group_that_contains_another_group_is_loaded(seeds: SeedServer) -> None:
    numbers = [{"address": f"+1212555010{n}"} for n in range(4)]
    own = [{"projected_address": "+12125550199", "identity": "alice"}]

    seeds.load(
        {
            "parlour": 1,
            "conversations": [
                {"participants": [*own, *numbers[:2]]},
                {"participants": [*own, *numbers]},
            ],
        },
        seeds.new_account(),
    )


def test_timers_count_from_the_load(seeds: SeedServer) -> None:
    account = seeds.new_account()
    before = seeds.mode.clock.now_ms()
    seeds.load(
        {
            "parlour": 1,
            "conversations": [
                {"timers": {"inactive": "PT10M"}, "messages": [{"date_created": "-P9D"}]}
            ],
        },
        account,
    )

    ((state, due_ms),) = seeds.rows(
        "SELECT state, date_inactive FROM conversation WHERE account_sid = $1", account
    )

    assert state == "active"
    assert due_ms >= before + 600_000


def test_gaps_between_indexes_count_as_deleted_messages(seeds: SeedServer) -> None:
    account = seeds.new_account()
    messages: list[dict[str, Any]] = [{"index": 2}, {}, {"index": 6}]
    seeds.load(
        {"parlour": 1, "conversations": [{"messages": messages, "next_message_index": 10}]},
        account,
    )

    row = seeds.rows(
        "SELECT next_message_index, removed_messages FROM conversation WHERE account_sid = $1",
        account,
    )
    indexes = seeds.rows("SELECT message_index FROM message WHERE account_sid = $1", account)

    assert row == [(10, 7)]
    assert sorted(indexes) == [(2,), (3,), (6,)]


def test_two_thousand_messages_are_loaded_at_once(seeds: SeedServer) -> None:
    account = seeds.new_account()
    conversations = [{"messages": [{"body": str(n)} for n in range(99)]} for _ in range(20)]

    seeds.load({"parlour": 1, "conversations": conversations}, account)

    assert seeds.counts(account)["message"] == 1980
