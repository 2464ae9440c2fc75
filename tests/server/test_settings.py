"""Settings are checked at start: one error each, which names the flag or the variable."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from parlour.cli import serve
from parlour.cli.main import main
from parlour.config import NON_SETTING_VARIABLES, Settings, conflicts, setting_descriptions
from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from click.testing import Result

ACCOUNT, KEY = "AC" + "0" * 32, "SK" + "0" * 32
SECRET = "a secret\n"

# A flag, an invalid value, and what else the error contains.
WRONG = [
    ("--host", "", "must be an address or a host name"),
    ("--host", "http://0.0.0.0", "without a scheme"),
    ("--host", "a..b", "with 1 to 63 characters between its dots"),
    ("--port", "70000", "must be from 0 to 65535"),
    ("--port", "99999", "must be from 0 to 65535"),
    ("--port", "-1", "must be from 0 to 65535"),
    ("--port", "http", "must be a whole number"),
    ("--port", "80_80", "must be a whole number"),
    ("--workers", "0", "must be from 1 to 256"),
    ("--data", "", "must be a path"),
    ("--database", "foo://", "must be postgresql://"),
    ("--database", "postgresql://db:99999/parlour", "ports from 1 to 65535"),
    ("--database", "postgresql://db1:5432,db2:x/parlour", "ports from 1 to 65535"),
    ("--database", "postgresql://db1,a..b/parlour", "with 1 to 63 characters between its dots"),
    ("--database", f"postgresql://db:{'9' * 5000}/parlour", "ports from 1 to 65535"),
    ("--database", "postgresql://[::1/parlour", "IPv6 addresses in brackets"),
    ("--database", "postgresql://db:80:80/parlour", "IPv6 addresses in brackets"),
    ("--database-connections", "0", "must be from 1 to 1000"),
    ("--redis", "foo", "must be redis://host:port"),
    ("--redis", "redis://a..b", "with 1 to 63 characters between its dots"),
    ("--redis", "redis://:70000", "must have a host and, if any, a port"),
    ("--public-url", "foo", "must begin with http:// or https://"),
    ("--public-url", "https://a..b", "with 1 to 63 characters between its dots"),
    ("--public-url", "https://", "must name a host"),
    ("--public-url", "https://chat.example.net/#top", "must not contain spaces, a query"),
    ("--public-url", "https://chat.example.net:0", "must have a port from 1 to 65535"),
    ("--media-url", "foo", "must begin with http:// or https://"),
    ("--webhook-studio-url", "flows.example.net", "must begin with http:// or https://"),
    ("--trusted-proxies", "10.0.0.1/8", "the network is 10.0.0.0/8"),
    ("--trusted-proxies", "10.0.0.0/8 172.16.0.0/12", "is not a network or an address"),
    ("--webhook-allow-list", "10.0.0.1/8", "the network is 10.0.0.0/8"),
    ("--webhook-allow-list", "10.1.0.0/16, not a host", "neither a network nor a host name"),
    ("--account-sid", "AC123", "must be AC and 32 hexadecimal digits"),
    ("--account-sid", KEY, "must be AC and 32 hexadecimal digits"),
    ("--api-key-sid", ACCOUNT, "must be SK and 32 hexadecimal digits"),
    ("--request-log", "foo", "must be all, errors or none"),
    ("--log-format", "xml", "must be auto, json or console"),
    ("--log-level", "foo", "must be debug, info, warning or error"),
    ("--concurrent-requests-max", "0", "must be from 1 to"),
    ("--concurrent-requests-per-account-max", "0", "must be from 1 to"),
    ("--connections-max", "0", "must be from 1 to"),
    ("--connections-max", "-5", "must be from 1 to"),
    ("--connections-per-address-max", "0", "must be from 1 to"),
    ("--buffer-bytes-max", "16777215", "must be from 16777216 to"),
    ("--actions-per-second", "-1", "must be from 0 to"),
    ("--webhook-allow-private", "maybe", "must be auto, yes or no"),
    ("--webhook-check-certificates", "maybe", "must be true or false"),
    ("--webhook-overrides", "2", "must be true or false"),
    ("--console", "maybe", "must be true or false"),
    ("--console-hosts", "chat.example.net:8080", "without ports"),
    ("--console-hosts", "https://chat.example.net", "without a scheme"),
    ("--console-hosts", "a..b", "with 1 to 63 characters between its dots"),
    ("--console-bodies", "maybe", "must be true or false"),
    ("--template-approval", "maybe", "must be auto or manual"),
    ("--webhook-retries", "foo", "must be durable or hosted"),
    ("--webhook-retention-hours", "100000", "must be from 1 to 87840"),
    ("--webhook-retention-hours", "0", "must be from 1 to 87840"),
    ("--test", "maybe", "must be true or false"),
    ("--seed", "", "must be a path"),
    ("--random-seed", "-1", "must be from 0 to"),
    ("--strict", "maybe", "must be true or false"),
    ("--open-accounts", "2", "must be true or false"),
    ("--allow-origin", "shop.example.net", "must begin with http:// or https://"),
    ("--allow-origin", "https://shop.example.net/page", "without a path"),
    ("--exit-with-parent", "maybe", "must be true or false"),
]
# Settings whose value is a secret or the name of a file that need not exist.
OF_ANY_TEXT = {
    "--auth-token",
    "--api-key-secret",
    "--ready-file",
    "--tls-cert",
    "--tls-key",
    "--carriers",
    "--export-on-exit",
}
EACH = {each.flag: each for each in setting_descriptions()}


@pytest.fixture(autouse=True)
def _never_serves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A value that is not rejected would start a server that runs until a signal."""
    monkeypatch.chdir(tmp_path)

    def started(*_: object, **__: object) -> None:
        raise AssertionError("the server was started")

    monkeypatch.setattr(serve, "run", started)
    monkeypatch.setattr(serve, "_run_workers", started)


