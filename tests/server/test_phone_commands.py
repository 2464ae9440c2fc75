"""`parlour phone`: commands that talk to a running server."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from parlour.cli.main import main
from parlour.cli.server_client import printable
from tests.resources.settings_setup import new_account_api

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

    from tests.support.client import Api
    from tests.support.server import Server

OWN = "+15005550006"
PHONE = "+15558675310"


@pytest.fixture
def own(server: Server) -> Iterator[Api]:
    """An account with its phones, below Parlour's own version."""
    api = new_account_api(server)
    yield api.under("/parlour/v1")
    api.close()


def phone(own: Api, *arguments: str, **environment: str | None) -> Result:
    """Run a command with URL and login in the environment."""
    login = {
        "PARLOUR_URL": own.base_url,
        "PARLOUR_ACCOUNT_SID": own.sid,
        "PARLOUR_AUTH_TOKEN": own.token,
    }
    env = {"PARLOUR_READY_FILE": None, **login, **environment}
    return CliRunner().invoke(main, ["phone", *arguments], env=env)


def lines(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(result)]


def test_set_creates_a_phone_and_changes_it(own: Api) -> None:
    [shown] = lines(
        phone(own, "set", PHONE, "--behaviour", "undeliverable", "--error-code", "30003")
    )
    assert shown == (
        f"{PHONE}  behaviour=undeliverable  error_code=30003  delay_ms=0  receipts=normal"
        "  reads=False"
    )
    [changed] = rows(phone(own, "set", PHONE, "--reads", "--name", "Desk", "--json"))
    assert (changed["behaviour"], changed["reads"], changed["name"]) == (
        "undeliverable",
        True,
        "Desk",
    )
    assert lines(phone(own, "list")) == [f"{PHONE:24} {'sms':10} {'undeliverable 30003':20} Desk"]
    assert rows(phone(own, "list", "--json")) == [changed]


def test_send_shows_the_outcome_and_its_reason(own: Api) -> None:
    [line] = lines(phone(own, "send", PHONE, OWN, "--body", "Hi"))
    assert line.startswith("SM")
    assert "  dropped  " in line
    assert "no open conversation" in line


def test_files_are_sent_with_their_names_and_types(own: Api, tmp_path: Path) -> None:
    picture = tmp_path / "Grüße der Katze.png"
    picture.write_bytes(b"\x89PNG")
    note = tmp_path / "note"
    note.write_bytes(b"meow")
    [sent] = rows(
        phone(
            own,
            "send",
            PHONE,
            OWN,
            "--body",
            "A cat",
            "--media",
            str(picture),
            "--media",
            str(note),
            "--json",
        )
    )
    assert sent["body"] == "A cat"
    assert [(each["content_type"], each["filename"]) for each in sent["media"]] == [
        ("image/png", picture.name),
        ("application/octet-stream", "note"),
    ]
    shown = lines(phone(own, "inbox", PHONE))
    assert shown[1].startswith("    image/png  4 bytes  Grüße der Katze.png  http")


def test_the_inbox_shows_both_directions_in_order(own: Api) -> None:
    other = "+15558675311"
    lines(phone(own, "send", PHONE, OWN, other, "--body", "to\nall"))
    lines(phone(own, "send", other, OWN, "--body", "x" * 161))
    first, second = lines(phone(own, "inbox", other))
    assert first.endswith(f"  <- {PHONE}  to all  (group of 3)")
    assert second.endswith(f"  -> {OWN}  {'x' * 161}  (2 segments GSM-7, dropped)")
    assert [each["body"] for each in rows(phone(own, "inbox", other, "--json"))] == [
        "to\nall",
        "x" * 161,
    ]


