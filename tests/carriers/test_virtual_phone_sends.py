"""What virtual phones send: stored at the phone, passed to each own number, with its outcome."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from parlour.channels.carrier import InboundRefused
from parlour.channels.virtual.sends import PhoneSends
from parlour.resources.inbox.store import InboundKey
from parlour.resources.virtual_phones import message_store as virtual_phone_message_store
from parlour.resources.virtual_phones.media_copies import PhoneMediaCopies
from parlour.resources.virtual_phones.submissions import PhoneSubmission
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary.clock import SystemRandom
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.scope import Scope
from tests.carriers.virtual_carrier_setup import (
    CONTENT,
    OWN,
    PHONE,
    WHATSAPP,
    PhoneScene,
    run_scene,
)
from tests.events.in_process_server import ACCOUNT_SID, Form

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.channels.carrier import InboundMessage
    from parlour.resources.virtual_phones.message_store import VirtualPhoneMessage
    from parlour.store.transaction import Transaction

SECOND_OWN = "+15005550007"
OTHER = "+15558675311"


@dataclass
class ScriptedOutcome:
    """The outcome that the processor returns."""

    outcome: str = "conversation"
    reason: str | None = None
    conversation_sid: str | None = "CH" + "1" * 32
    message_sid: str | None = "IM" + "1" * 32
    participant_sid: str | None = "MB" + "1" * 32


@dataclass
class ScriptedInbound:
    """A processor of inbound messages that records them."""

    outcomes: list[ScriptedOutcome] = field(default_factory=lambda: [ScriptedOutcome()])
    error: Exception | None = None
    accepts_max: int = 99
    accepted: list[InboundMessage] = field(default_factory=list)

    async def accept(
        self, carrier_name: str, message: InboundMessage, *, account_sid: str | None = None
    ) -> InboundKey:
        """Record a message."""
        assert (carrier_name, account_sid) == ("virtual", ACCOUNT_SID)
        if self.error is not None:
            raise self.error
        if len(self.accepted) == self.accepts_max:
            raise Busy("full")
        self.accepted.append(message)
        return InboundKey(ACCOUNT_SID, carrier_name, message.provider_id)

    async def outcome(self, key: InboundKey) -> ScriptedOutcome:
        """Return the next outcome; the last one is repeated."""
        place = [each.provider_id for each in self.accepted].index(key.provider_id)
        return self.outcomes[min(place, len(self.outcomes) - 1)]


def submission(*receivers: str, sender: str = PHONE, body: str | None = "Hi") -> PhoneSubmission:
    """Return a text message of a phone."""
    return PhoneSubmission(sender=sender, receivers=receivers, body=body)


@dataclass
class ResponseLog:
    """Records which response is stored for an idempotency key."""

    stored: list[str] = field(default_factory=list)
    error: ApiError | None = None

    async def begin(self, tx: Transaction, message: VirtualPhoneMessage) -> None:
        """Store the first response, in the transaction of the message."""
        assert await virtual_phone_message_store.find_message(
            tx, Scope(ACCOUNT_SID), message.address, message.sid
        )
        if self.error is not None:
            raise self.error
        self.stored.append(f"begin {message.status}")

    async def record(self, _tx: Transaction, message: VirtualPhoneMessage) -> None:
        """Store the final response."""
        self.stored.append(f"record {message.status}")

    async def release(self, _tx: Transaction) -> None:
        """Delete the response."""
        self.stored.append("release")


async def send(
    scene: PhoneScene,
    inbound: ScriptedInbound,
    message: PhoneSubmission,
    response: ResponseLog | None = None,
) -> VirtualPhoneMessage:
    """Send a message."""
    copies = PhoneMediaCopies(scene.instance.app.blobs, SystemRandom())
    sends = PhoneSends(scene.instance.store, copies, inbound, SystemRandom())
    return await sends.send(ACCOUNT_SID, message, response)


def test_a_text_is_passed_on_under_the_sid_that_its_phone_shows(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        inbound = ScriptedInbound()
        sent = await send(scene, inbound, submission(OWN))
        [message] = inbound.accepted
        assert (message.provider_id, message.channel) == (sent.sid, "sms")
        assert (message.sender, message.receiver, message.group) == (PHONE, OWN, ())
        assert (message.body, message.media, message.metadata) == ("Hi", (), None)
        assert await scene.inbox(PHONE) == [sent]
        assert (sent.direction, sent.status, sent.outcome) == ("sent", "sent", "conversation")
        assert (sent.encoding, sent.segments) == ("GSM-7", 1)
        assert sent.sid.startswith("SM")
        assert sent.conversation_sid == "CH" + "1" * 32

    run_scene(tmp_path, play)


def test_the_reason_of_a_dropped_message_is_shown(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        dropped = ScriptedOutcome("dropped", "no open conversation", None, None, None)
        sent = await send(scene, ScriptedInbound([dropped]), submission(OWN))
        assert (sent.status, sent.outcome, sent.reason) == ("sent", "dropped", dropped.reason)
        assert sent.error_code is None

    run_scene(tmp_path, play)


def test_a_message_to_a_number_outside_the_table_fails_with_21612(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        inbound = ScriptedInbound(error=InboundRefused("no number of this server"))
        sent = await send(scene, inbound, submission(OWN))
        assert (sent.status, sent.error_code, sent.outcome) == ("failed", 21612, "dropped")
        assert sent.reason == "no number of this server"
        assert await scene.inbox(PHONE) == [sent]

    run_scene(tmp_path, play)


def test_a_full_inbox_fails_the_message_at_its_phone(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        with pytest.raises(Busy):
            await send(scene, ScriptedInbound(error=Busy("full")), submission(OWN))
        [message] = await scene.inbox(PHONE)
        assert (message.status, message.reason, message.outcome) == ("failed", "full", None)

    run_scene(tmp_path, play)


@pytest.mark.parametrize(
    ("error", "stored"),
    [
        (None, "record sent"),
        (InboundRefused("no number of this server"), "record failed"),
        (Busy("full"), "release"),
        # A number may have accepted it: a retry of the request must not send it again.
        (Unavailable("the outcome is unknown"), "record failed"),
    ],
)
def test_the_response_to_a_key_is_stored_with_the_message_and_its_outcome(
    tmp_path: Path, error: Exception | None, stored: str
) -> None:
    """Between the two it shows a queued message, so a retry after a crash sends no second one."""

    async def play(scene: PhoneScene) -> None:
        response = ResponseLog()
        inbound = ScriptedInbound(error=error)
        is_raised = isinstance(error, (Busy, Unavailable))
        with pytest.raises((Busy, Unavailable)) if is_raised else nullcontext():
            await send(scene, inbound, submission(OWN), response)
        assert response.stored == ["begin queued", stored]

    run_scene(tmp_path, play)


def test_a_group_text_that_one_number_has_accepted_is_not_sent_again(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        for number in (OWN, SECOND_OWN):
            form: Form = {"Type": "sms", "Address": number}
            await scene.instance.do("CreateConfigurationAddress", form)
        response, inbound = ResponseLog(), ScriptedInbound(accepts_max=1)
        with pytest.raises(Busy):
            await send(scene, inbound, submission(OWN, SECOND_OWN), response)
        assert response.stored == ["begin queued", "record failed"]

    run_scene(tmp_path, play)


def test_a_key_that_another_node_uses_sends_nothing_and_leaves_no_file(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        copies = PhoneMediaCopies(scene.instance.app.blobs, SystemRandom())
        medium = await copies.write_bytes(ACCOUNT_SID, CONTENT, "image/png", "cat.png")
        before = files_in(tmp_path)
        response, inbound = ResponseLog(error=ApiError(20409)), ScriptedInbound()
        message = PhoneSubmission(sender=PHONE, receivers=(OWN, OTHER), body=None, media=(medium,))
        with pytest.raises(ApiError):
            await send(scene, inbound, message, response)
        assert (inbound.accepted, await scene.inbox(PHONE)) == ([], [])
        assert files_in(tmp_path) == before

    run_scene(tmp_path, play)


def files_in(folder: Path) -> set[str]:
    return {each.name for each in (folder / "media").rglob("*") if each.is_file()}


def test_a_whatsapp_message_has_its_sid_and_metadata(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        inbound = ScriptedInbound()
        message = PhoneSubmission(
            sender=WHATSAPP, receivers=(f"whatsapp:{OWN}",), body="Hi", profile_name="Ada"
        )
        sent = await send(scene, inbound, message)
        assert sent.sid.startswith("WA")
        assert (sent.encoding, sent.segments) == (None, 1)
        [accepted] = inbound.accepted
        assert accepted.profile_name == "Ada"
        assert accepted.metadata == {"context": {"ProfileName": "Ada", "WaId": PHONE[1:]}}

    run_scene(tmp_path, play)


def test_a_group_text_reaches_the_other_members_and_each_own_number(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        for number in (OWN, SECOND_OWN):
            await scene.instance.do(
                "CreateConfigurationAddress", {"Type": "sms", "Address": number}
            )
        inbound = ScriptedInbound([ScriptedOutcome("dropped", "x", None), ScriptedOutcome()])
        sent = await send(scene, inbound, submission(OWN, OTHER, SECOND_OWN))
        assert sent.sid.startswith("MM")
        members = sorted([OWN, SECOND_OWN, PHONE, OTHER])
        first, second = inbound.accepted
        # Two copies with different identifiers: the server folds them.
        assert (first.receiver, second.receiver) == (OWN, SECOND_OWN)
        assert first.provider_id == sent.sid != second.provider_id
        for copy in inbound.accepted:
            assert sorted({copy.sender, copy.receiver, *copy.group}) == members
        [received] = await scene.inbox(OTHER)
        assert (received.sid, received.direction, received.sender) == (sent.sid, "received", PHONE)
        assert json.loads(received.members or "") == members
        # The copy that a conversation took decides.
        assert (sent.outcome, sent.reason) == ("conversation", None)
        # No member reports a message that the server did not submit.
        assert await scene.pass_due_reports() == []

    run_scene(tmp_path, play)


def test_a_group_text_to_a_phone_that_is_off_is_held_without_reports(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        await scene.set(OTHER, Behaviour="off")
        await send(scene, ScriptedInbound(), submission(OWN, OTHER))
        assert await scene.inbox(OTHER) == []
        await scene.change(OTHER, Behaviour="deliver")
        assert len(await scene.inbox(OTHER)) == 1
        assert await scene.pass_due_reports() == []

    run_scene(tmp_path, play)


def test_a_medium_is_passed_on_and_copied_for_each_member(tmp_path: Path) -> None:
    async def play(scene: PhoneScene) -> None:
        copies = PhoneMediaCopies(scene.instance.app.blobs, SystemRandom())
        medium = await copies.write_bytes(ACCOUNT_SID, CONTENT, "image/png", "cat.png")
        inbound = ScriptedInbound()
        message = PhoneSubmission(sender=PHONE, receivers=(OWN, OTHER), body=None, media=(medium,))
        sent = await send(scene, inbound, message)
        [accepted] = inbound.accepted
        assert [(each.content_type, each.content) for each in accepted.media] == [
            ("image/png", CONTENT)
        ]
        [own], [other] = (json.loads(each.media) for each in (sent, (await scene.inbox(OTHER))[0]))
        assert own["sid"] == medium.sid != other["sid"]
        assert await scene.instance.app.blobs.uncommitted(2**62) == []

    run_scene(tmp_path, play)
