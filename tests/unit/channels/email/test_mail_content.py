"""The content of a mail in SMTP: its end, its dots, and bounds of time and memory."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.email.mail_content import LINE_TOO_LONG, TOO_LARGE, MailContent

PIECES = st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n.", b".\r\n"]))


def received(*pieces: bytes, bytes_max: int = 1000, line_bytes_max: int = 100) -> MailContent:
    mail = MailContent(bytes_max, line_bytes_max)
    assert [mail.feed(each) for each in pieces][-1] is not None
    return mail


@given(PIECES, st.integers(1, 5))
def test_a_mail_is_received_as_the_peer_meant_it(texts: list[bytes], size: int) -> None:
    text = b"".join(texts) + b"\r\n"
    sent = (b"\r\n" + text).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\nQUIT\r\n"
    mail = MailContent(1000, 1000)
    rest, position = None, 0
    while rest is None:
        rest = mail.feed(sent[position : position + size])
        position += size
    assert mail.refusal() == ""
    assert mail.content() == text
    assert rest + sent[position:] == b"QUIT\r\n"


def test_an_empty_mail_ends_with_its_first_line() -> None:
    mail = MailContent(10, 10)
    assert mail.feed(b".\r\nNOOP\r\n") == b"NOOP\r\n"
    assert mail.content() == b""


@pytest.mark.parametrize("text", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r"])
def test_only_the_end_of_the_standard_ends_a_mail(text: bytes) -> None:
    """Another one would let a peer put a second mail into the first."""
    assert MailContent(1000, 1000).feed(b"a" + text + b"MAIL FROM:<b@example.com>\r\n") is None


def test_a_mail_beyond_the_limit_is_read_to_its_end_and_refused() -> None:
    mail = received(b"a" * 999, b"a" * 5000, b"\r\n", b".\r\n")
    assert mail.refusal() == TOO_LARGE
    assert len(mail.content()) < 10
    assert received(b"a" * 50 + b"\r\n", b".\r\n", bytes_max=52).refusal() == ""
    assert received(b"a" * 50 + b"\r\n", b".\r\n", bytes_max=51).refusal() == TOO_LARGE


@pytest.mark.parametrize(("length", "refusal"), [(98, ""), (99, LINE_TOO_LONG)])
def test_a_long_line_is_refused_wherever_it_is(length: int, refusal: str) -> None:
    for lines in ((b"a" * length, b"b"), (b"b" * 70, b"a" * length), (b"", b"a" * length, b"")):
        assert received(b"\r\n".join(lines) + b"\r\n.\r\n").refusal() == refusal


def test_the_memory_of_a_mail_of_short_lines_is_that_of_its_bytes() -> None:
    tracemalloc.start()
    try:
        mail = received(*[b"\r\n" * 10_000] * 10, b".\r\n", bytes_max=10**6)
        assert len(mail.content()) == 200_000
        assert tracemalloc.get_traced_memory()[1] < 1_200_000
    finally:
        tracemalloc.stop()
