"""The tag of an address and the Message-ID by which a reply finds its conversation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parlour.protocol import addresses, email_threading
from parlour.vocabulary import limits

DIGITS = st.text("0123456789abcdef", min_size=32, max_size=32)
CONVERSATIONS = DIGITS.map("CH{}".format)
MESSAGES = DIGITS.map("IM{}".format)
LOCAL_PARTS = st.from_regex(r"[a-z0-9!#$%&'*/=?^_`{|}~-]+(\+[a-z0-9]+)?", fullmatch=True)
DOMAINS = st.sampled_from(["example.com", "mail.example.org", "xn--bcher-kva.example"])


@given(MESSAGES, CONVERSATIONS, DOMAINS)
def test_a_message_id_is_parsed_into_the_sids_it_was_made_of(
    message: str, conversation: str, domain: str
) -> None:
    made = email_threading.message_id(message, conversation, domain)
    for form in (made, made.upper(), made.lower(), f" {made} "):
        assert email_threading.parse_message_id(form) == (message, conversation)


@given(LOCAL_PARTS, CONVERSATIONS, DOMAINS)
def test_a_tag_is_split_from_the_address_it_was_added_to(
    local: str, conversation: str, domain: str
) -> None:
    address = f"{local}@{domain}"
    tagged = email_threading.tagged_address(address, conversation)
    assert addresses.parse_address(tagged) is not None
    if len(local) + 35 > limits.EMAIL_LOCAL_PART_CHARS_MAX:
        assert tagged == address
    else:
        assert email_threading.split_tag(tagged) == (address, conversation)
        assert email_threading.split_tag(tagged.lower()) == (address, conversation)
        assert email_threading.split_tag(tagged.upper()) == (address.upper(), conversation)
    assert email_threading.split_tag(address) == (address, None)


def test_a_tag_alone_is_a_local_part() -> None:
    address = f"+CH{'0' * 32}@example.com"
    assert email_threading.split_tag(address) == (address, None)


@given(st.text())
def test_other_texts_are_no_message_id(text: str) -> None:
    assert email_threading.parse_message_id(text) is None
    assert email_threading.parse_message_id(f"<{text}@example.com>") is None


@given(st.lists(st.tuples(MESSAGES, CONVERSATIONS), max_size=100))
def test_references_are_read_in_order_and_the_last_ones_are_kept(
    marks: list[tuple[str, str]],
) -> None:
    texts = [email_threading.message_id(*mark, "example.com") for mark in marks]
    expected = tuple(texts[-limits.EMAIL_REFERENCES_MAX :])
    for separator in (" ", "\r\n\t", "", " (a comment) "):
        assert email_threading.message_ids(separator.join(texts)) == expected


def test_the_domain_of_an_address_is_in_lower_case() -> None:
    assert email_threading.domain_of('"a@b"@Example.COM') == "example.com"
