"""Untrusted backups: a restore creates exactly their files, or rejects them and leaves nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parlour.cli import main
from parlour.cli.backup import layout_of
from parlour.cli.local_store import LocalStore
from parlour.config import Settings
from parlour.store.maintenance.backup_sources import BackupError, FolderSource
from tests.support.offline_writes import OfflineWrites

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

ACCOUNT = "AC" + "0" * 32
MEDIUM = f"media/{ACCOUNT}/ab/MEab" + "0" * 30
CANARY = b"what a restore must not read"
NOT_RESTORED = {"backup.json", "SHA256SUMS"}
SECONDS_MAX = 60
INHERITED = [name for name in os.environ if name.startswith("PARLOUR_")]

Files = dict[str, bytes]


def _run(*arguments: str) -> Result:
    return CliRunner(env=dict.fromkeys(INHERITED)).invoke(main.main, arguments)


def _sums(files: Files) -> bytes:
    """Return checksums, as an attacker who changes a backup would write them."""
    listed = sorted((name, body) for name, body in files.items() if name != "SHA256SUMS")
    return b"".join(
        f"{hashlib.sha256(body).hexdigest()}  {name}\n".encode() for name, body in listed
    )


@pytest.fixture(scope="module")
def honest() -> Files:
    """Return the files of a valid backup with its key and one medium."""
    with tempfile.TemporaryDirectory() as folder:
        data, target = Path(folder, "data"), Path(folder, "b")
        LocalStore(Settings(data=data), creates=True).write(_nothing)
        OfflineWrites(data, "").make_account()
        assert _run("backup", str(target), "--with-key", "--data", str(data)).exit_code == 0
        files = {
            path.relative_to(target).as_posix(): path.read_bytes()
            for path in target.rglob("*")
            if path.is_file()
        }
    files[MEDIUM] = b"a picture"
    return files | {"SHA256SUMS": _sums(files)}


async def _nothing(_tx: object) -> None:
    """Change nothing: the database is there then."""


class RestoreTarget:
    """The target of one restore, next to an unrelated file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.canary = folder / "outside" / "secret"
        self.canary.parent.mkdir(parents=True)
        self.canary.write_bytes(CANARY)
        self.data = folder / "new" / "data"

    def write(self, files: Files) -> Path:
        """Write a backup folder and return its path."""
        backup = self.folder / "b"
        for name, body in files.items():
            path = backup / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(body)
        return backup

    def check(self, done: Result, honest: Files, before: set[Path]) -> bool:
        """Return whether it was restored: exactly, or without leaving anything behind."""
        assert self.canary.read_bytes() == CANARY
        if done.exit_code == 0:
            restored = {
                path.relative_to(self.data).as_posix(): path.read_bytes()
                for path in self.data.rglob("*")
                if not path.is_dir() or path.is_symlink()
            }
            assert restored == {k: v for k, v in honest.items() if k not in NOT_RESTORED}
            return True
        assert isinstance(done.exception, SystemExit), done.exception
        assert set(self.folder.rglob("*")) == before, done.output
        return False

    def restore(self, backup: Path, honest: Files) -> bool:
        """Restore in this process; return whether it succeeded."""
        before = set(self.folder.rglob("*"))
        done = _run("restore", str(backup), "--data", str(self.data))
        return self.check(done, honest, before)


@pytest.fixture
def place(tmp_path: Path) -> RestoreTarget:
    """Return an empty target."""
    return RestoreTarget(tmp_path)


def _link_to(name: str) -> Callable[[Path, Path], None]:
    """Replace a file by a link to the same content."""

    def change(backup: Path, outside: Path) -> None:
        moved = outside / "moved"
        (backup / name).rename(moved)
        (backup / name).symlink_to(moved)

    return change


def _fifo_at(name: str) -> Callable[[Path, Path], None]:
    def change(backup: Path, _outside: Path) -> None:
        path = backup / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        os.mkfifo(path)

    return change


def _socket_at(name: str) -> Callable[[Path, Path], None]:
    def change(backup: Path, outside: Path) -> None:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(outside / "s"))
        (outside / "s").rename(backup / name)

    return change


def _file_at(name: str) -> Callable[[Path, Path], None]:
    def change(backup: Path, _outside: Path) -> None:
        path = backup / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"more")
        _with_sums_of(backup)

    return change


def _with_sums_of(backup: Path) -> None:
    files = {
        each.relative_to(backup).as_posix(): each.read_bytes()
        for each in backup.rglob("*")
        if each.is_file()
    }
    (backup / "SHA256SUMS").write_bytes(_sums(files))


def _link_past_the_checksums(backup: Path, outside: Path) -> None:
    """Put a link, and checksums that follow it: the files behind it are listed too."""
    _link_to("media")(backup, outside)
    _with_sums_of(backup)


