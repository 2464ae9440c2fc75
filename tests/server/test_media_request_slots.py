"""Slots of media lookups: taken after the body, and for the lookup."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.properties.raw_connection import RawConnection
from tests.support.server import UNCHECKED, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACES = 4
MEDIA = "/v1/Services/IS" + "0" * 32 + "/Media"
MEDIUM = f"{MEDIA}/ME{'0' * 32}"


@pytest.fixture(scope="module")
def small() -> Iterator[Server]:
    """A server with few slots for one account."""
    with Server(args=["--concurrent-requests-per-account-max", str(PLACES)]) as running:
        yield running


def test_missing_bodies_take_no_slots(small: Server) -> None:
    with ExitStack() as stack:
        for _ in range(2 * PLACES):
            slow = stack.enter_context(RawConnection(small))
            slow.exchange(slow.get("/v1/Conversations")).expect(
                200
            )  # Its login is cached from now on.
            slow.send(slow.post(f"{MEDIA}Set", b"{}")[:-1])
        with RawConnection(small) as other:
            for _ in range(PLACES):
                other.exchange(other.get("/v1/Conversations")).expect(200)


@pytest.mark.parametrize("path", [MEDIUM, f"{MEDIUM}/Content"])
def test_lookups_release_their_slots(small: Server, path: str) -> None:
    with RawConnection(small) as wire:
        for _ in range(2 * PLACES):
            wire.exchange(wire.get(path)).expect(404)
            wire.exchange(wire.post(f"{MEDIA}Set", b'{"command": "get", "list": []}')).expect(200)
        wire.exchange(wire.get("/v1/Conversations")).expect(200)


def test_lookups_without_a_slot_get_429() -> None:
    none = ["--concurrent-requests-per-account-max", "0"]
    with Server(args=none, program=[UNCHECKED]) as full, RawConnection(full) as wire:
        for target in ("/v1/Conversations", MEDIUM, f"{MEDIUM}/Content"):
            wire.exchange(wire.get(target)).expect(429)
        wire.exchange(wire.post(f"{MEDIA}Set", b'{"command": "get", "list": []}')).expect(429)
