"""Blobs on the local disk: written atomically, and never to a path that a client chose."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

import parlour.store.blobs
from parlour.store.blobs import BlobKey, DiskBlobStore
from parlour.store.transaction import Unavailable, in_transaction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Scenario = Callable[[DiskBlobStore], Awaitable[None]]
    ScenarioRunner = Callable[[Scenario], None]

NAME = BlobKey("AC" + "1" * 32, "ME" + "a" * 32)
OTHER = BlobKey("AC" + "1" * 32, "MEab" + "c" * 30)
LATER_MS = 10**14


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the blobs are."""
    return tmp_path / "media"


@pytest.fixture
def run_scenario(folder: Path) -> ScenarioRunner:
    """Runs a scenario on a place for blobs."""

    def run(scenario: Scenario) -> None:
        async def run_scenario() -> None:
            blobs = DiskBlobStore(folder)
            try:
                await scenario(blobs)
            finally:
                await blobs.close()

        asyncio.run(run_scenario())

    return run


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def content(blobs: DiskBlobStore, name: BlobKey, first: int = 0, count: int = -1) -> bytes:
    blob = await blobs.open(name)
    assert blob is not None
    pieces = [piece async for piece in blob.pieces(first, blob.size if count < 0 else count)]
    await blob.close()
    return b"".join(pieces)


async def keep(blobs: DiskBlobStore, name: BlobKey, *pieces: bytes) -> None:
    blob = await blobs.create(name)
    for piece in pieces:
        await blob.write(piece)
    await blob.persist()


def test_blob_can_be_opened_once_it_is_persisted(
    run_scenario: ScenarioRunner, folder: Path
) -> None:
    first, own = f"incoming/{'.'.join(NAME)}", f"{NAME.account_sid}/aa/{NAME.sid}"

    async def scenario(blobs: DiskBlobStore) -> None:
        blob = await blobs.create(NAME)
        await blob.write(b"one ")
        await blob.write(b"two")
        assert blob.size == 7
        assert await blobs.open(NAME) is None
        assert files(folder) == {first}
        await blob.persist()
        assert await content(blobs, NAME) == b"one two"
        assert files(folder) == {first, own}
        await blobs.mark_committed(NAME)
        await blobs.mark_committed(NAME)
        assert files(folder) == {own}
        await blobs.remove(NAME)
        await blobs.remove(NAME)
        assert files(folder) == set()
        assert await blobs.open(NAME) is None

    run_scenario(scenario)


def test_large_blob_is_written_and_read_in_chunks(run_scenario: ScenarioRunner) -> None:
    whole = os.urandom(1_000_003)

    async def scenario(blobs: DiskBlobStore) -> None:
        await keep(blobs, NAME, *(whole[at : at + 70_001] for at in range(0, len(whole), 70_001)))
        blob = await blobs.open(NAME)
        assert blob is not None
        pieces = [piece async for piece in blob.pieces(0, blob.size)]
        await blob.close()
        assert b"".join(pieces) == whole
        assert max(map(len, pieces)) == 256 * 1024
        assert await content(blobs, NAME, 999_990, 13) == whole[-13:]
        assert await content(blobs, NAME, 5, 0) == b""

    run_scenario(scenario)


def test_discarded_blob_is_removed_in_any_state(run_scenario: ScenarioRunner, folder: Path) -> None:
    async def scenario(blobs: DiskBlobStore) -> None:
        blob = await blobs.create(NAME)
        await blob.write(b"x" * 300_000)
        await blob.discard()
        assert files(folder) == set()
        await blob.discard()
        await blob.write(b"x" * 300_000)  # A thread that comes too late writes nowhere.
        stored = await blobs.create(OTHER)
        await stored.persist()
        await stored.discard()
        assert files(folder) == set()

    run_scenario(scenario)


