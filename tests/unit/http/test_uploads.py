"""A failed upload leaves no file; one with an unknown outcome is checked later."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.http.messages import Request
from parlour.http.uploads import Uploads
from parlour.operations.audit import NO_TRAIL
from parlour.operations.call import Call
from parlour.operations.caller import Caller
from parlour.protocol.header_block import HeaderBlock
from parlour.resources.media.garbage_collection import MediaGarbageCollector
from parlour.resources.table import operations
from parlour.store.blobs import DiskBlobStore
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.scope import Scope
from tests.support.in_process_requests import RecordedExchange

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.operations.scheduler import Job

SCOPE = Scope("AC" + "0" * 32, "IS" + "0" * 32)
LONG_AFTER_MS = 10**14


class BrokenStore:
    """A store in which nothing can be looked up, and every change fails alike."""

    def __init__(self, failure: BaseException) -> None:
        self._failure = failure

    async def read(self, _work: object, **_more: object) -> set[str]:
        """Nothing."""
        return set()

    async def write(self, _work: object, _origin: object = None, **_more: object) -> None:
        """Fail."""
        raise self._failure


def request() -> Request:
    """An upload of three bytes."""
    return Request("POST", "/", b"", HeaderBlock({}), RecordedExchange(b"abc"))


def upload_call() -> Call[Any]:
    """A call of CreateMedia by the account."""
    return Call(
        operation=next(each for each in operations() if each.operation_id == "CreateMedia"),
        caller=Caller(SCOPE.account_sid, SCOPE.account_sid),
        path={},
        resource="/",
        form={},
        scope=SCOPE,
    )


def media_sweep(blobs: DiskBlobStore, clock: FakeClock) -> Job:
    jobs = MediaGarbageCollector(blobs, clock).jobs()
    return next(job for job in jobs if job.name == "media_sweep")


def upload_into(folder: Path, failure: BaseException) -> int:
    """Return the files left by an upload whose row fails this way, and after a later check."""

    async def run_scenario() -> tuple[int, int]:
        blobs = DiskBlobStore(folder)
        store: Any = BrokenStore(failure)
        uploads = Uploads(store, blobs, FakeClock(), SystemRandom(), NO_TRAIL)
        with pytest.raises(type(failure)):
            await uploads.store(request(), upload_call())
        left = count(folder)
        clock = FakeClock(LONG_AFTER_MS)
        sweep = media_sweep(blobs, clock)
        # The files look old, as if the clock was set forward during the upload.
        for _ in range(2):
            await sweep.run(store)
            assert count(folder) == left
            clock.advance(limits.MEDIA_ORPHAN_MS // 2)
        await sweep.run(store)
        await blobs.close()
        return left, count(folder)

    left, later = asyncio.run(run_scenario())
    assert later == 0
    return left


def count(folder: Path) -> int:
    return len([path for path in folder.rglob("*") if path.is_file()])


@pytest.mark.parametrize("failure", [ApiError(20404, path="/x"), ApiError(20429), Busy()])
def test_a_file_is_removed_with_its_rejected_row(tmp_path: Path, failure: Exception) -> None:
    assert upload_into(tmp_path, failure) == 0


@pytest.mark.parametrize("failure", [Unavailable("lost"), asyncio.CancelledError()])
def test_a_file_stays_while_the_outcome_of_its_row_is_unknown(
    tmp_path: Path, failure: BaseException
) -> None:
    # Under its own name and under its first one.
    assert upload_into(tmp_path, failure) == 2


def test_the_longest_upload_has_the_time_of_the_slowest_rate() -> None:
    slowest = limits.MEDIA_BYTES_MAX / limits.UPLOAD_BYTES_PER_SECOND_MIN
    assert slowest + limits.UPLOAD_GRACE_SECONDS - 1 <= limits.UPLOAD_SECONDS_MAX
