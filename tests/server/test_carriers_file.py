"""The carriers file at the start of a server, and in the doctor."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from parlour.cli import serve
from parlour.cli.main import main
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from click.testing import Result

ACCOUNT = "AC" + "1" * 32
KANNEL = """
[carriers.gateway]
type = "kannel"
sendsms_url = "http://127.0.0.1:9/cgi-bin/sendsms"
username = "parlour"
password = { env = "KANNEL_PASSWORD" }
callback_token = { file = "callback-token" }
"""
NUMBERS = f"""
[[numbers]]
addresses = ["+15550100001", "12345", "whatsapp:+15550100001"]
account = "{ACCOUNT}"
"""


def route(kind: str, pattern: str, carrier: str = "gateway") -> str:
    return f'\n[[routes]]\n{kind} = "{pattern}"\ncarrier = "{carrier}"\n'


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An own folder; a file without an error would start a server that runs until a signal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KANNEL_PASSWORD", "hush")
    (tmp_path / "callback-token").write_text("0123456789abcdef0123456789abcdef\n")

    def started(*_: object, **__: object) -> None:
        raise AssertionError("the server was started")

    monkeypatch.setattr(serve, "run", started)
    return tmp_path


def run(command: str, text: str, *arguments: str, **environment: str | None) -> Result:
    path = Path("carriers.toml")
    path.write_text(text)
    path.chmod(0o600)
    inherited = dict.fromkeys(each for each in os.environ if each.startswith("PARLOUR_"))
    return CliRunner().invoke(
        main, [command, "--carriers", "carriers.toml", *arguments], env=inherited | environment
    )


def findings(text: str, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit status of the doctor, and its findings about carriers."""
    result = run("doctor", text, "--json", *arguments)
    found = [json.loads(line) for line in result.output.splitlines()]
    words = ("carrier", "route", "other users, and may")
    return result.exit_code, [each for each in found if any(word in each["what"] for word in words)]


@pytest.mark.parametrize("command", ["serve", "doctor"])
def test_an_error_in_the_file_is_reported_with_its_line_and_exit_status_2(command: str) -> None:
    text = KANNEL + route("prefix", "+1", "gate") + route("channel", "mms")
    result = run(command, text)
    start = "Error: carriers.toml:"
    assert result.exit_code == 2
    assert result.output == (
        f"{start}11: there is no carrier 'gate'; the carriers are gateway, virtual.\n"
        f"{start}14: unknown channel 'mms'; the channels are sms, whatsapp, messenger, rcs, gbm, "
        "apple, email and *.\n"
    )
    assert not Path(".parlour").exists()


DIGITS = "9" * 5_000


@pytest.mark.parametrize("command", ["serve", "doctor"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("[" * 5_000 + "]" * 5_000, "deep", id="arrays"),
        pytest.param("[" * 5_000, "deep", id="unclosed arrays"),
        pytest.param("{ a = " * 5_000 + "1" + "}" * 5_000, "deep", id="tables"),
        pytest.param("[" * 100 + "]" * 100, "deep", id="arrays that the parser accepts"),
        pytest.param(f"1\n{'a.' * 3_000}a = 1", "deep", id="dotted key"),
        pytest.param(f"1\n[{'a.' * 100}a]", "deep", id="header"),
        pytest.param(DIGITS, "a number has too many digits", id="digits"),
        pytest.param("_".join(DIGITS), "a number has too many digits", id="separated digits"),
        pytest.param("[1979-05-27, 07:32:60]", "not valid TOML: Unclosed array", id="time"),
    ],
)
def test_each_exception_of_the_parser_is_reported_with_file_and_line(
    command: str, value: str, expected: str
) -> None:
    result = run(command, f"{KANNEL}\nextra = {value}\n")
    line = 10 if "1\n" in value else 9
    most = limits.CARRIERS_FILE_DEPTH_MAX
    text = f"values are nested more than {most} levels deep" if expected == "deep" else expected
    assert result.output == f"Error: carriers.toml:{line}: {text}.\n"
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"#\n" * limits.CARRIERS_FILE_BYTES_MAX, " the file is larger than 4194304 bytes"),
        (b"# comment\nname = '\xff'", "2: the text is not UTF-8"),
    ],
    ids=["large", "no UTF-8"],
)
def test_a_file_that_cannot_be_decoded_is_reported_with_its_name(
    content: bytes, expected: str
) -> None:
    path = Path("carriers.toml")
    path.write_bytes(content)
    result = CliRunner().invoke(main, ["serve", "--carriers", "carriers.toml"])
    assert (result.exit_code, result.output) == (2, f"Error: carriers.toml:{expected}.\n")


