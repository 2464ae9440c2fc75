import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

import parlour_testkit

NINE = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.mark.parlour(clock="2026-01-05T09:00Z")
def test_a_silent_conversation_is_closed(parlour_client, parlour_clock, parlour_webhooks):
    parlour_webhooks.configure(filters=["onConversationStateUpdated"])
    made = parlour_client.conversations.v1.conversations.create(
        timers_inactive="PT10M", timers_closed="PT1H"
    )
    parlour_clock.advance("PT1H")
    assert [w["StateTo"] for w in parlour_webhooks.all] == ["inactive", "closed"]
    assert made.fetch().state == "closed"


def _is_system_time(clock):
    return abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_clock_is_on_system_time_before_each_test(parlour_clock):
    assert _is_system_time(parlour_clock)
    assert parlour_clock.fetch()["mode"] == "system"


@pytest.mark.parametrize("repetition", [1, 2])
def test_the_clock_returns_to_system_time(parlour_client, parlour_clock, repetition):
    test_the_clock_is_on_system_time_before_each_test(parlour_clock)
    parlour_client.conversations.v1.conversations.create()
    parlour_clock.advance("P30D")


@pytest.mark.parlour(clock="2026-01-05T09:00Z")
def test_the_mark_freezes_the_clock_also_without_its_fixture(parlour_server, parlour_account):
    assert parlour_server.clock.now() == NINE


def test_moves_of_the_clock(parlour_clock):
    assert parlour_clock.freeze(NINE) == NINE
    assert parlour_clock.advance("PT10M").now == NINE + timedelta(minutes=10)
    assert parlour_clock.advance(timedelta(seconds=0.5)).now == NINE + timedelta(seconds=600.5)
    assert parlour_clock.advance(seconds=9.5).now == NINE + timedelta(seconds=610)
    later = datetime(2026, 1, 6, tzinfo=UTC)
    assert parlour_clock.travel_to(later).now == later
    assert parlour_clock.travel_to("2026-01-05T09:00+01:00").now == NINE - timedelta(hours=1)
    parlour_clock.shift("2020-01-01T00:00Z")
    assert parlour_clock.now() < NINE
    parlour_clock.system()
    assert _is_system_time(parlour_clock)


def test_dates_without_a_time_zone_are_refused(parlour_clock):
    with pytest.raises(ValueError, match="has no time zone"):
        parlour_clock.freeze(datetime(2026, 1, 5))  # noqa: DTZ001 - the subject of the test.
    with pytest.raises(ValueError, match="'yesterday' is no ISO 8601 date: write 2026-01-05T09"):
        parlour_clock.freeze("yesterday")
    with pytest.raises(parlour_testkit.ApiError, match="seconds, such as PT10M or P1D"):
        parlour_clock.advance("1 day")
    with pytest.raises(ValueError, match="pass a duration"):
        parlour_clock.advance()
    with pytest.raises(ValueError, match="negative"):
        parlour_clock.advance(timedelta(seconds=-1))


def test_the_clock_goes_back_only_without_data(parlour_client, parlour_clock):
    parlour_client.conversations.v1.conversations.create()
    with pytest.raises(parlour_testkit.ApiError, match="cannot go back while there is data"):
        parlour_clock.freeze("2020-01-01T00:00Z")


def test_an_advance_reports_what_fired(parlour_client, parlour_clock):
    parlour_clock.freeze(NINE)
    parlour_client.conversations.v1.conversations.create(timers_inactive="PT10M")
    result = parlour_clock.advance("P1D")
    assert [(each["at"], each["what"]) for each in result.fired] == [
        ("2026-01-05T09:10:00.000Z", "timers")
    ]
    assert result.steps >= 1


def test_an_advance_that_does_not_settle_names_the_receiver(
    parlour_account, parlour_clock, parlour_webhooks
):
    parlour_webhooks.configure(filters=["onMessageAdded"])
    parlour_webhooks.answer(delay=30)
    parlour_account.trigger("onMessageAdded")
    with pytest.raises(parlour_testkit.NotSettled) as raised:
        parlour_clock.advance("PT1S", timeout=1)
    text = str(raised.value)
    assert parlour_webhooks.url in raised.value.waiting_for[0]
    assert "not settled after 1 s of real time" in text
    assert parlour_webhooks.url in text
    assert "event loop of this test" in text
    with pytest.raises(parlour_testkit.NotSettled, match="Settle"):
        parlour_account.settle(timeout=1)
    parlour_webhooks.close()


def test_a_handler_in_the_event_loop_is_served_by_the_async_methods(
    parlour_account, parlour_client, parlour_clock, loop_receiver
):
    received = []

    async def scenario():
        async with loop_receiver(received) as url:
            await asyncio.to_thread(
                parlour_account.connection.post,
                "/v1/Configuration/Webhooks",
                post_webhook_url=url,
                filters=["onConversationStateUpdated"],
            )
            await asyncio.to_thread(
                parlour_client.conversations.v1.conversations.create, timers_inactive="PT10M"
            )
            await parlour_clock.advance_async("PT10M")
            await parlour_account.settle_async()
            return await parlour_clock.travel_to_async(parlour_clock.now() + timedelta(days=1))

    assert asyncio.run(scenario()).elapsed_ms >= 0
    assert len(received) == 1


def test_waits_end_although_the_test_has_frozen_time(
    monkeypatch, parlour_webhooks, parlour_phones, parlour_requests
):
    monkeypatch.setattr(time, "monotonic", lambda: 1.0)
    for wait in (
        lambda: parlour_webhooks.wait_for("onMessageAdded", timeout=0.1),
        lambda: parlour_phones["+15550100"].wait_for(timeout=0.1),
        lambda: parlour_requests.wait_for("CreateUser", timeout=0.1),
    ):
        with pytest.raises(parlour_testkit.WaitTimedOut):
            wait()