def test_blob_is_synced_before_the_link_and_the_folders_after_it(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def note(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: object) -> object:
            is_folder = isinstance(arguments[0], int) and stat.S_ISDIR(
                os.fstat(arguments[0]).st_mode
            )
            done.append(f"{name} folder" if is_folder else name)
            return real(*arguments)

        monkeypatch.setattr(parlour.store.blobs.os, name, call)

    async def scenario(blobs: DiskBlobStore) -> None:
        blob = await blobs.create(NAME)
        await blob.write(b"x")
        for name in ("write", "fsync", "link"):
            note(name)
        await blob.persist()

    run_scenario(scenario)
    assert done == ["write", "fsync", "link", *["fsync folder"] * 3]


@pytest.mark.parametrize("call", ["open", "write", "fsync", "link"])
def test_disk_error_raises_unavailable_and_leaves_nothing(
    run_scenario: ScenarioRunner, folder: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    async def scenario(blobs: DiskBlobStore) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(parlour.store.blobs.os, call, full)
            with pytest.raises(Unavailable):
                await one_blob(blobs)
        assert files(folder) == set()

    async def one_blob(blobs: DiskBlobStore) -> None:
        blob = await blobs.create(NAME)
        try:
            await blob.write(b"x")
            await blob.persist()
        except Unavailable:
            await blob.discard()
            raise

    run_scenario(scenario)


def test_blob_that_cannot_be_removed_remains_an_orphan(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(blobs: DiskBlobStore) -> None:
        blob = await blobs.create(NAME)

        def refuse(*_: object) -> None:
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(parlour.store.blobs, "_unlink", refuse)
            await blob.discard()
        assert await blobs.uncommitted(LATER_MS) == [NAME]

    run_scenario(scenario)


def test_uncommitted_are_only_old_markers(run_scenario: ScenarioRunner) -> None:
    async def scenario(blobs: DiskBlobStore) -> None:
        await keep(blobs, NAME, b"kept")
        await keep(blobs, OTHER, b"settled")
        await blobs.mark_committed(OTHER)
        assert await blobs.uncommitted(0) == []
        assert await blobs.uncommitted(LATER_MS) == [NAME]

    run_scenario(scenario)


def test_number_of_uncommitted_blobs_returned_is_bounded(
    run_scenario: ScenarioRunner, folder: Path
) -> None:
    async def scenario(blobs: DiskBlobStore) -> None:
        for number in range(60):
            (folder / "incoming" / f"AC1.ME{number}").touch()
        assert len(await blobs.uncommitted(LATER_MS)) == 50

    run_scenario(scenario)


@pytest.mark.parametrize("sid", ["../x", "a/b", "", "..", "a\0b", "a.b"])
def test_name_that_is_not_a_sid_never_becomes_a_path(
    run_scenario: ScenarioRunner, sid: str
) -> None:
    async def scenario(blobs: DiskBlobStore) -> None:
        for name in (BlobKey(NAME.account_sid, sid), BlobKey(sid, NAME.sid)):
            with pytest.raises(AssertionError):
                await blobs.create(name)

    run_scenario(scenario)


def test_files_have_no_access_for_others(run_scenario: ScenarioRunner, folder: Path) -> None:
    async def scenario(blobs: DiskBlobStore) -> None:
        await keep(blobs, NAME, b"secret")

    run_scenario(scenario)
    for path in (folder, *folder.rglob("*")):
        assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), path


def test_file_operation_inside_a_transaction_fails(run_scenario: ScenarioRunner) -> None:
    async def scenario(blobs: DiskBlobStore) -> None:
        outside = in_transaction.set(True)
        try:
            with pytest.raises(AssertionError):
                await blobs.open(NAME)
        finally:
            in_transaction.reset(outside)

    run_scenario(scenario)


def test_open_reader_continues_after_the_removal(run_scenario: ScenarioRunner) -> None:
    async def scenario(blobs: DiskBlobStore) -> None:
        await keep(blobs, NAME, b"still there")
        blob = await blobs.open(NAME)
        assert blob is not None
        await blobs.remove(NAME)
        assert [piece async for piece in blob.pieces(0, 11)] == [b"still there"]
        await blob.close()

    run_scenario(scenario)
