import pytest
from twilio.base.exceptions import TwilioRestException

import parlour_testkit


@pytest.mark.parlour(strict=True)
def test_strict_refuses_unknown_parameters(parlour_account):
    with pytest.raises(parlour_testkit.ApiError, match="did you mean Identity"):
        parlour_account.connection.post("/v1/Users", Identiy="ann", Identity="bob")


@pytest.mark.parlour(actions_per_second=1)
class TestMarkOfAClass:
    @pytest.mark.parlour(strict=False)
    def test_marks_are_merged(self, parlour_account, parlour_client):
        parlour_account.connection.post("/v1/Users", Identiy="ann", Identity="bob")
        users = parlour_client.conversations.v1.users
        with pytest.raises(TwilioRestException) as refused:
            _ = [users.create(identity=f"user {number}") for number in range(5)]
        assert (refused.value.status, refused.value.code) == (429, 50063)


def test_a_trigger_makes_a_real_change(parlour_account, parlour_client, parlour_webhooks):
    parlour_webhooks.configure(["onMessageAdded"])
    made = parlour_account.trigger("onMessageAdded", body="Hello", identity="ann")
    received = parlour_webhooks.wait_for("onMessageAdded", Body="Hello", timeout=30)
    conversation = parlour_client.conversations.v1.conversations(received["ConversationSid"])
    assert conversation.messages(made["sids"]["message_sid"]).fetch().body == "Hello"
