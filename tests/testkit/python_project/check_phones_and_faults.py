import asyncio

import pytest
from twilio.base.exceptions import TwilioRestException

import parlour_testkit

PHONE, NUMBER = "+15558675310", "+15005550006"


@pytest.fixture
def conversation(parlour_client):
    made = parlour_client.conversations.v1.conversations.create()
    made.participants.create(
        messaging_binding_address=PHONE, messaging_binding_proxy_address=NUMBER
    )
    return made


def test_a_phone_writes_and_receives(conversation, parlour_phones, tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    phone = parlour_phones[PHONE]
    assert parlour_phones[PHONE] is phone
    assert phone.inbox == []
    sent = phone.send(to=NUMBER, body="Where is it?", media=picture)
    assert (sent.sender, sent.to, sent.body) == (PHONE, (NUMBER,), "Where is it?")
    assert (sent.media[0]["content_type"], sent.details["outcome"]) == ("image/png", "conversation")
    assert [each.body for each in conversation.messages.list()] == ["Where is it?"]

    conversation.messages.create(body="Tomorrow.")
    conversation.messages.create(body="At noon.")
    assert phone.wait_for(timeout=30).body == "Tomorrow."
    assert asyncio.run(phone.wait_for_async(body="At noon.", timeout=30)).sender == NUMBER
    assert [each.body for each in phone.inbox] == ["Tomorrow.", "At noon."]
    with pytest.raises(parlour_testkit.WaitTimedOut) as raised:
        phone.wait_for(body="In the evening.", timeout=0.1)
    assert f"{PHONE} received no message 'In the evening.'" in str(raised.value)
    assert "'At noon.'" in str(raised.value)


def test_a_phone_fails_with_a_code(conversation, parlour_account, parlour_phones):
    parlour_phones[PHONE].behave(error=30003)
    made = conversation.messages.create(body="hello")
    parlour_account.settle()
    receipt = made.delivery_receipts.list()[0]
    assert (receipt.status, receipt.error_code) == ("undelivered", 30003)
    parlour_phones[PHONE].behave("deliver", delay_ms=0)
    conversation.messages.create(body="again")
    assert parlour_phones[PHONE].wait_for(body="again", timeout=30)


def test_faults_act_as_often_as_they_were_added_for(parlour_client, parlour_faults):
    conversations = parlour_client.conversations.v1.conversations
    fault = parlour_faults.add(operation="CreateConversation", skip=1, times=2, status=429)
    statuses = []
    for _ in range(4):
        try:
            conversations.create()
            statuses.append(201)
        except TwilioRestException as error:
            statuses.append(error.status)
    assert statuses == [201, 429, 429, 201]
    assert (fault.fired, fault.left) == (2, 0)
    assert fault.matched >= 3
    parlour_faults.assert_all_fired()
    assert len(conversations.list()) == 2


def test_a_fault_after_the_change_loses_only_the_response(parlour_client, parlour_faults):
    conversations = parlour_client.conversations.v1.conversations
    parlour_faults.add(operation="CreateConversation", phase="after", status=503)
    with pytest.raises(TwilioRestException):
        conversations.create()
    assert len(conversations.list()) == 1


def test_faults_that_did_not_fire_are_listed(parlour_client, parlour_faults):
    parlour_faults.add(operation=["CreateUser", "CreateRole"], times=2, status=500)
    endless = parlour_faults.add(operation="FetchUser", times=0, status=500)
    with pytest.raises(TwilioRestException):
        parlour_client.conversations.v1.users.create(identity="ann")
    with pytest.raises(parlour_testkit.FaultsLeft) as raised:
        parlour_faults.assert_all_fired()
    assert "fired 1, 1 left" in str(raised.value)
    assert "operation='FetchUser', status=500: fired 0, until removed" in str(raised.value)
    endless.remove()
    parlour_faults.clear()
    parlour_faults.assert_all_fired()
    parlour_client.conversations.v1.users.create(identity="ann")


def test_a_wrong_parameter_of_a_fault_is_refused(parlour_faults):
    with pytest.raises(parlour_testkit.ApiError) as refused:
        parlour_faults.add(operation="CreateUser", status=42)
    assert (refused.value.status, refused.value.code) == (400, 20001)
