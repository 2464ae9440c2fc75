"""Delays, error responses and held frames of faults."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from parlour.testmode.faults.checks import checked_rule
from parlour.testmode.faults.delays import Delays
from parlour.testmode.faults.error_responses import error_of
from parlour.testmode.faults.fault import Fault
from parlour.testmode.faults.held_frames import HeldTransport
from parlour.testmode.faults.parameters import CreateFault
from parlour.vocabulary import limits

ALICE, BOB = "AC" + "a" * 32, "AC" + "b" * 32


def _fault(**form: str) -> Fault:
    fields = {name: [value] for name, value in {"Target": "request", **form}.items()}
    rule = checked_rule(CreateFault.parse(fields))
    return Fault(sid="FA1", account_sid=ALICE, rule=rule, number=1, date_created=0)


@pytest.mark.parametrize(
    ("form", "status", "code", "message"),
    [
        ({"Status": "429"}, 429, 20429, "Too many requests"),
        ({"Status": "500"}, 500, 20500, "Internal Server Error"),
        ({"Status": "503"}, 503, 20503, "Service unavailable"),
        ({"Status": "404"}, 404, 20404, "The requested resource /Users/a was not found"),
        ({"Status": "401"}, 401, 20003, "Authenticate"),
        ({"Status": "400"}, 400, 20001, "The fault FA1 answered."),
        ({"Status": "422"}, 422, 20001, "The fault FA1 answered."),
        ({"Status": "504", "Name": "proxy"}, 504, 20500, "The fault proxy answered."),
        ({"Code": "50063"}, 429, 50063, None),
        ({"Code": "20404", "Status": "410"}, 410, 20404, None),
        ({"Code": "30003", "Status": "400"}, 400, 30003, None),
        ({"Code": "20001"}, 400, 20001, "Missing required parameter name in the post body"),
    ],
)
def test_a_status_and_a_code_complete_each_other(
    form: dict[str, str], status: int, code: int, message: str | None
) -> None:
    error = error_of(_fault(**form), "/Users/a")

    assert (error.status, error.code) == (status, code)
    assert message in {None, error.message}
    assert error.headers["Parlour-Fault"] == form.get("Name", "FA1")
    assert ("Retry-After" in error.headers) is (status in {429, 503})


def test_delays_are_limited_in_number_and_end_for_one_account() -> None:
    async def scenario() -> None:
        delays = Delays()
        waiting = [
            asyncio.ensure_future(delays.wait(ALICE if number % 2 else BOB, 60_000, "work"))
            for number in range(limits.FAULT_DELAYS_MAX)
        ]
        await asyncio.sleep(0)
        assert len(delays) == limits.FAULT_DELAYS_MAX
        assert await delays.wait(ALICE, 60_000) is True, "beyond the limit there is no delay"

        delays.forget(ALICE)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(delays) == limits.FAULT_DELAYS_MAX // 2
        assert {work.account_sid for work in delays.open_work()} == {BOB}
        delays.forget(None)
        assert set(await asyncio.gather(*waiting)) == {False}
        assert len(delays) == 0
        assert await delays.wait(ALICE, 1) is True

    asyncio.run(scenario())


class _Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return 5

    def is_closing(self) -> bool:
        return False


def test_held_frames_are_counted_and_written_in_order() -> None:
    real: Any = _Transport()
    held = HeldTransport(real)
    for data in (b"one", b"two"):
        held.write(data)
    assert (real.written, held.get_write_buffer_size()) == ([], 11)
    assert held.is_closing() is False

    held.end()
    held.write(b"three")
    assert real.written == [b"one", b"two", b"three"]


def test_too_many_held_bytes_are_written_and_discarded_ones_are_not() -> None:
    real: Any = _Transport()
    held = HeldTransport(real)
    held.write(b"dropped")
    held.discard()
    held.write(b"x" * limits.FAULT_HELD_BYTES_MAX)
    assert real.written == []
    held.write(b"y")
    assert [len(each) for each in real.written] == [limits.FAULT_HELD_BYTES_MAX, 1]