def _other_content(backup: Path, _outside: Path) -> None:
    (backup / MEDIUM).write_bytes(b"b picture")


CHANGES: dict[str, Callable[[Path, Path], None]] = {
    "media are a link": _link_to("media"),
    "media are a link that the checksums leave out": _link_past_the_checksums,
    "a medium has other content": _other_content,
    "an account's media are a link": _link_to(f"media/{ACCOUNT}"),
    "a folder of media is a link": _link_to(f"media/{ACCOUNT}/ab"),
    "a medium is a link": _link_to(MEDIUM),
    "the database is a link": _link_to("parlour.sqlite3"),
    "the key is a link": _link_to("parlour.key"),
    "the manifest is a link": _link_to("backup.json"),
    "the checksums are a link": _link_to("SHA256SUMS"),
    "a socket among the media": _socket_at(f"media/{ACCOUNT}/ab/MEac"),
    "a log next to the database": _file_at("parlour.sqlite3-wal"),
    "a file of another name": _file_at("more"),
    "a file too deep": _file_at(f"media/{ACCOUNT}/ab/cd/MEab"),
    "a file too high": _file_at("media/MEab"),
    "a name that is no medium": _file_at(f"media/{ACCOUNT}/ab/.bashrc"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_folder_with_anything_else_in_it_is_refused(
    place: RestoreTarget, honest: Files, change: Callable[[Path, Path], None]
) -> None:
    backup = place.write(honest)
    change(backup, place.canary.parent)
    assert not place.restore(backup, honest)


@pytest.mark.parametrize(
    "name", ["parlour.sqlite3", "backup.json", f"media/{ACCOUNT}/ab/MEac" + "0" * 30]
)
def test_a_restore_does_not_wait_for_a_fifo(place: RestoreTarget, honest: Files, name: str) -> None:
    backup = place.write(honest)
    _fifo_at(name)(backup, place.folder)
    done = subprocess.run(
        [sys.executable, "-m", "parlour", "restore", str(backup), "--data", str(place.data)],
        stderr=subprocess.PIPE,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 1
    assert "is not a backup" in done.stderr
    assert not place.data.parent.exists()


def test_a_file_replaced_by_a_link_or_a_fifo_after_listing_is_not_read(
    place: RestoreTarget, honest: Files
) -> None:
    backup = place.write(honest)
    source = FolderSource(backup, layout_of(place.data).names)
    assert MEDIUM in source.files()
    (backup / MEDIUM).unlink()
    (backup / MEDIUM).symlink_to(place.canary)
    with pytest.raises(OSError, match="symbolic links"):
        list(source.pieces(MEDIUM))
    (backup / MEDIUM).unlink()
    os.mkfifo(backup / MEDIUM)
    with pytest.raises(BackupError, match="is not a file"):
        list(source.pieces(MEDIUM))


def test_a_good_backup_is_restored_and_may_have_hard_links(
    place: RestoreTarget, honest: Files
) -> None:
    backup = place.write(honest)
    os.link(backup / MEDIUM, place.canary.parent / "kept")
    (backup / "media" / ACCOUNT / "cd").mkdir()
    assert place.restore(backup, honest)
    folders = [path for path in place.data.rglob("*") if path.is_dir()]
    assert {path.stat().st_mode & 0o777 for path in [place.data, *folders]} == {0o700}


def test_a_manifest_of_another_database_is_refused(place: RestoreTarget, honest: Files) -> None:
    manifest = json.loads(honest["backup.json"])
    manifest["position"] += 1
    files = honest | {"backup.json": json.dumps(manifest).encode()}
    assert not place.restore(place.write(files | {"SHA256SUMS": _sums(files)}), honest)


def test_a_manifest_or_checksums_without_end_are_refused(
    place: RestoreTarget, honest: Files
) -> None:
    for name in ("backup.json", "SHA256SUMS"):
        backup = place.write(honest)
        os.truncate(backup / name, 1 << 40)  # A sparse file: it takes no room on the disk.
        assert not place.restore(backup, honest)
        shutil.rmtree(backup)


def test_a_backup_larger_than_the_disk_is_refused_before_it_is_copied(
    place: RestoreTarget, honest: Files
) -> None:
    backup = place.write(honest)
    os.truncate(backup / MEDIUM, 1 << 43)
    done = _run("restore", str(backup), "--data", str(place.data))
    assert "bytes are needed in" in done.output
    assert not place.data.parent.exists()


# --- Packed ------------------------------------------------------------------------------------

HONEST_NAMES = ["backup.json", "SHA256SUMS", "parlour.sqlite3", "parlour.key", MEDIUM]
NAMES = [
    *(f"b/{name}" for name in HONEST_NAMES),
    "../evil",
    "/evil",
    "b/../../evil",
    "b/media/../../../evil",
    f"b/media/{ACCOUNT}/ab/../../../../../evil",
    "b",
    "b/media",
    f"b/media/{ACCOUNT}",
    f"b/media/{ACCOUNT}/cd",
    f"b/media/{ACCOUNT}/cd/ME",
    "c/backup.json",
    "./b/parlour.key",
    "b//parlour.key",
    "b/parlour.sqlite3-wal",
    "b/" + "ä" * 300,
    "",
]
TYPES = [
    tarfile.REGTYPE,
    tarfile.AREGTYPE,
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
    tarfile.CONTTYPE,
    tarfile.GNUTYPE_SPARSE,
    b"Z",
]
NO_HEADERS: dict[str, str] = {}
LINKS = ["b/parlour.key", "../outside/secret", "/etc/hostname", "..", "media"]

added = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(TYPES),
    st.sampled_from(LINKS),
    st.sampled_from([b"", b"more", CANARY]),
    st.integers(0, 6),
    st.sampled_from([{}, {"size": "-512"}, {"path": "b/parlour.key"}, {"size": "99999999999"}]),
)


def _packed(files: Files, more: list[tuple[str, bytes, str, bytes, int, dict[str, str]]]) -> bytes:
    members = [(f"b/{name}", tarfile.REGTYPE, "", body, {}) for name, body in files.items()]
    for name, kind, link, body, where, headers in more:
        members.insert(where, (name, kind, link, body, headers))
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, kind, link, body, headers in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.pax_headers = kind, link, headers
            member.size = len(body) if kind in tarfile.REGULAR_TYPES else 0
            archive.addfile(member, io.BytesIO(body))
    return file.getvalue()


def _restored_packed(content: bytes, honest: Files) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        place = RestoreTarget(Path(folder))
        packed = place.folder / "b.tar"
        packed.write_bytes(content)
        return place.restore(packed, honest)


def test_a_good_archive_is_restored(honest: Files) -> None:
    assert _restored_packed(_packed(honest, []), honest)


@pytest.mark.parametrize("kind", TYPES[2:6] + TYPES[7:])
def test_an_archive_with_a_special_file_is_rejected(honest: Files, kind: bytes) -> None:
    for link in LINKS:
        last = f"b/media/{ACCOUNT}/cd/ME"
        assert not _restored_packed(_packed(honest, [(last, kind, link, b"", 9, {})]), honest)


@pytest.mark.parametrize("name", NAMES[:9])
def test_an_archive_with_a_name_twice_or_outside_is_refused(honest: Files, name: str) -> None:
    assert not _restored_packed(
        _packed(honest, [(name, tarfile.REGTYPE, "", b"more", 9, {})]), honest
    )


def test_an_archive_with_a_file_twice_is_refused_though_both_are_the_same(honest: Files) -> None:
    again = (f"b/{MEDIUM}", tarfile.REGTYPE, "", honest[MEDIUM], 9, NO_HEADERS)
    assert not _restored_packed(_packed(honest, [again]), honest)


def test_a_compressed_archive_is_refused(honest: Files) -> None:
    import gzip  # noqa: PLC0415 - of one test.

    assert not _restored_packed(gzip.compress(_packed(honest, [])), honest)


def test_an_archive_of_headers_without_end_is_refused(honest: Files) -> None:
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 1 << 40
    assert not _restored_packed(header.tobuf() + _packed(honest, []), honest)
    header.size = 0
    assert not _restored_packed(header.tobuf() * 5_000 + _packed(honest, []), honest)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(more=st.lists(added, max_size=3), data=st.data())
def test_an_archive_is_restored_exactly_or_not_at_all(
    honest: Files,
    more: list[tuple[str, bytes, str, bytes, int, dict[str, str]]],
    data: st.DataObject,
) -> None:
    content = bytearray(_packed(honest, more))
    # In the headers of the members, where a byte matters most; the bodies have checksums.
    heads = [at for at in range(0, len(content), 512) if content[at + 257 : at + 262] == b"ustar"]
    flips = data.draw(
        st.lists(
            st.tuples(st.sampled_from(heads), st.integers(0, 511), st.integers(0, 255)), max_size=2
        )
    )
    for head, offset, value in flips:
        content[head + offset] = value
        block = bytearray(content[head : head + 512])
        block[148:156] = b" " * 8
        content[head + 148 : head + 156] = b"%06o\0 " % sum(block)
    end = data.draw(st.sampled_from([None, None, -512, len(content) // 2, 700]))
    _restored_packed(bytes(content[:end]), honest)
