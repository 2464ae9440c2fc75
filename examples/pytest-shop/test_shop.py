"""Tests of the shop with a separate server: no sleep, no mock, no shared data."""

from __future__ import annotations

import pytest
from shop import Shop
from twilio.base.exceptions import TwilioRestException

NUMBER, PHONE = "+15005550006", "+15558675310"


@pytest.fixture
def shop(parlour_client):
    return Shop(parlour_client, NUMBER, pause_s=0)


def test_a_customer_gets_a_confirmation_and_answers(shop, parlour_client, parlour_phones):
    sid = shop.open_order("4711", PHONE)

    assert parlour_phones[PHONE].wait_for(
        body="Thank you! Your order 4711 is being packed.", timeout=10
    )
    parlour_phones[PHONE].send(to=NUMBER, body="When does it arrive?")
    messages = parlour_client.conversations.v1.conversations(sid).messages.list()
    assert [(each.author, each.body) for each in messages][1:] == [(PHONE, "When does it arrive?")]


@pytest.mark.parlour(clock="2026-01-05T09:00Z")
def test_a_silent_order_is_closed_after_a_day(
    shop, parlour_client, parlour_clock, parlour_webhooks
):
    parlour_webhooks.configure(["onConversationStateUpdated"])
    sid = shop.open_order("4711", PHONE)

    parlour_clock.advance("P1D")

    assert [each["StateTo"] for each in parlour_webhooks.all] == ["inactive", "closed"]
    fetched = parlour_client.conversations.v1.conversations(sid).fetch()
    assert fetched.state == "closed"
    assert fetched.date_updated.isoformat() == "2026-01-06T09:00:00+00:00"


def test_too_many_requests_are_repeated(shop, parlour_faults, parlour_requests):
    parlour_faults.add(operation="CreateConversationMessage", status=429, times=2)

    shop.open_order("4711", PHONE)

    parlour_faults.assert_all_fired()
    parlour_requests.expect("CreateConversationMessage", times=2, status=429)
    parlour_requests.expect(
        "CreateConversationMessage", times=1, form={"Author": "shop"}, status=201
    )


def test_the_shop_gives_up_after_three_attempts(shop, parlour_faults, parlour_phones):
    parlour_faults.add(operation="CreateConversationMessage", status=429, times=3)

    with pytest.raises(TwilioRestException):
        shop.open_order("4711", PHONE)

    assert parlour_phones[PHONE].inbox == []


def test_a_phone_that_is_off_is_reported(shop, parlour_account, parlour_phones):
    parlour_phones[PHONE].behave(error=30003)

    shop.open_order("4711", PHONE)

    parlour_account.settle()
    assert shop.failed_texts("4711") == ["Thank you! Your order 4711 is being packed."]


@pytest.mark.parlour(seed="shop.yaml")
def test_an_order_of_a_seed(shop, parlour_phones):
    shop.write("4712", "Your parcel is on its way.")

    assert parlour_phones[PHONE].wait_for(body="Your parcel is on its way.", timeout=10)
