"""The commands of a server's data in test mode: reset and snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.server import Server
from tests.testmode.command_runs import EMBEDDED, NO_ACCOUNT, CommandRuns

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandRuns]:
    """Commands that use one server in test mode."""
    data = tmp_path_factory.mktemp("data-commands") / "data"
    with Server(data, NO_ACCOUNT | EMBEDDED, args=("--test",)) as running:
        runs = CommandRuns(running)
        yield runs
        runs.api.close()


@pytest.fixture(autouse=True)
def empty(commands: CommandRuns) -> None:
    """Begin with an empty server."""
    commands.text("reset", "--server")


def names(commands: CommandRuns) -> list[str]:
    """Return the names of the conversations."""
    page = commands.api.get("/v1/Conversations").expect(200)
    return sorted(each["unique_name"] for each in page["conversations"])


def add(commands: CommandRuns, name: str) -> None:
    commands.api.post("/v1/Conversations", {"UniqueName": name}).expect(201)


# --- Reset ----------------------------------------------------------------------------------------


def test_a_reset_removes_the_data_of_the_account_or_of_all(commands: CommandRuns) -> None:
    add(commands, "one")
    assert commands.text("reset") == "Reset the account.\n"
    assert names(commands) == []
    commands.text("clock", "freeze", "2100-01-01")
    [result] = commands.rows("reset", "--server", "--random-seed", "7")
    assert result["scope"] == "server"
    assert commands.rows("clock")[0]["mode"] == "system"
    sids = []
    for _ in range(2):
        commands.text("reset", "--server", "--random-seed", "7")
        sids.append(commands.api.post("/v1/Conversations", {}).expect(201)["sid"])
    assert sids[0] == sids[1]


def test_a_reset_of_the_server_needs_the_auth_token(commands: CommandRuns) -> None:
    sid, secret = commands.api_key
    refused = commands.error("reset", "--server", "--account", sid, "--token", secret)
    assert "(error 20403, status 403)" in refused


# --- Snapshots ------------------------------------------------------------------------------------


def test_snapshots_are_saved_restored_listed_and_deleted(commands: CommandRuns) -> None:
    add(commands, "one")
    assert commands.text("snapshot", "save", "before").startswith("before  account  ")
    add(commands, "two")
    assert commands.text("snapshot", "restore", "before").startswith("before  account  ")
    assert names(commands) == ["one"]
    [saved] = commands.rows("snapshot", "save", "whole", "--server")
    assert saved["scope"] == "server"
    listed = commands.rows("snapshot", "list")
    assert sorted(each["name"] for each in listed) == ["before", "whole"]
    assert "(error 20409, status 409)" in commands.error("snapshot", "save", "before")
    for name in ("before", "whole"):
        commands.text("snapshot", "delete", name)
    assert commands.text("snapshot", "list") == ""
    assert "status 404" in commands.error("snapshot", "restore", "before")
