"""The splitter of MIME parts: like the standard library's parser, and bounded for hostile mail."""

from __future__ import annotations

import base64
import email
import email.policy
import re
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parlour.channels.email import header_text, html_text, mime, reply_text
from parlour.vocabulary import limits
from tests.unit.channels.email.mails import plain, read

if TYPE_CHECKING:
    from email.message import Message

# Far above what any mail takes on a busy machine, far below what a quadratic parser takes.
SECONDS_MAX = 5.0
MIB = 1024 * 1024

BOUNDARIES = st.sampled_from(["a", "b", "aa", "a b", "=_x", "a-"])
LINES = st.sampled_from(
    ["text", "--", "--a0", "--b1", "--a0--", "-- a0", "--a0 x", "", "Content-Type: a/b", "\tx"]
)
LEAVES = st.lists(LINES, max_size=4).map("\r\n".join)

DELIMITERS_IN_A_ROW = re.compile(r"^--(\w+)\r\n--\1(--)?\r$", re.MULTILINE)


@st.composite
def entities(draw: st.DrawFn, depth: int = 0) -> str:
    """Return an entity with headers, of up to three levels."""
    if depth == 3 or draw(st.booleans()):
        return f"Content-Type: text/plain\r\n\r\n{draw(LEAVES)}"
    boundary = f"{draw(BOUNDARIES)}{depth}"
    parts = draw(st.lists(entities(depth=depth + 1), min_size=1, max_size=3))
    kind = draw(st.sampled_from(["mixed", "alternative", "related"]))
    body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    end = draw(st.sampled_from([f"--{boundary}--\r\n", f"--{boundary}--", ""]))
    preamble = draw(st.sampled_from(["", "preamble\r\n"]))
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'
    return f"{head}{preamble}{body}{end}"


def leaves(parsed: Message) -> list[tuple[str, str]]:
    """Return type and content of the parts that the library finds."""
    found = [each for each in parsed.walk() if not each.is_multipart()]
    return [(each.get_content_type(), str(each.get_payload())) for each in found]


@given(entities())
def test_well_nested_entities_have_the_parts_that_the_library_finds(entity: str) -> None:
    # Of two delimiters in a row the library does not see the second, also if it is the last one.
    assume(not DELIMITERS_IN_A_ROW.search(entity))
    parsed = email.message_from_string(entity, policy=email.policy.compat32)
    parts = mime.parse_message(entity.encode()).parts
    found = [(each.content_type, each.content.decode()) for each in parts]
    expected = [
        ("text/plain" if kind.startswith("multipart/") else kind, content)
        for kind, content in leaves(parsed)
    ]
    if not any(each.defects for each in parsed.walk()):
        # The library leaves out a part between two delimiters without a line between them.
        assert [each for each in found if each[1]] == [each for each in expected if each[1]]


@given(st.binary(max_size=400))
def test_any_bytes_are_read_refused_or_dropped(raw: bytes) -> None:
    result = read(raw)
    assert result.refused or result.dropped or result.messages


@given(st.text("From:a@b.c<>()\"\\;=?*'%\r\n \t-MIME/multipartboundary0", max_size=300))
def test_any_text_of_headers_is_read_refused_or_dropped(text: str) -> None:
    result = read(f"From: a@customer.example\n{text}")
    assert result.refused or result.dropped or result.messages


@given(st.binary(max_size=3000), st.sampled_from(["", "\r\n", "!", "\0"]), st.integers(1, 60))
def test_base64_is_decoded_with_any_characters_between(raw: bytes, noise: str, step: int) -> None:
    text = base64.b64encode(raw).decode()
    lines = noise.join(text[start : start + step] for start in range(0, len(text), step))
    mail = plain(lines, content_type="image/png", content_transfer_encoding="base64")
    part = mime.parse_message(mail.encode()).parts[0]
    assert part.decoded() == raw


@pytest.mark.parametrize("text", ["QUI=", "QUI", "Q", "QQ==QUI=", "=", "===="])
def test_truncated_base64_is_decoded_as_far_as_it_goes(text: str) -> None:
    mail = plain(text, content_type="image/png", content_transfer_encoding="base64")
    assert mime.parse_message(mail.encode()).parts[0].decoded() in (b"AB", b"", b"A")


def nested(levels: int) -> bytes:
    """Return a mail with so many multiparts inside each other."""
    head = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (each, each)
        for each in range(levels)
    )
    return b"From: a@customer.example\n" + head + b"\nHello"


def parts(count: int, part: bytes = b"") -> bytes:
    """Return a mail with so many parts."""
    head = b"From: a@customer.example\nContent-Type: multipart/mixed; boundary=b\n"
    return head + b"\n--b\n" * count + part


