"""After each commit the limits of phones hold, and the counted usage equals the rows."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from tests.carriers.virtual_carrier_setup import PICTURE, START_MS, PhoneScene, text_to
from tests.events.in_process_server import ACCOUNT_SID, InProcessServer
from tests.resources.test_frozen_clock import FrozenClock

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction

PHONES = [f"+1555867531{digit}" for digit in range(5)]
PHONES_MAX = 3
MESSAGES_MAX = 4
BYTES_MAX = 60
NOT_FOUND = 404
COUNTED = """
SELECT (SELECT COUNT(*) FROM virtual_phone WHERE account_sid = $1),
       (SELECT COALESCE(SUM(size), 0) FROM virtual_phone_message WHERE account_sid = $1),
       (SELECT COALESCE(MAX(count), 0) FROM (
            SELECT COUNT(*) AS count FROM virtual_phone_message WHERE account_sid = $1
             GROUP BY address) AS counts),
       (SELECT COUNT(*) FROM virtual_phone_message AS message WHERE account_sid = $1
           AND NOT EXISTS (SELECT 1 FROM virtual_phone WHERE account_sid = $1
                              AND address = message.address)),
       (SELECT COUNT(*) FROM virtual_phone_medium AS medium WHERE account_sid = $1
           AND is_removed = 0
           AND NOT EXISTS (SELECT 1 FROM virtual_phone_message WHERE account_sid = $1
                              AND address = medium.address AND sid = medium.message_sid))
"""
USAGE = "SELECT phones, bytes FROM virtual_phone_usage WHERE account_sid = $1"

steps = st.lists(
    st.one_of(
        st.tuples(st.just("deliver"), st.sampled_from(PHONES), st.integers(0, 20), st.booleans()),
        st.tuples(st.just("delete"), st.sampled_from(PHONES)),
        st.tuples(
            st.just("set"),
            st.sampled_from(PHONES),
            st.sampled_from(["deliver", "off", "undeliverable", "silent", "reject"]),
        ),
    ),
    min_size=5,
    max_size=40,
)


async def take(scene: PhoneScene, number: int, step: tuple[Any, ...]) -> None:
    """Take one step."""
    verb, address, *rest = step
    if verb == "deliver":
        size, has_medium = rest
        media = (PICTURE,) if has_medium else ()
        await scene.deliver(
            text_to(address, reference=f"SM{number:032}", body="x" * size or None, media=media)
        )
        return
    try:
        if verb == "delete":
            await scene.instance.do("DeleteVirtualPhone", Address=address)
        else:
            await scene.change(address, Behaviour=rest[0])
    except ApiError as error:
        if error.status != NOT_FOUND:
            raise


async def check(scene: PhoneScene) -> None:
    """Compare the rows with the limits and the counted usage."""

    async def read(tx: Transaction) -> tuple[Any, Any]:
        return await tx.one(COUNTED, ACCOUNT_SID), await tx.one(USAGE, ACCOUNT_SID)

    counted, usage = await scene.instance.store.read(read)
    phones, size, most, without_phone, without_message = counted
    assert (phones, size) == tuple(usage or (0, 0))
    assert phones <= PHONES_MAX
    assert size <= BYTES_MAX
    assert most <= MESSAGES_MAX
    assert (without_phone, without_message) == (0, 0)


@settings(max_examples=15, deadline=None)
@given(steps)
def test_limits_hold_and_usage_is_counted(taken: list[tuple[Any, ...]]) -> None:
    async def run(folder: Path) -> None:
        clock = FrozenClock(START_MS)
        async with InProcessServer(folder, clock=clock) as instance:
            scene = PhoneScene(instance, clock)
            for number, step in enumerate(taken):
                await take(scene, number, step)
                await check(scene)

    small = {
        "VIRTUAL_PHONES_PER_ACCOUNT_MAX": PHONES_MAX,
        "VIRTUAL_PHONE_MESSAGES_MAX": MESSAGES_MAX,
        "VIRTUAL_PHONE_BYTES_PER_ACCOUNT_MAX": BYTES_MAX,
    }
    with tempfile.TemporaryDirectory() as folder, mock.patch.multiple(limits, **small):
        asyncio.run(run(Path(folder)))
