"""Temporary URLs of media."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.protocol.media_urls import MediaLink, MediaUrls, new_link
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.scope import Scope

URLS = MediaUrls(b"k" * 32)
NOW_MS = 1_700_000_000_500
SCOPE = Scope("AC" + "a" * 32, "IS" + "b" * 32)
LINK = new_link(SCOPE, "ME" + "c" * 32, "US" + "d" * 32, NOW_MS)


def split(url: str) -> tuple[str, bytes]:
    path, _, query = url.partition("?")
    return path, query.encode()


def test_a_url_is_good_for_five_minutes() -> None:
    path, query = split(URLS.sign(LINK))
    assert LINK.expires_seconds == 1_700_000_300
    assert URLS.verify(path, query, NOW_MS) == LINK
    assert URLS.verify(path, query, 1_700_000_299_999) == LINK
    with pytest.raises(ApiError) as refused:
        URLS.verify(path, query, 1_700_000_300_000)
    assert (refused.value.code, refused.value.status) == (20403, 403)


def test_a_url_of_the_account_names_no_user() -> None:
    link = new_link(SCOPE, LINK.sid, "", NOW_MS)
    url = URLS.sign(link)
    assert "User" not in url
    assert URLS.verify(*split(url), NOW_MS) == link


@pytest.mark.parametrize(
    "change",
    [
        {"scope": Scope("AC" + "0" * 32, SCOPE.service_sid)},
        {"scope": Scope(SCOPE.account_sid, "IS" + "0" * 32)},
        {"sid": "ME" + "0" * 32},
        {"user_sid": "US" + "0" * 32},
        {"user_sid": ""},
        {"expires_seconds": LINK.expires_seconds + 1},
    ],
)
def test_a_signature_is_for_all_of_it(change: dict[str, object]) -> None:
    signature = URLS.sign(LINK).rpartition("&")[2]
    other = URLS.sign(msgspec.structs.replace(LINK, **change)).rpartition("&")[0]
    with pytest.raises(ApiError):
        URLS.verify(*split(f"{other}&{signature}"), NOW_MS)


def test_another_key_signs_otherwise() -> None:
    url = MediaUrls(b"K" * 32).sign(LINK)
    with pytest.raises(ApiError):
        URLS.verify(*split(url), NOW_MS)


@given(st.text(max_size=80), st.binary(max_size=200))
def test_any_other_url_is_rejected_without_an_exception(path: str, query: bytes) -> None:
    for asked in (path, f"/media-direct/{path}", split(URLS.sign(LINK))[0]):
        with pytest.raises(ApiError) as refused:
            URLS.verify(asked, query, NOW_MS)
        assert refused.value.status == 403


@given(st.integers(0, 10**12 - 1), st.sampled_from(["", "US" + "e" * 32]))
def test_written_values_are_read_back(seconds: int, user_sid: str) -> None:
    link = MediaLink(SCOPE, LINK.sid, user_sid, seconds)
    assert URLS.verify(*split(URLS.sign(link)), seconds * 1000 - 1) == link
