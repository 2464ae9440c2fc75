"""The commands of a server's data in test mode: reset, snapshots, seeds, and the journal."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.server import Server
from tests.testmode.command_runs import EMBEDDED, NO_ACCOUNT, CommandRuns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


SEED = """
parlour: 1
conversations:
  - key: order
    unique_name: ${ORDER}
    participants:
      - {identity: alice}
    messages:
      - {author: alice, body: Hello}
"""
OF_THE_START = """
parlour: 1
conversations: [{key: first, unique_name: from-the-start}]
"""
WRONG = """
parlour: 1
conversations:
  - {key: order, unique_nam: order-4711}
"""


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandRuns]:
    """Commands that use one server in test mode."""
    folder = tmp_path_factory.mktemp("data-commands")
    (folder / "start.yaml").write_text(OF_THE_START)
    arguments = ("--test", "--seed", str(folder / "start.yaml"))
    with Server(folder / "data", NO_ACCOUNT | EMBEDDED, args=arguments) as running:
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


def test_a_reset_loads_the_seeds_of_the_start_again(commands: CommandRuns) -> None:
    assert names(commands) == []
    for scope in ((), ("--server",)):
        add(commands, "another")
        commands.text("reset", "--reload-seed", *scope)
        assert names(commands) == ["from-the-start"]


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
    assert commands.rows("snapshot", "delete", "before") == [{"deleted": "before"}]
    commands.text("snapshot", "delete", "whole")
    assert commands.text("snapshot", "list") == ""
    assert "status 404" in commands.error("snapshot", "restore", "before")


# --- Seeds ----------------------------------------------------------------------------------------


def test_a_seed_is_checked_loaded_and_exported(commands: CommandRuns, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SEED)
    for verb in ("check", "load"):
        failed = commands.run("seed", verb, str(file))
        assert (failed.exit_code, "ORDER" in failed.stderr) == (1, True)
    checked = commands.run("seed", "check", str(file), ORDER="order-4711", PARLOUR_URL=None)
    assert (checked.exit_code, checked.stdout) == (0, f"{file} is valid.\n")
    shown = commands.run("seed", "check", str(file), "--json", ORDER="order-4711")
    assert json.loads(shown.stdout) == {"file": str(file), "valid": True}
    loaded = commands.run("seed", "load", str(file), ORDER="order-4711")
    assert loaded.exit_code == 0, loaded.output
    keys = [line.split("  ")[1] for line in loaded.stdout.splitlines()]
    assert "conversations.order" in keys
    assert names(commands) == ["order-4711"]
    again = commands.run("seed", "load", str(file), ORDER="order-4711")
    assert again.exit_code == 1


def test_an_export_is_a_seed_that_gives_the_same_export(
    commands: CommandRuns, tmp_path: Path
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SEED.replace("${ORDER}", "order-4711"))
    [loaded] = commands.rows("seed", "load", str(file))
    assert loaded["sids"]["conversations.order"].startswith("CH")
    exported = commands.text("seed", "export")
    file.write_text(exported)
    commands.text("reset")
    commands.text("seed", "load", str(file))
    assert commands.text("seed", "export") == exported
    other = tmp_path / "shop.json"
    commands.text("seed", "export", str(other), "--sids")
    assert '"CH' in other.read_text()
    assert json.loads(commands.text("seed", "export", "--json"))["parlour"] == 1
    into_a_folder_that_is_missing = str(tmp_path / "none" / "shop.json")
    assert "cannot be written" in commands.error("seed", "export", into_a_folder_that_is_missing)


def test_a_wrong_seed_is_refused_with_the_path_offline_too(
    commands: CommandRuns, tmp_path: Path
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(WRONG)
    for verb in ("check", "load"):
        error = commands.error("seed", verb, str(file))
        assert "conversations[0]" in error
        assert "unique_name" in error
    file.write_bytes(b"\xff")
    for verb in ("check", "load"):
        assert "UTF-8" in commands.error("seed", verb, str(file))


# --- The journal ----------------------------------------------------------------------------------


def test_requests_are_shown_the_newest_last(commands: CommandRuns) -> None:
    add(commands, "one")
    commands.api.post("/v1/Users", {"Identity": ""})
    lines = commands.text("requests").splitlines()
    assert "  201  POST    /v1/Conversations  " in lines[0]
    assert lines[0].endswith(" ms  (CreateConversation)")
    assert "  400 20001  POST    /v1/Users  " in lines[1]
    [refused] = commands.rows("requests", "--status", "400", "--operation", "CreateUser")
    assert refused["code"] == 20001
    assert commands.rows("requests", "--limit", "1")[0]["sid"] == refused["sid"]
    assert commands.rows("requests", "--source", "sdk") == []


def test_requests_are_followed_in_order_and_each_is_shown_once(
    commands: CommandRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(commands, "before")
    shown: list[str] = []
    senders: list[threading.Thread] = []

    class EnoughRequestsShownError(Exception):
        """The interrupt of the terminal, once enough is shown."""

    def call() -> None:
        for name in ("0", "1", "2"):
            commands.api.get(f"/v1/Conversations/follow-{name}")

    def show(text: str) -> None:
        shown.append(text)
        if len(shown) == 1:
            senders.append(threading.Thread(target=call))
            senders[0].start()
        if len(shown) == 4:
            raise EnoughRequestsShownError

    with monkeypatch.context() as patched:
        patched.setattr("parlour.cli.requests.click.echo", show)
        result = commands.run("requests", "--follow")
    for sender in senders:
        sender.join()
    assert isinstance(result.exception, EnoughRequestsShownError), result.output
    paths = [line.split()[4] for line in shown]
    assert paths[1:] == [f"/v1/Conversations/follow-{name}" for name in ("0", "1", "2")]
