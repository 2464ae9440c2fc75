"""Clients' JSON, wherever it is parsed: nesting creates no objects, and raises nothing."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from parlour.protocol import json_parsers
from parlour.realtime import subscriptions
from parlour.resources.conversation_with_participants.parameters import participant
from parlour.resources.media import parameters as media_parameters
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable


def participants(text: str) -> None:
    participant("Participant", text)


def variables(text: str) -> None:
    json_parsers.content_variables()("ContentVariables", text)


def media_set(text: str) -> None:
    media_parameters.parse_media_set(text.encode())


def subscribed(text: str) -> None:
    assert subscriptions._parse_request(text.encode()) is None


READERS = [participants, variables, media_set, subscribed]
MANY = "[" + "[]," * 10_000 + "0]"
MEMBERS = ["x", "identity", "messaging_binding", "list", "requests", "command"]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("member", MEMBERS)
def test_nested_json_creates_no_objects(read: Callable[[str], None], member: str) -> None:
    body = f'{{"{member}":{MANY}}}'
    tracemalloc.start()
    try:
        with suppress(ApiError):
            read(body)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(body)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("member", MEMBERS)
def test_deep_nesting_is_refused(read: Callable[[str], None], member: str) -> None:
    body = f'{{"{member}":{"[" * 10_000}{"]" * 10_000}}}'
    with suppress(ApiError):
        read(body)


def test_a_media_set_request_is_bounded_in_bytes() -> None:
    one = '{"media_sid":"ME00000000000000000000000000000000"}'
    full = '{"command":"get","list":[' + ",".join([one] * limits.MEDIA_SET_MAX) + "]}"
    assert len(media_parameters.parse_media_set(full.encode()).sids) == limits.MEDIA_SET_MAX
    with pytest.raises(ApiError) as caught:
        media_parameters.parse_media_set(b" " * limits.MEDIA_SET_BYTES_MAX + full.encode())
    assert caught.value.code == 20413
