"""Inbound mails find their conversation by tag, by references and by their sender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from parlour.channels.carrier import InboundEmail, MailRecipient
from tests.events.inbound_setup import (
    InboundSetup,
    ScenarioRunner,
    scenario_runner,
    text_message,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scenario on a separate server."""
    return scenario_runner(tmp_path)


HELP = "help@example.com"
ANN = "Ann@example.org"


def mail(body: str = "Hello", **changes: Any) -> Any:
    """Return a mail of Ann to the help desk; ``changes`` are parts of the mail."""
    email = InboundEmail(
        subject="A question",
        message_id="<one@example.org>",
        sender_name="Ann",
        recipients=(MailRecipient(HELP, "to"),),
    )
    sender = changes.pop("sender", ANN)
    receiver = changes.pop("receiver", HELP)
    return text_message(
        body,
        channel="email",
        sender=sender,
        receiver=receiver,
        email=msgspec.structs.replace(email, **changes),
    )


async def help_desk(setup: InboundSetup, address: str = ANN) -> Any:
    """Create a conversation of the help desk with one mailbox."""
    conversation = await setup.instance.do("CreateConversation", {"Bindings.Email.Address": HELP})
    await setup.add(conversation.sid, Address=address)
    return conversation


@pytest.mark.channel("C42", "15")
def test_a_mail_finds_its_conversation_by_tag_then_references_then_sender(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        tagged = await help_desk(setup)
        referenced = await help_desk(setup)
        last = await help_desk(setup)
        reference = f"<IM{'1' * 32}.{referenced.sid}@example.com>"
        by_tag = await setup.receive(
            mail("by tag", conversation_sid=tagged.sid, references=(reference,))
        )
        assert by_tag.conversation_sid == tagged.sid
        by_reference = await setup.receive(
            mail("by reference", references=("<other@example.org>", reference))
        )
        assert by_reference.conversation_sid == referenced.sid
        # The conversation with the last activity.
        await setup.instance.send_message(last.sid, "now the last one")
        assert (await setup.receive(mail("by sender"))).conversation_sid == last.sid
        (added,) = await setup.messages(tagged.sid)
        assert (added.subject, added.author, added.source) == ("A question", ANN, "EMAIL")
        assert added.participant_sid == by_tag.participant_sid is not None

    run_scenario(scenario)


@pytest.mark.channel("C42")
def test_a_mail_to_a_closed_conversation_or_with_a_foreign_tag_creates_another(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        await setup.configure(HELP, "email")
        conversation = await help_desk(setup)
        await setup.instance.do("UpdateConversation", {"State": "closed"}, Sid=conversation.sid)
        result = await setup.receive(mail(conversation_sid=conversation.sid))
        assert result.outcome == "auto_created"
        assert result.conversation_sid != conversation.sid
        created = await setup.fetch(result.conversation_sid)
        assert created.email_address == HELP
        (participant,) = await setup.participants(created.sid)
        assert (participant.address, participant.binding_level) == (ANN, "to")
        assert participant.binding_name == "Ann"
        again = await setup.receive(mail(conversation_sid="CH" + "9" * 32))
        assert again.conversation_sid == created.sid

    run_scenario(scenario)


def test_a_mail_to_two_own_addresses_is_added_to_one_conversation_once(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(setup: InboundSetup) -> None:
        conversation = await help_desk(setup)
        first = await setup.receive(mail(conversation_sid=conversation.sid))
        second = await setup.receive(
            mail(conversation_sid=conversation.sid, receiver="sales@example.com")
        )
        assert second.message_sid == first.message_sid
        assert len(await setup.messages(conversation.sid)) == 1

    run_scenario(scenario)
