"""The commands of test mode: clock, faults, triggers, and the events that they cause."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import click
import pytest

from parlour.cli.main import main
from tests.support.server import Server
from tests.testmode.command_runs import EMBEDDED, NO_ACCOUNT, CommandRuns

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandRuns]:
    """Commands that use one server in test mode."""
    data = tmp_path_factory.mktemp("commands") / "data"
    with Server(data, NO_ACCOUNT | EMBEDDED, args=("--test",)) as running:
        runs = CommandRuns(running)
        yield runs
        runs.api.close()


# --- Options --------------------------------------------------------------------------------------


def test_url_and_login_are_options_with_short_names(commands: CommandRuns) -> None:
    given = commands.environment
    options = ["--url", given["PARLOUR_URL"], "--account", given["PARLOUR_ACCOUNT_SID"]]
    options += ["--token", given["PARLOUR_AUTH_TOKEN"]]
    result = commands.run("clock", *map(str, options), **dict.fromkeys(given))
    assert result.exit_code == 0, result.output


def test_a_wrong_login_and_an_api_key_end_with_the_text_of_the_server(
    commands: CommandRuns,
) -> None:
    sid, secret = commands.api_key
    refused = commands.error("clock", "now", "--account", sid, "--token", secret)
    assert "(error 20403, status 403)" in refused
    wrong = commands.error("events", "--token", "wrong")
    given = commands.environment
    login = f"the login {given['PARLOUR_ACCOUNT_SID']} at {given['PARLOUR_URL']}"
    assert f"status 401): check {login}" in wrong


# --- Clock ----------------------------------------------------------------------------------------


def test_the_clock_is_shown_without_a_subcommand(commands: CommandRuns) -> None:
    [shown] = commands.rows("clock")
    assert shown["status"] == "ready"
    assert commands.text("clock").split()[1] == shown["mode"]
    assert commands.rows("clock", "now")[0]["mode"] == shown["mode"]
    assert "advance" in commands.text("clock", "--help")
    assert commands.run("clock", "stop").exit_code == 2


def test_the_clock_is_frozen_and_advanced(commands: CommandRuns) -> None:
    date = "2100-01-05T09:00:00.000Z"
    assert commands.text("clock", "freeze", date).startswith(f"{date}  frozen")
    made = commands.api.post("/v1/Conversations", {"Timers.Inactive": "PT10M"}).expect(201)
    advanced = commands.text("clock", "advance", "PT1H").splitlines()
    assert advanced[-1].startswith("2100-01-05T10:00:00.000Z  ")
    assert any(line.startswith("2100-01-05T09:10:00.000Z  ") for line in advanced[:-1])
    path = f"/v1/Conversations/{made['sid']}"
    assert commands.api.get(path).expect(200)["state"] == "inactive"
    [result] = commands.rows("clock", "advance", "--to", "2100-01-06", "--timeout", "10")
    assert (result["now"], result["settled"]) == ("2100-01-06T00:00:00.000Z", True)
    assert "The clock cannot go back" in commands.error("clock", "freeze", "2100-01-01")
    assert "20001" in commands.error("clock", "advance", "tomorrow")


@pytest.mark.parametrize("arguments", [(), ("PT1M", "--to", "2100-01-07")])
def test_an_advance_has_a_duration_or_a_date(
    commands: CommandRuns, arguments: tuple[str, ...]
) -> None:
    result = commands.run("clock", "advance", *arguments)
    assert result.exit_code == 2
    assert "name a duration, or a date with --to" in result.stderr


# --- Faults ---------------------------------------------------------------------------------------


def test_a_fault_acts_is_listed_and_cleared(commands: CommandRuns) -> None:
    added = commands.text(
        *("fault", "add", "request", "--name", "busy", "--times", "2"),
        *("--set", "Operation=CreateUser", "--set", "Status=429"),
    ).splitlines()
    assert added[0].endswith("request  busy  matched 0, fired 0, 2 left")
    assert {"times=2", "operation=CreateUser", "status=429"} <= set(added[1].split())
    answer = commands.api.post("/v1/Users", {"Identity": "refused"})
    assert (answer.status, answer.headers["Parlour-Fault"]) == (429, "busy")
    [listed] = commands.rows("fault", "list")
    assert (listed["matched"], listed["fired"], listed["left"]) == (1, 1, 1)
    assert commands.text("fault", "list").splitlines()[0].endswith("matched 1, fired 1, 1 left")
    assert commands.rows("fault", "clear", listed["sid"]) == [{"cleared": [listed["sid"]]}]
    assert commands.rows("fault", "list") == []
    commands.text("fault", "add", "webhook", "--times", "0", "--set", "Timeout=true")
    assert "until cleared" in commands.text("fault", "list")
    commands.text("fault", "clear")
    assert commands.text("fault", "list") == ""


def test_an_unknown_fault_is_refused(commands: CommandRuns) -> None:
    assert "status 404" in commands.error("fault", "clear", "FA" + "0" * 32)
    assert "Status" in commands.error("fault", "add", "request", "--set", "Status=9000")
    result = commands.run("fault", "add", "request", "--set", "Status")
    assert (result.exit_code, "not of the form Name=value" in result.stderr) == (2, True)


# --- Triggers and events --------------------------------------------------------------------------


def test_a_trigger_shows_its_objects_and_its_event(commands: CommandRuns) -> None:
    shown = commands.text("trigger", "onMessageAdded", "--set", "Identity=alice").splitlines()
    event, _, number = shown[0].rpartition(" ")
    assert event == "onMessageAdded  event"
    assert [line.split()[0] for line in shown[1:]] == [
        "chat_service_sid",
        "conversation_sid",
        "message_sid",
        "participant_sid",
    ]
    assert [line.endswith("(created)") for line in shown[1:]] == [False, True, False, True]
    message_sid = shown[3].split()[1]
    [found] = [each for each in commands.rows("events") if each["subject_sid"] == message_sid]
    assert (found["sequence"], found["fires_webhooks"]) == (int(number), True)


def test_a_trigger_of_an_unknown_event_names_the_nearest(commands: CommandRuns) -> None:
    error = commands.error("trigger", "onUserAded")
    assert "did you mean onUserAdded?" in error
    assert "(error 20001, status 400)" in error


def test_a_trigger_takes_parameters_of_its_operation_in_strict_mode(
    commands: CommandRuns,
) -> None:
    emulation = commands.api.under("/parlour/v1")
    emulation.post("/Emulation", {"UnknownParameters": "refuse"}).expect(200)
    try:
        assert commands.rows("trigger", "onMessageAdded", "--set", "Body=strict")
        refused = commands.error("trigger", "onMessageAdded", "--set", "Bodi=strict")
    finally:
        emulation.post("/Emulation", {"UnknownParameters": "ignore"}).expect(200)
    assert "Unknown parameter Bodi of onMessageAdded; did you mean Body?" in refused


def test_events_are_filtered_and_read_from_a_cursor(commands: CommandRuns) -> None:
    [first] = commands.rows("trigger", "onUserAdded", "--set", "Identity=bob")
    [second] = commands.rows("trigger", "onConversationAdded", "--set", "FriendlyName=Order 1")
    conversation = second["sids"]["conversation_sid"]
    [found] = commands.rows("events", "--conversation", conversation)
    assert found["parameters"]["FriendlyName"] == "Order 1"
    users = commands.rows("events", "--type", "onUserAdded", "--source", "API")
    cursor = next(
        each["cursor"] for each in users if each["subject_sid"] == first["sids"]["user_sid"]
    )
    following = commands.text("events", "--after", cursor).splitlines()
    assert following[0].split()[1:] == ["onConversationAdded", conversation, "API", "Order", "1"]
    assert commands.rows("events", "--identity", "nobody") == []
    assert "(error 20001, status 400)" in commands.error("events", "--after", "no cursor")


def test_events_are_followed_in_order_and_each_is_shown_once(
    commands: CommandRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = commands.rows("trigger", "onUserAdded", "--set", "Identity=before")[0]["sequence"]
    shown: list[str] = []
    arrived = threading.Event()

    class EnoughEventsShownError(Exception):
        """The interrupt of the terminal, once enough is shown."""

    def show(text: str) -> None:
        shown.append(text)
        arrived.set()
        if len(shown) == 3:
            raise EnoughEventsShownError

    def change() -> None:
        for identity in ("0", "1", "2"):
            fields = {"EventType": "onUserAdded", "Identity": f"follow-{identity}"}
            commands.api.post("/parlour/v1/Triggers", fields).expect(201)
            # The first is shown before the next is made.
            arrived.wait(30)

    monkeypatch.setattr("parlour.cli.events.click.echo", show)
    sender = threading.Thread(target=change)
    sender.start()
    result = commands.run("events", "--follow", "--after", str(last))
    sender.join()
    assert isinstance(result.exception, EnoughEventsShownError), result.output
    assert [line.split()[-1] for line in shown] == ["follow-0", "follow-1", "follow-2"]


# --- All commands ---------------------------------------------------------------------------------


def test_all_commands_that_speak_to_a_server_have_the_same_options() -> None:
    names = ("clock", "fault", "snapshot", "seed", "reset", "trigger", "requests", "events")
    found = [each for name in (*names, "listen", "phone") for each in leaves(main, name)]
    assert len(found) > 20
    for path, command in found:
        flags = {flag for parameter in command.params for flag in parameter.opts}
        assert "--json" in flags, path
        if path != "seed check":  # It needs no server.
            assert {"--url", "--account", "--token", "--ready-file"} <= flags, path


def leaves(group: click.Group, name: str, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield the commands with an action below a name."""
    found = group.get_command(click.Context(group), name)
    assert found is not None
    if isinstance(found, click.Group):
        for each in found.commands:
            yield from leaves(found, each, f"{before}{name} ")
    else:
        yield f"{before}{name}", found