def _serve(*arguments: str, **environment: str | None) -> Result:
    inherited = dict.fromkeys(each for each in os.environ if each.startswith("PARLOUR_"))
    return CliRunner().invoke(main, ["serve", *arguments], env=inherited | environment)


def _sentences(result: Result) -> list[str]:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    return result.stderr.splitlines()


@pytest.mark.parametrize(("flag", "value", "reason"), WRONG)
def test_a_wrong_value_is_refused_with_a_sentence_that_names_the_flag(
    flag: str, value: str, reason: str
) -> None:
    (sentence,) = _sentences(_serve(flag, value))
    assert sentence.startswith(f"Error: {flag} {value or repr('')}: ")
    assert reason in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("flag", "value", "reason"), [row for row in WRONG if row[1] and row[0] != "--host"]
)
def test_a_wrong_value_of_the_environment_is_refused_by_the_name_of_the_variable(
    flag: str, value: str, reason: str
) -> None:
    variable = EACH[flag].variable
    (sentence,) = _sentences(_serve(**{variable: value}))
    assert sentence.startswith(f"Error: {variable}={value}: ")
    assert reason in sentence


def test_every_setting_has_a_value_that_is_refused() -> None:
    assert {row[0] for row in WRONG} | OF_ANY_TEXT == set(EACH)


@pytest.mark.parametrize("name", sorted(EACH))
def test_every_setting_declares_valid_values_including_its_default(name: str) -> None:
    setting = EACH[name]
    assert setting.check.allowed
    assert not setting.check.fault(setting.default)


@pytest.mark.parametrize(
    "name", sorted(name for name, each in EACH.items() if each.kind not in {int, bool})
)
def test_bytes_that_are_no_utf8_are_refused(name: str) -> None:
    variable = EACH[name].variable
    (sentence,) = _sentences(_serve(**{variable: os.fsdecode(b"a\xff")}))
    assert sentence.startswith(f"Error: {variable}")
    assert sentence.endswith(": must be text in UTF-8.")


@pytest.mark.parametrize("flag", ["--auth-token", "--api-key-secret"])
def test_a_wrong_secret_is_refused_and_not_shown(flag: str) -> None:
    (sentence,) = _sentences(_serve(flag, SECRET))
    assert sentence.startswith(f"Error: {flag}: must not contain spaces")
    assert "a secret" not in sentence


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--database", "mysql://parlour:pass-word@db/parlour"),
        ("--database", "postgresql://parlour:pass-word@db:x/parlour?password=pass-word"),
        ("--redis", "http://:pass-word@cache"),
        ("--redis", "default:pass-word@cache"),
        ("--public-url", "https://user:pass-word@chat.example.net"),
    ],
)
def test_a_password_in_a_wrong_url_is_not_shown(flag: str, value: str) -> None:
    (sentence,) = _sentences(_serve(flag, value))
    assert sentence.startswith(f"Error: {flag} ")
    assert "pass-word" not in sentence


