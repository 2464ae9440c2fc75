import asyncio
import hashlib

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

import parlour_testkit
from parlour_testkit.signatures import is_signed_form, is_signed_json, sign

WITH_HEADER = {"x_twilio_webhook_enabled": "true"}


@pytest.fixture
def conversation(parlour_client):
    return parlour_client.conversations.v1.conversations.create()


def test_a_webhook_is_received_and_signed(conversation, parlour_webhooks):
    parlour_webhooks.configure()
    conversation.messages.create(author="ann", body="Grüße & 1+1 = 2", **WITH_HEADER)
    received = parlour_webhooks.wait_for("onMessageAdded", Author="ann", timeout=30)
    assert received["Body"] == "Grüße & 1+1 = 2"
    assert received.get("Nothing") is None
    assert received.request.is_signed
    parlour_webhooks.check_signatures()
    with pytest.raises(KeyError, match="onMessageAdded has AccountSid"):
        received["Nothing"]


def test_a_get_is_signed_too(conversation, parlour_webhooks):
    parlour_webhooks.configure(["onMessageAdded"], method="GET")
    conversation.messages.create(author="ann", body="é ü", **WITH_HEADER)
    received = parlour_webhooks.wait_for("onMessageAdded", timeout=30)
    assert (received.request.method, received["Body"]) == ("GET", "é ü")
    assert received.request.is_signed


def test_all_has_the_webhooks_in_order(conversation, parlour_webhooks):
    parlour_webhooks.configure(["onMessageAdded"])
    for body in ("one", "two"):
        conversation.messages.create(body=body, **WITH_HEADER)
    assert parlour_webhooks.wait_for("onMessageAdded", timeout=30)["Body"] == "one"
    assert parlour_webhooks.wait_for("onMessageAdded", Body="two", timeout=30)["Index"] == "1"
    assert [each["Body"] for each in parlour_webhooks.all] == ["one", "two"]
    parlour_webhooks.clear()
    assert parlour_webhooks.all == []


def test_none_settles_first(conversation, parlour_webhooks):
    parlour_webhooks.configure(["onMessageAdded"])
    conversation.messages.create(body="quiet")
    parlour_webhooks.none()
    conversation.messages.create(body="loud", **WITH_HEADER)
    with pytest.raises(parlour_testkit.UnexpectedWebhook, match="Body='loud'"):
        parlour_webhooks.none()
    parlour_webhooks.none("onMessageRemoved")
    asyncio.run(parlour_webhooks.none_async("onMessageRemoved"))


def test_a_timeout_shows_the_nearest_webhook(conversation, parlour_webhooks):
    with pytest.raises(parlour_testkit.WaitTimedOut) as raised:
        parlour_webhooks.wait_for("onMessageAdded", timeout=0.05)
    assert "Nothing was received." in str(raised.value)
    assert "X-Twilio-Webhook-Enabled" in str(raised.value)
    parlour_webhooks.configure(["onMessageAdded"])
    conversation.messages.create(author="ann", body="hello", **WITH_HEADER)
    parlour_webhooks.wait_for("onMessageAdded", timeout=30)
    with pytest.raises(AssertionError) as raised:
        parlour_webhooks.wait_for("onMessageAdded", timeout=0.05, Author="ann", Body="bye")
    assert "differs: Body is 'hello' instead of 'bye'." in str(raised.value)


def test_waiting_in_an_event_loop(conversation, parlour_webhooks):
    parlour_webhooks.configure(["onMessageAdded"])
    conversation.messages.create(body="hello", **WITH_HEADER)
    received = asyncio.run(
        parlour_webhooks.wait_for_async("onMessageAdded", Body="hello", timeout=30)
    )
    assert received.event == "onMessageAdded"