def test_an_inbox_is_followed(own: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    arrived = threading.Event()

    class EnoughShownError(Exception):
        """The terminal's interrupt, once enough is shown."""

    def show(text: str) -> None:
        shown.append(text)
        arrived.set()
        if len(shown) == 4:
            raise EnoughShownError

    monkeypatch.setattr("parlour.cli.phone.click.echo", show)

    def send() -> None:
        for body in ("0", "1", "2", "3"):
            own.post(f"/VirtualPhones/{PHONE}/Messages", To=OWN, Body=body).expect(201)
            # The first is shown before the next is sent.
            arrived.wait(30)

    sender = threading.Thread(target=send)
    sender.start()
    result = phone(own, "inbox", PHONE, "--follow")
    sender.join()
    assert isinstance(result.exception, EnoughShownError)
    assert [line.split()[3] for line in shown] == ["0", "1", "2", "3"]


def test_url_and_login_are_taken_from_the_ready_file(own: Api, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    content = {"url": own.base_url, "account_sid": own.sid, "auth_token": own.token}
    ready.write_text(json.dumps(content))
    cleared = dict.fromkeys(("PARLOUR_URL", "PARLOUR_ACCOUNT_SID", "PARLOUR_AUTH_TOKEN"))
    assert lines(phone(own, "list", "--ready-file", str(ready), **cleared)) == []
    assert lines(phone(own, "list", PARLOUR_READY_FILE=str(ready), **cleared)) == []
    result = phone(own, "list", "--ready-file", str(tmp_path / "none"), **cleared)
    assert (result.exit_code, "cannot be read" in result.stderr) == (1, True)


def test_a_command_without_a_login_names_the_options(own: Api) -> None:
    result = phone(own, "list", PARLOUR_ACCOUNT_SID=None, PARLOUR_AUTH_TOKEN=None)
    assert result.exit_code == 2
    assert "--account-sid and --auth-token" in result.stderr


def test_the_login_may_be_in_the_variables_that_serve_prints(own: Api) -> None:
    cleared = dict.fromkeys(("PARLOUR_ACCOUNT_SID", "PARLOUR_AUTH_TOKEN"))
    printed = {"ACCOUNT_SID": own.sid, "AUTH_TOKEN": own.token}
    assert lines(phone(own, "list", **cleared, **printed)) == []
    others = {"ACCOUNT_SID": "AC" + "0" * 32, "AUTH_TOKEN": "wrong"}
    assert lines(phone(own, "list", **others)) == []


def test_a_ready_file_as_an_option_takes_precedence_over_variables(
    own: Api, tmp_path: Path
) -> None:
    ready = tmp_path / "ready.json"
    content = {"url": own.base_url, "account_sid": own.sid, "auth_token": own.token}
    ready.write_text(json.dumps(content))
    wrong = {"PARLOUR_URL": "http://127.0.0.1:9", "PARLOUR_AUTH_TOKEN": "wrong"}
    assert lines(phone(own, "list", "--ready-file", str(ready), **wrong)) == []
    assert phone(own, "list", PARLOUR_READY_FILE=str(ready), **wrong).exit_code == 1
    token = ("--account-sid", str(own.sid), "--auth-token", "wrong")
    result = phone(own, "list", "--ready-file", str(ready), *token)
    assert "status 401" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "status", "message"),
    [
        (("inbox", PHONE), {}, 1, f"there is no phone {PHONE}: it exists once it"),
        (("list",), {"PARLOUR_AUTH_TOKEN": "wrong"}, 1, "(error 20003, status 401)"),
        (("list",), {"PARLOUR_URL": "http://127.0.0.1:9"}, 1, "; start the server"),
        (("list",), {"PARLOUR_URL": "file:///etc"}, 2, "is no URL of a server"),
        (("set", "nobody", "--reads"), {}, 1, "(error 50407, status 400)"),
        (("set", PHONE, "--delay-ms", "60001"), {}, 2, "not in the range 0<=x<=60000"),
        (("set", PHONE, "--error-code", "5"), {}, 1, "(error 20001, status 400)"),
    ],
)
def test_an_error_is_one_message(
    own: Api, arguments: tuple[str, ...], environment: dict[str, str], status: int, message: str
) -> None:
    result = phone(own, *arguments, **environment)
    assert result.exit_code == status
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_texts_cannot_control_the_terminal() -> None:
    assert printable("a\x1b[31mb\nc\u202ed") == "a\ufffd[31mb c\ufffdd"
