"""Types, names and dispositions of media."""

from __future__ import annotations

import pytest

from parlour.protocol import media_headers
from parlour.vocabulary.errors import ApiError


@pytest.mark.parametrize(
    "text",
    [
        "image/png",
        "text/plain; charset=utf-8",
        'text/plain;charset="utf-8" ; a=b',
        "application/x-vnd.com.twilio.rich.twilio.text",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ],
)
def test_a_content_type_is_stored_unchanged(text: str) -> None:
    assert media_headers.parse_type(text) == text
    assert media_headers.parse_type(f" {text} ") == text


@pytest.mark.parametrize("text", [None, "", "  "])
def test_no_type_is_the_unknown_one(text: str | None) -> None:
    assert media_headers.parse_type(text) == "application/octet-stream"


@pytest.mark.parametrize(
    "text",
    [
        "png",
        "image/",
        "/png",
        "a/b/c",
        "text/plain, text/html",
        "text/plain\r\nX: y",
        "text/plain; charset",
        'text/plain; a="b',
        "text/plain; a=ü",
        "tëxt/plain",
        "a/" + "b" * 254,
    ],
)
def test_an_invalid_content_type_is_rejected(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        media_headers.parse_type(text)
    assert refused.value.code == 50511


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (None, None),
        ("", None),
        ("a.png", "a.png"),
        ("Größe 1.png", "Größe 1.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\win.ini", "win.ini"),
        ("..", None),
        ("a/..", None),
        ("a/", None),
        (" . ", None),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("a\x00b\r\nc\x85.txt", "abc.txt"),
        ("\ud800x", "x"),
        ("\ufeff\u2066x\u2069", "x"),
        (".profile", ".profile"),
    ],
)
def test_a_name_is_made_harmless(text: str | None, name: str | None) -> None:
    assert media_headers.parse_file_name(text) == name


def test_a_name_has_its_limit() -> None:
    assert media_headers.parse_file_name("x" * 255) == "x" * 255
    with pytest.raises(ApiError) as refused:
        media_headers.parse_file_name("x" * 256)
    assert refused.value.code == 20001


@pytest.mark.parametrize(
    "content_type",
    [
        "image/jpeg",
        "image/png",
        "IMAGE/GIF",
        "image/webp",
        "audio/mpeg",
        "video/mp4",
        "video/mp4; codecs=x",
        "text/plain",
        "text/plain; charset=utf-8",
        "application/pdf",
    ],
)
def test_passive_content_is_shown_inline(content_type: str) -> None:
    assert media_headers.content_disposition(content_type, None) == "inline"


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "TEXT/HTML; charset=utf-8",
        "image/svg+xml",
        "application/xhtml+xml",
        "text/xml",
        "video/x+xml",
        "audio/a+xml",
        "video/a b",
        "application/octet-stream",
        "multipart/related",
        "message/rfc822",
        "image/x-icon",
    ],
)
def test_everything_else_is_saved(content_type: str) -> None:
    assert media_headers.content_disposition(content_type, None) == "attachment"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a.txt", 'inline; filename="a.txt"'),
        ("a b;c.txt", 'inline; filename="a b;c.txt"'),
        ('a"b\\c%41.txt', "inline; filename=\"a_b_c_41.txt\"; filename*=UTF-8''a%22b%5Cc%2541.txt"),
        (
            "Größe€.txt",
            "inline; filename=\"Gr__e_.txt\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%E2%82%AC.txt",
        ),
        ("😀", "inline; filename=\"_\"; filename*=UTF-8''%F0%9F%98%80"),
    ],
)
def test_a_file_name_is_given_in_plain_and_extended_form(name: str, written: str) -> None:
    found = media_headers.content_disposition("text/plain", name)
    assert found == written
    assert found.isascii()


@pytest.mark.parametrize(
    "content_type",
    [
        "text/javascript",
        "application/javascript",
        "application/x-javascript; charset=utf-8",
        "application/ecmascript",
        "text/jscript",
        "text/vbscript",
        "text/css",
        "text/cache-manifest",
        "application/wasm",
    ],
)
def test_active_types_are_served_as_bytes(content_type: str) -> None:
    assert media_headers.served_type(content_type) == "application/octet-stream"


@pytest.mark.parametrize("content_type", ["text/html", "image/png", "text/plain; a=javascript"])
def test_any_other_type_is_served(content_type: str) -> None:
    assert media_headers.served_type(content_type) == content_type
