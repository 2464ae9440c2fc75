"""Normalisation of inbound messages: any text becomes a row that both databases store."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from parlour.channels import inbound_content
from parlour.channels.carrier import InboundMessage
from parlour.resources.inbox.message import InboxMedium, InboxMessage, decode_message
from parlour.resources.inbox.message import encode_message as encode
from parlour.vocabulary import limits

# With NUL and halves of surrogate pairs.
TEXTS = st.text(st.characters(codec=None), max_size=200)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(TEXTS, each, max_size=3),
    max_leaves=10,
)
NUMBERS = st.integers(10_000_000, 99_999_999).map("+155{}".format)


def inbound(**changes: Any) -> InboundMessage:
    """Return a message with these parts."""
    made = InboundMessage(
        provider_id="1",
        channel="sms",
        sender="+15558675310",
        receiver="+15017122661",
        group=(),
        body="Hello",
    )
    return msgspec.structs.replace(made, **changes)


def normalised(**changes: Any) -> InboxMessage:
    """Return the content of the row of a message."""
    return inbound_content.normalise(inbound(**changes), ())


@given(TEXTS, TEXTS, st.dictionaries(TEXTS, JSON, max_size=4))
def test_any_text_and_metadata_become_a_row_and_are_read_from_it(
    body: str, name: str, metadata: dict[str, Any]
) -> None:
    made = normalised(body=body, profile_name=name, metadata=metadata)
    text = encode(made)
    assert "\0" not in text
    assert "\\u0000" not in text
    assert decode_message(text) == made


@given(st.text(max_size=50), st.integers(0, 3))
def test_a_body_within_the_limit_is_unchanged_but_for_nul(text: str, repeat: int) -> None:
    body = text * repeat
    assert normalised(body=body).body == (body.replace("\0", "") or None)


@given(st.text(min_size=1, max_size=4).filter(lambda text: "\0" not in text))
def test_a_body_beyond_the_limit_becomes_its_longest_start_that_fits(text: str) -> None:
    body = text * (limits.MESSAGE_BODY_BYTES_MAX // len(text.encode()) + 2)
    cut = normalised(body=body).body
    assert cut is not None
    assert body.startswith(cut)
    size = len(cut.encode())
    assert size <= limits.MESSAGE_BODY_BYTES_MAX < size + len(body[len(cut)].encode())


@given(st.lists(NUMBERS, min_size=3, max_size=6, unique=True), st.randoms())
def test_copies_of_a_group_message_share_lane_and_fold_key(numbers: list[str], rng: Any) -> None:
    sender, *others = numbers
    copies = []
    for receiver in others:
        group = [each for each in others if each != receiver]
        rng.shuffle(group)
        copies.append(normalised(sender=sender, receiver=receiver, group=tuple(group)))
    assert len({inbound_content.lane_of(each) for each in copies}) == 1
    keys = {inbound_content.fold_key_of(each) for each in copies}
    assert len(keys) == 1
    assert None not in keys
    other = normalised(sender=sender, receiver=others[0], group=tuple(others[1:]), body="another")
    assert inbound_content.fold_key_of(other) not in keys
    medium = InboxMedium("image/png", None, "media", digest="d")
    assert inbound_content.fold_key_of(msgspec.structs.replace(other, media=(medium,))) not in keys


@given(NUMBERS, NUMBERS)
def test_a_1_to_1_message_has_no_copies(sender: str, receiver: str) -> None:
    assert inbound_content.fold_key_of(normalised(sender=sender, receiver=receiver)) is None


@given(TEXTS)
def test_an_identifier_of_a_carrier_has_a_bounded_key(text: str) -> None:
    key = inbound_content.provider_key(text * 3)
    assert len(key) <= 200
    assert key == inbound_content.provider_key(text * 3)


def test_addresses_are_normalised_by_their_channel() -> None:
    normalise = inbound_content.normalise_address
    assert normalise(" WhatsApp:+15551234567 ") == "whatsapp:+15551234567"
    assert normalise(" +15551234567\n") == "+15551234567"
    assert normalise("Ann.Lee@Example.COM") == "Ann.Lee@example.com"
    assert normalise("MESSENGER:AbC") == "messenger:AbC"