HOSTILE = {
    "a header of 10 MiB": b"From: a@customer.example\nX: " + b"x" * 10 * MIB + b"\n\nHello",
    "a million header fields": b"X: y\n" * MIB + b"\nHello",
    "10,000 levels": nested(10_000),
    "a million parts": parts(MIB),
    "a million almost delimiters": parts(1, b"\n--bx" * MIB),
    "21 MiB": b"From: a@customer.example\n\n" + b"x\n" * (21 * MIB // 2),
    "a header of a part of 10 MiB": parts(1, b"X: " + b"y" * 10 * MIB),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_mail_beyond_a_bound_is_refused_soon(name: str) -> None:
    started = time.perf_counter()
    result = read(HOSTILE[name])
    assert result.refused
    assert time.perf_counter() - started < SECONDS_MAX


ODD = {
    "text of 10 MiB": plain("word " * (2 * MIB)),
    "a line of 10 MiB": plain("x" * 10 * MIB),
    "blank lines": plain("\n" * MIB + "Hello"),
    "quotations": plain("> a\nb\n" * 100_000),
    "introductions": plain("On a\n> b\n" * 100_000),
    "introduction without an end": plain("On " * 300_000 + "\n> a"),
    "header lines": plain("From: a@b\n" * 100_000),
    "separators": plain("-----x-----\n" * 100_000),
    "dashes": plain("-" * MIB),
    "html elements": plain("<div>" * 300_000, content_type="text/html"),
    "html comments": plain("<!--" * 300_000, content_type="text/html"),
    "html declarations": plain("<![" * 300_000, content_type="text/html"),
    "html attributes": plain("<a " + "a='" * 300_000, content_type="text/html"),
    "html references": plain("&#" * 300_000, content_type="text/html"),
    "html quotations": plain("<blockquote>" * 100_000 + "x", content_type="text/html"),
    "html digits": plain("&#" + "9" * 10_000 + "; <", content_type="text/html"),
    "html scripts": plain("<script><" * 100_000, content_type="text/html"),
    "encoded words": plain(subject="=?utf-8?q?" * 10_000),
    "long encoded words": plain(subject="=?utf-8?q?a?= " * 9_000),
    "parameters": plain(content_type="text/plain" + "; a=b" * 20_000),
    "quoted parameters": plain(content_type='text/plain; a="' + ';"' * 40_000),
    "continuations": plain(content_type="text/plain" + "".join(f"; a*{n}*=b" for n in range(9000))),
    "comments": plain(to="(" * 100_000),
    "addresses": plain(to="a@b.example," * 9_000),
    "groups": plain(to="a:" * 50_000),
    "quoted names": plain(to='"' + "\\" * 100_000),
    "references": plain(references="<" * 100_000),
    "message ids": plain(references="<a@b.example>" * 8_000),
    "nested comments": plain(auto_submitted="(" * 50_000 + "no"),
    "base64 of 15 MiB": plain(
        "A" * 15 * MIB, content_type="image/png", content_transfer_encoding="base64"
    ),
    "quoted-printable of 15 MiB": plain(
        "=41" * 5 * MIB, content_type="text/plain", content_transfer_encoding="quoted-printable"
    ),
    "idna": plain("a." * MIB, content_type="text/plain; charset=idna"),
    "punycode": plain("a-" * MIB, content_type="text/plain; charset=punycode"),
}


@pytest.mark.parametrize("name", sorted(ODD))
def test_a_mail_that_delays_naive_parsers_is_read_soon(name: str) -> None:
    started = time.perf_counter()
    result = read(ODD[name])
    assert time.perf_counter() - started < SECONDS_MAX
    assert result.messages or result.dropped


def test_the_allowed_depth_and_number_of_parts_are_read() -> None:
    assert read(nested(limits.EMAIL_DEPTH_MAX)).messages
    assert read(nested(limits.EMAIL_DEPTH_MAX + 1)).refused
    assert read(parts(limits.EMAIL_PARTS_MAX)).messages
    assert read(parts(limits.EMAIL_PARTS_MAX + 1)).refused


def test_a_lookup_of_a_charset_imports_no_module() -> None:
    assert header_text.decode_charset(b"\xe4", "..os") == "ä"
    assert header_text.decode_charset(b"x", "antigravity") == "x"


@given(st.text(max_size=500))
def test_any_html_gives_a_text(html: str) -> None:
    assert "\0" not in html_text.to_text(html) or "\0" in html


@given(st.lists(st.sampled_from(["> a", "b", "", "On a, b wrote:", "From: a@b", "-----x-----"])))
def test_the_new_text_is_part_of_the_text_and_not_empty(lines: list[str]) -> None:
    text = "\n".join(lines)
    new = reply_text.new_text(text)
    assert new in text
    assert bool(new) == bool(text.strip())


ON = "On Mon, 1 Dec 2026 at 10:00, Help desk <help@example.com> wrote:"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thanks", "Thanks"),
        (f"Thanks\n\n{ON}\n\n> old\n> older", "Thanks"),
        (
            "Thanks\n\nOn Mon, 1 Dec 2026 at 10:00, Help desk\n<help@example.com> wrote:\n> old",
            "Thanks",
        ),
        ("Danke!\n\nAm 01.12.26 um 10:00 schrieb Help desk:\n> alt", "Danke!"),
        ("Merci\n\nLe lun. 1 déc. 2026 à 10:00, Help <help@example.com> a écrit :\n\n> q", "Merci"),
        ("code:\n  indented\n\n" + ON + "\n> old", "code:\n  indented"),
        ("ok\n-----Original Message-----\nFrom: a@b.example", "ok"),
        ("ok\n\n-----Ursprüngliche Nachricht-----\nVon: a@b.example", "ok"),
        ("ok\n\nFrom: a@b.example\nSent: Monday\nTo: c\nSubject: x\n\nold", "ok"),
        (f"{ON}\n> old\n\nanswer below", "answer below"),
        ("yes, see\n> a\nand\n> b\n", "yes, see\n> a\nand"),
        (f"{ON}\n> all quoted", f"{ON}\n> all quoted"),
        ("I wrote:\n\nFrom: here\nto there", "I wrote:\n\nFrom: here\nto there"),
        ("> quoted first\n\nanswer", "> quoted first\n\nanswer"),
    ],
)
def test_the_quotation_is_removed_from_a_reply(text: str, expected: str) -> None:
    assert reply_text.new_text(text) == expected
