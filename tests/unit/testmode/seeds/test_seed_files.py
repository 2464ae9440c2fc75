"""Seed files: read with their variables, and written whole or not at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.testmode.seeds.files import SeedFileError, SeedFiles, read_seed_file
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from pathlib import Path


class FakeSeeder:
    """Records loads; exports a document, or fails."""

    def __init__(self, exported: Any = None) -> None:
        self.loaded: list[Any] = []
        self.exported = exported

    async def load(self, account_sid: str, seed: Any, *, may_steer: bool) -> None:
        assert may_steer
        self.loaded.append((account_sid, seed.items("users")[0].get("identity")))

    async def export(self, account_sid: str) -> Any:
        del account_sid
        if self.exported is None:
            raise ApiError(20001, "too large")
        return self.exported


def files(seeder: Any, *paths: Path) -> SeedFiles:
    """Return the files of a start with one variable."""
    return SeedFiles(seeder, paths, {"NAME": "alice"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"parlour: 2", "seed.yaml: parlour: the format is 1"),
        (b"parlour: [}", "seed.yaml: line 1: invalid YAML"),
        (b"\xff", "seed.yaml: a seed must be UTF-8"),
        (b"{parlour: 1, users: [{identity: '${OTHER}'}]}", "seed.yaml: variable not set: OTHER"),
        (None, "seed.yaml: No such file or directory"),
    ],
)
def test_a_wrong_file_is_an_error_with_its_name(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "seed.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SeedFileError) as caught:
        read_seed_file(path, {})

    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_files_are_loaded_in_their_order_and_read_once(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.json"
    one.write_text("{parlour: 1, users: [{identity: '${NAME}'}]}")
    two.write_text('{"parlour": 1, "users": [{"identity": "bob"}]}')
    seeder = FakeSeeder()
    of_start = files(seeder, one, two)

    asyncio.run(of_start.load("AC1"))
    one.unlink()
    asyncio.run(of_start.load("AC2"))

    assert seeder.loaded == [("AC1", "alice"), ("AC1", "bob"), ("AC2", "alice"), ("AC2", "bob")]


def test_a_wrong_file_prevents_the_load_of_all(tmp_path: Path) -> None:
    right, wrong = tmp_path / "right.yaml", tmp_path / "wrong.yaml"
    right.write_text("{parlour: 1, users: [{identity: a}]}")
    wrong.write_text("{}")
    seeder = FakeSeeder()

    with pytest.raises(SeedFileError):
        asyncio.run(files(seeder, right, wrong).load("AC1"))

    assert seeder.loaded == []


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", '{\n  "parlour": 1\n}\n'), ("a.yaml", "parlour: 1\n")]
)
def test_an_export_replaces_the_file(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text("previous")

    asyncio.run(files(FakeSeeder({"parlour": 1})).export("AC1", path))

    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("exported", [None, {"parlour": object()}])
def test_an_export_that_fails_leaves_the_previous_file(tmp_path: Path, exported: Any) -> None:
    path = tmp_path / "a.json"
    path.write_text("previous")

    with pytest.raises((SeedFileError, TypeError)):
        asyncio.run(files(FakeSeeder(exported)).export("AC1", path))

    assert path.read_text() == "previous"
    assert list(tmp_path.iterdir()) == [path]


def test_an_export_to_a_missing_folder_is_an_error_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "a.json"

    with pytest.raises(SeedFileError, match="No such file or directory"):
        asyncio.run(files(FakeSeeder({"parlour": 1})).export("AC1", path))