def test_all_wrong_settings_are_reported_at_once() -> None:
    result = _serve("--port", "70000", "--log-format", "xml", PARLOUR_WORKERS="0")
    begins = [each.partition(":")[2].split(":")[0] for each in _sentences(result)]
    assert sorted(begins) == [" --log-format xml", " --port 70000", " PARLOUR_WORKERS=0"]


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (("--account-sid", ACCOUNT), "--auth-token is missing"),
        (("--auth-token", "token"), "--account-sid is missing"),
        (("--api-key-sid", KEY, "--account-sid", ACCOUNT, "--auth-token", "t"), "--api-key-secret"),
        (("--api-key-secret", "s"), "--api-key-sid is missing"),
        (("--api-key-sid", KEY, "--api-key-secret", "s"), "needs --account-sid"),
        (("--tls-cert", "chain.pem"), "--tls-key is missing"),
        (("--tls-key", "key.pem"), "--tls-cert is missing"),
        (("--workers", "2"), "several workers need PostgreSQL"),
        (("--tls-cert", "none.pem", "--tls-key", "none.pem"), "--tls-cert, --tls-key: cannot read"),
    ],
)
def test_settings_that_belong_together_are_refused_alone(
    arguments: tuple[str, ...], missing: str
) -> None:
    (sentence,) = _sentences(_serve(*arguments))
    assert missing in sentence


@pytest.mark.parametrize("value", ["1", "true", "Yes", "on"])
def test_booleans_are_read_in_the_usual_words(value: str) -> None:
    with pytest.raises(AssertionError, match="was started"):
        raise _serve("--webhook-overrides", value).exception  # type: ignore[misc]


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [
        ("PARLOUR_PROT", "PARLOUR_PORT"),
        ("PARLOUR_DATABSE", "PARLOUR_DATABASE"),
        ("PARLOUR_ACOUNT_SI", "PARLOUR_ACCOUNT_SID"),
        ("PARLOUR_LOG_LEVELS", "PARLOUR_LOG_LEVEL"),
        ("PARLOUR_TLSCERT", "PARLOUR_TLS_CERT"),
        ("PARLOUR_POST", "PARLOUR_HOST or PARLOUR_PORT"),
    ],
)
@pytest.mark.parametrize("command", [("serve",), ("account", "list"), ("doctor",)])
def test_a_mistyped_variable_is_an_error_that_names_the_setting(
    command: tuple[str, ...], mistyped: str, meant: str
) -> None:
    result = CliRunner().invoke(main, [*command], env={mistyped: "x"})
    assert list(Path().iterdir()) == []
    assert _sentences(result) == [f"Error: {mistyped} is not a setting; did you mean {meant}?"]


def test_any_other_variable_is_a_warning() -> None:
    result = _serve(PARLOUR_COLOUR="blue", PARLOUR_URL="http://127.0.0.1:8080")
    assert str(result.exception) == "the server was started"
    assert result.stderr == "Warning: PARLOUR_COLOUR is not a setting and is ignored.\n"


def test_variables_of_a_container_platform_are_ignored_with_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform = {
        "PARLOUR_SERVICE_HOST": "10.0.171.239",
        "PARLOUR_SERVICE_PORT": "8080",
        "PARLOUR_SERVICE_PORT_HTTP": "8080",
        "PARLOUR_PORT": "tcp://10.0.171.239:8080",
        "PARLOUR_PORT_8080_TCP": "tcp://10.0.171.239:8080",
        "PARLOUR_PORT_8080_TCP_PROTO": "tcp",
        "PARLOUR_PORT_8080_TCP_PORT": "8080",
        "PARLOUR_PORT_8080_TCP_ADDR": "10.0.171.239",
        "PARLOUR_REDIS_SERVICE_HOST": "10.0.171.240",
        "PARLOUR_REDIS_PORT": "tcp://10.0.171.240:6379",
    }
    started: list[Settings] = []
    monkeypatch.setattr(serve, "_bound", lambda _settings: [])
    monkeypatch.setattr(serve, "run", lambda settings, *_, **__: started.append(settings))
    result = _serve(**platform)
    assert (result.exit_code, [each.port for each in started]) == (0, [8080])
    assert result.stderr.count("\n") == 1, result.stderr
    line = result.stderr
    assert all(name in line for name in platform)
    assert "10.0.171" not in line


def test_every_variable_that_the_code_reads_is_known() -> None:
    known = (
        {each.variable for each in setting_descriptions()} | NON_SETTING_VARIABLES | {"PARLOUR_"}
    )
    named = {
        name
        for path in (REPOSITORY / "src").rglob("*.py")
        if path.name != "environment.py"
        for name in re.findall(r"\bPARLOUR_[A-Z_]*", path.read_text(encoding="utf-8"))
    }
    # In errors about variables of platforms.
    assert named - known <= {"PARLOUR_SERVICE_HOST", "PARLOUR_PORT_"}


def test_right_settings_have_no_fault_between_them() -> None:
    settings: dict[str, Any] = {"account_sid": ACCOUNT, "auth_token": "token"}
    assert list(conflicts(Settings(**settings, workers=2, database="postgresql://"))) == []