def test_a_missing_secret_is_reported_with_the_name_of_its_variable() -> None:
    result = run("serve", KANNEL, KANNEL_PASSWORD=None)
    assert result.exit_code == 2
    assert result.output == (
        "Error: carriers.toml:6: password: the environment variable KANNEL_PASSWORD is not set.\n"
    )


def test_a_file_that_does_not_exist_is_an_error_of_the_settings() -> None:
    result = CliRunner().invoke(main, ["serve"], env={"PARLOUR_CARRIERS": "absent.toml"})
    assert (result.exit_code, result.output) == (
        2,
        "Error: absent.toml: No such file or directory.\n",
    )


def test_a_correct_file_lets_the_server_start() -> None:
    result = run("serve", KANNEL + NUMBERS + route("channel", "*"))
    assert str(result.exception) == "the server was started"


def test_the_doctor_reports_a_link_that_cannot_be_opened() -> None:
    status, found = findings(KANNEL + route("channel", "sms"))
    assert status == 1
    callbacks, finding = sorted(found, key=lambda each: bool(each["unsafe"]))
    assert finding["unsafe"]
    assert finding["what"] == (
        "The carrier gateway (kannel) is not connected: gateway: 11205: no connection "
        "(ConnectionRefusedError)."
    )
    assert callbacks["what"].startswith("There is no public URL: the carrier gateway (kannel)")
    assert "carriers.toml:2" in finding["do"]
    assert "hush" not in json.dumps(found)


def test_the_doctor_reports_numbers_whose_messages_would_fail() -> None:
    public = ("--public-url", "https://chat.example.net")
    _, found = findings(KANNEL + NUMBERS + route("prefix", "+1") + route("channel", "*"), *public)
    _, wrong = found
    assert wrong["what"] == (
        "whatsapp:+15550100001 is routed to gateway, which does not carry whatsapp."
    )
    _, found = findings(KANNEL + NUMBERS + route("prefix", "+1"), *public)
    _, missing = found
    assert missing["what"] == (
        "No route covers the number 12345 and 1 other: messages from there fail with 63007."
    )
    assert not missing["unsafe"]


def test_the_doctor_reports_a_route_that_covers_no_number() -> None:
    routes = (
        route("prefix", "1555", "virtual")
        + route("sender", "+15550100009", "virtual")
        + route("prefix", "+1555", "virtual")
        + route("channel", "*", "virtual")
    )
    status, found = findings(NUMBERS + routes)
    assert status == 0
    assert [each["what"] for each in found] == [
        "The route of the prefix 1555 to virtual covers none of the numbers.",
        "The route of the sender +15550100009 to virtual covers none of the numbers.",
    ]
    assert findings(routes) == (0, [])


def test_the_doctor_reports_a_file_that_others_can_read() -> None:
    Path("open.toml").write_text(route("channel", "*", "virtual"))
    Path("open.toml").chmod(0o644)
    status, found = findings(route("channel", "*", "virtual"), "--carriers", "open.toml")
    (finding,) = found
    assert "chmod 600 open.toml" in finding["do"]
    assert status == 0


def test_the_doctor_reports_owners_that_are_no_active_accounts() -> None:
    created = CliRunner().invoke(main, ["account", "create", "--data", ".", "--json"])
    sid = json.loads(created.output.splitlines()[0])["account_sid"]
    text = NUMBERS + route("channel", "*", "virtual")

    def found(owner: str) -> list[str]:
        shown = findings(text.replace(ACCOUNT, owner), "--data", ".")[1]
        return [each["what"] for each in shown]

    start = "which owns numbers of the carriers file,"
    assert found(ACCOUNT) == [f"The account {ACCOUNT}, {start} does not exist."]
    assert found(sid) == []
    assert (
        CliRunner().invoke(main, ["account", "status", sid, "suspended", "--data", "."]).exit_code
        == 0
    )
    assert found(sid) == [f"The account {sid}, {start} is suspended."]


def test_the_doctor_has_no_finding_about_a_file_without_networks() -> None:
    assert findings(NUMBERS + route("channel", "*", "virtual")) == (0, [])