def test_pre_action_webhooks_amend_and_reject(conversation, parlour_webhooks):
    parlour_webhooks.configure(["onMessageAdd", "onMessageAdded"])
    parlour_webhooks.amend({"body": "***"})
    made = conversation.messages.create(body="secret", **WITH_HEADER)
    assert made.body == "***"
    assert parlour_webhooks.wait_for("onMessageAdd", timeout=30)["Body"] == "secret"
    assert parlour_webhooks.wait_for("onMessageAdded", timeout=30)["Body"] == "***"
    parlour_webhooks.accept()
    assert conversation.messages.create(body="second", **WITH_HEADER).body == "second"
    parlour_webhooks.reject()
    with pytest.raises(TwilioRestException) as refused:
        conversation.messages.create(body="third", **WITH_HEADER)
    assert refused.value.code == 50056
    assert parlour_webhooks.all[-1].is_pre_action
    parlour_webhooks.accept()
    conversation.messages.create(body="fourth", **WITH_HEADER)


def test_a_failing_receiver_gets_the_webhook_again(conversation, parlour_clock, parlour_webhooks):
    parlour_webhooks.configure(["onMessageAdded"])
    parlour_webhooks.answer(status=503, times=2)
    conversation.messages.create(body="hello", **WITH_HEADER)
    parlour_clock.advance("PT1H")
    assert [each["RetryCount"] for each in parlour_webhooks.all] == ["0", "1", "2"]


@pytest.mark.parlour(retries="hosted")
def test_the_mark_chooses_one_attempt(conversation, parlour_clock, parlour_webhooks):
    parlour_webhooks.configure(["onMessageAdded"])
    parlour_webhooks.answer(status=503, times=0)
    conversation.messages.create(body="hello", **WITH_HEADER)
    parlour_clock.advance("P1D")
    assert len(parlour_webhooks.all) == 1


def test_webhooks_of_a_conversation_and_of_a_service(
    conversation, parlour_account, parlour_webhooks
):
    parlour_webhooks.configure(conversation_sid=conversation.sid)
    conversation.messages.create(body="one")
    parlour_webhooks.none()
    conversation.messages.create(body="two", **WITH_HEADER)
    assert (
        parlour_webhooks.wait_for("onMessageAdded", timeout=30)["ConversationSid"]
        == conversation.sid
    )
    parlour_webhooks.configure(["onMessageAdded"], service_sid=parlour_account.service_sid)
    parlour_account.settle()
    parlour_webhooks.clear()
    conversation.messages.create(body="three", **WITH_HEADER)
    parlour_account.settle()
    assert [each["Body"] for each in parlour_webhooks.all] == ["three"] * 2


def test_signatures_are_those_of_the_official_library():
    validator = RequestValidator("token")
    url = "http://127.0.0.1:9/hook?tenant=7"
    form = {"b": "2", "a": "1 ü", "B": ""}
    signature = sign("token", url, form.items())
    assert validator.validate(url, form, signature)
    assert is_signed_form("token", url, form.items(), signature)
    assert not is_signed_form("token", url, form.items(), signature[:-2] + "A=")
    assert not is_signed_form("other", url, form.items(), signature)
    body = b'{"a": 1}'
    signed_url = f"{url}&bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = sign("token", signed_url)
    assert validator.validate(signed_url, body.decode(), signature)
    assert is_signed_json("token", signed_url, body, signature)
    assert not is_signed_json("token", signed_url, body + b" ", signature)
    assert not is_signed_json("token", url, body, sign("token", url))


def test_an_unknown_event_is_refused_and_not_counted_as_never_received(parlour_webhooks):
    for call in (
        lambda: parlour_webhooks.none("onMesageAdded"),
        lambda: parlour_webhooks.wait_for("onMesageAdded", timeout=30),
        lambda: parlour_webhooks.configure(["onMesageAdded"]),
        lambda: parlour_webhooks.answer(status=503, event="onMesageAdded"),
    ):
        with pytest.raises(ValueError, match="no event onMesageAdded; did you mean onMessageAdded"):
            call()
