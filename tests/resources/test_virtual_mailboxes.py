"""Mailboxes of the virtual carrier: their replies land in the conversation of the mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.resources.settings_setup import new_account_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.server import Server

ALICE = "alice@customer.example"
HELP = "help@example.com"
INBOX = f"/VirtualPhones/{ALICE}/Messages"


@pytest.fixture
def own(server: Server) -> Iterator[Api]:
    """An account with its phones, below Parlour's own version."""
    api = new_account_api(server)
    yield api.under("/parlour/v1")
    api.close()


def open_thread(own: Api, text: str) -> str:
    """Create a conversation with the mailbox, and send it a mail; return the SID."""
    api = own.under("/v1")
    made = api.post("/Conversations", {"Bindings.Email.Address": HELP}).expect(201)
    path = f"/Conversations/{made['sid']}"
    api.post(f"{path}/Participants", {"MessagingBinding.Address": ALICE}).expect(201)
    api.post(f"{path}/Messages", Body=text).expect(201)
    sid: str = made["sid"]
    return sid


def receive(own: Api, count: int) -> None:
    """Wait until the mailbox has so many mails."""
    own.get(INBOX, Direction="received", Wait="20", MinCount=str(count)).expect(200)


def reply(own: Api, to: str) -> str | None:
    """Send a mail from the mailbox; return the conversation that took it."""
    sent = own.post(INBOX, To=to, Body="An answer").expect(201)
    assert (sent["outcome"], sent["reason"]) == ("conversation", None)
    taken: str | None = sent["conversation_sid"]
    return taken


def test_a_reply_lands_in_the_conversation_of_the_last_mail(own: Api) -> None:
    later = open_thread(own, "first")
    receive(own, 1)
    sid = open_thread(own, "second")
    receive(own, 2)
    # The other conversation is the one with the last activity, but no mail of it is the last.
    own.under("/v1").post(f"/Conversations/{later}/Messages", Body="Hm", Author=ALICE).expect(201)
    assert reply(own, HELP) == sid
    messages = own.under("/v1").get(f"/Conversations/{sid}/Messages").expect(200)["messages"]
    assert [each["body"] for each in messages] == ["second", "An answer"]
    assert messages[1]["author"] == ALICE


def test_the_tag_of_the_receiver_goes_before_the_last_mail(own: Api) -> None:
    first = open_thread(own, "first")
    receive(own, 1)
    open_thread(own, "second")
    receive(own, 2)
    local, _, domain = HELP.partition("@")
    assert reply(own, f"{local}+{first}@{domain}") == first


def test_a_mail_of_a_mailbox_that_got_none_is_dropped_with_the_reason(own: Api) -> None:
    own.post("/VirtualPhones", Address=ALICE).expect(201)
    sent = own.post(INBOX, To=HELP, Body="Hello").expect(201)
    assert sent["outcome"] == "dropped"
    assert "no open conversation" in sent["reason"]
