"""Places where no secret may appear: logs, files, and stored responses."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from parlour.operations.operation import UrlForm
from parlour.operations.parameters import wire_names
from tests.security.tenants import owner_actions
from tests.security.tenants.matrix import values_of
from tests.security.tenants.path_variables import fill
from tests.security.tenants.targets import (
    CallerCredentials,
    CallerRequest,
    LocalTarget,
    ServerTarget,
    settle,
)
from tests.security.tenants.twin_accounts import AccountObjects, build
from tests.security.tenants.valid_forms import form_of
from tests.support.account_operations import account_operations
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parlour.operations.operation import Operation

pytestmark = pytest.mark.xdist_group("secret leaks")

CANARY = "canary" + "7f3a91c5"
MARK = CANARY.encode()


@pytest.fixture(scope="module")
def sung() -> Iterator[tuple[Server, AccountObjects]]:
    """Run every operation on a server that logs all it can: with canaries, and with valid values.

    The canaries fill an account and change its objects, so another one has the successes.
    """
    env = {"PARLOUR_LOG_LEVEL": "debug", "PARLOUR_REQUEST_LOG": "all", "PARLOUR_LOG_FORMAT": "json"}
    with Server(env=env) as server:
        place = ServerTarget(server)
        world, other = build(place), build(place)
        for operation in account_operations():
            for request in _with_canaries(operation, world):
                assert place.send(request).status < 500, request
        assert not [
            wrong
            for form in (UrlForm.SHORT, UrlForm.SERVICE, UrlForm.ACCOUNT)
            for cell in owner_actions.writing(other, frozenset(), form)
            for wrong in cell.run(place)
        ]
        settle(place)
        place.close()
        server.stop()
        yield server, world


def _with_canaries(operation: Operation, world: AccountObjects) -> Iterator[CallerRequest]:
    """Yield an operation with a canary in each place in turn, and at last in all of them."""
    if operation.method == "DELETE":
        return
    path = fill(operation, values_of(operation, world))
    header = world.login.header
    names = [name for name, _, _ in wire_names(operation.spec.parameters)]
    form = form_of(operation) if operation.writes else {}
    for name in names:
        for text in (CANARY, json.dumps({"a": CANARY}), f"http://u:{CANARY}@127.0.0.1:9/"):
            yield CallerRequest(operation.method, path, {**form, name: text}, header)
    yield CallerRequest(
        operation.method, path, dict.fromkeys([*names, CANARY], CANARY), header, CANARY
    )
    yield CallerRequest(operation.method, f"{path}/{CANARY}", {}, header)
    yield CallerRequest(operation.method, path, {}, CallerCredentials(CANARY, CANARY).header)
    yield CallerRequest(operation.method, path, {}, f"Bearer {CANARY}")
    lost = fill(operation, [CANARY for _ in values_of(operation, world)])
    yield CallerRequest(operation.method, lost, form, header)


def test_no_log_contains_message_texts(sung: tuple[Server, AccountObjects]) -> None:
    server, _ = sung
    written = server.log_path.read_bytes()

    assert written.count(b'"event": "request_completed"') > 500
    assert [line for line in written.splitlines() if MARK in line][:3] == []
    assert [line for line in written.splitlines() if b"alice" in line or b"+1500" in line][:3] == []


def test_no_log_holds_a_login(sung: tuple[Server, AccountObjects]) -> None:
    server, world = sung
    assert world.key is not None
    written = server.log_path.read_bytes()

    for login in (world.login, world.key, CallerCredentials(server.account_sid, server.auth_token)):
        assert login.secret.encode() not in written
        assert login.header.removeprefix("Basic ").encode() not in written


def test_no_secret_is_written_down_in_plain(sung: tuple[Server, AccountObjects]) -> None:
    server, world = sung
    assert world.key is not None
    files = {path: path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file()}
    assert any(MARK in data for data in files.values()), "The canaries never came to the store."

    for secret in (
        server.auth_token,
        world.login.secret,
        world.key.secret,
        "a push secret",
    ):
        data = secret.encode()
        for each in (data, base64.b64encode(data), data.hex().encode()):
            assert [path.name for path, text in files.items() if each in text] == []


def test_a_secret_in_an_idempotent_response_is_encrypted(tmp_path: Path) -> None:
    place = LocalTarget(tmp_path)
    login = place.make_account()
    path = f"/2010-04-01/Accounts/{login.name}/Keys.json"
    request = CallerRequest("POST", path, {"FriendlyName": "Key"}, login.header, "once")
    first, again = place.send(request), place.send(request)
    place.close()
    secret = json.loads(first.body)["secret"]

    assert first.body == again.body
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert [each for each in files if secret.encode() in each.read_bytes()] == []


def test_only_the_owner_can_read_the_data_folder(sung: tuple[Server, AccountObjects]) -> None:
    server, _ = sung
    key = server.data_dir / "parlour.key"

    assert server.data_dir.stat().st_mode & 0o077 == 0
    assert key.stat().st_mode & 0o777 == 0o600


CRASH = """
import sys
import structlog
from parlour.cli.logs import configure_logs
from parlour.config import Settings

configure_logs(Settings(log_format=sys.argv[1], log_level="debug"))

def act(body, auth_token):
    raise AssertionError("a bug")

try:
    act("{canary}", auth_token="{canary}")
except AssertionError:
    structlog.get_logger().exception("unhandled_exception", request_sid="RQ")
"""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_the_log_of_a_bug_holds_no_values(log_format: str, tmp_path: Path, server: Server) -> None:
    script = tmp_path / "crash.py"
    # The line of the call would be in the traceback, so the values come from elsewhere.
    script.write_text(CRASH.replace('"{canary}"', "sys.argv[2]"))
    done = subprocess.run(
        [sys.executable, str(script), log_format, CANARY],
        env=server.environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert "a bug" in done.stderr
    assert CANARY not in done.stderr + done.stdout
