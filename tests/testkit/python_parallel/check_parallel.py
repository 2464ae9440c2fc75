import os

import pytest

COUNT = int(os.environ.get("CHECKS", "20"))


@pytest.mark.parametrize("number", range(COUNT))
def test_of_its_own(number, parlour_account, parlour_client, parlour_webhooks):
    """Each test finds its own data alone, under the same names as all the others."""
    conversations = parlour_client.conversations.v1.conversations
    assert conversations.list() == []
    parlour_webhooks.configure(["onMessageAdded"])
    made = conversations.create(unique_name="the same")
    made.messages.create(body=str(number), x_twilio_webhook_enabled="true")
    parlour_account.settle(timeout=60)
    assert [each["Body"] for each in parlour_webhooks.all] == [str(number)]
    assert [each.unique_name for each in conversations.list()] == ["the same"]


def test_of_the_clock(parlour_clock):
    parlour_clock.freeze("2026-01-05T09:00Z")
