"""The unmodified npm client drives each of the 103 operations against a real server."""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.operations import BY_ID, OPERATIONS, operation_of
from tests.support.client import Api
from tests.support.nodejs import install_packages, node_command
from tests.support.server_database import seed_push_binding

if TYPE_CHECKING:
    from tests.support.cluster import Installation
    from tests.support.server import Server

# All of these depend on one long run of the client: one process should do it.
pytestmark = pytest.mark.xdist_group("npm-client")

HERE = Path(__file__).parent / "node"
DRIVE_SECONDS_MAX = 120

BOTH = ("short", "service")
SCENARIOS = {
    "configuration": ("service",),
    "accountWebhooks": ("service",),
    "addressConfigurations": ("service",),
    "credentials": ("service",),
    "services": ("service",),
    "serviceConfiguration": ("service",),
    "serviceWebhooks": ("service",),
    "serviceNotifications": ("service",),
    "serviceBindings": ("service",),
    "conversations": BOTH,
    "messages": BOTH,
    "receipts": BOTH,
    "participants": BOTH,
    "scopedWebhooks": BOTH,
    "conversationWithParticipants": BOTH,
    "participantConversations": BOTH,
    "users": BOTH,
    "userConversations": BOTH,
    "roles": BOTH,
    "everyPage": BOTH,
    "errors": BOTH,
}
RUNS = sorted((name, form) for name, forms in SCENARIOS.items() for form in forms)


class NpmRun:
    """One run of the Node.js program, and every line that it printed."""

    def __init__(self, server: Installation) -> None:
        """Run the program on a separate account."""
        account_sid, auth_token = server.make_account()
        api = Api(server.base_url, account_sid, auth_token)
        service_sid = api.post("/Services", FriendlyName="Second").expect(201)["sid"]
        bindings = [
            seed_push_binding(server, account_sid, service_sid, identity)
            for identity in ("alice", "bob")
        ]
        api.close()
        settings = {
            "BASE_URL": server.base_url,
            "ACCOUNT_SID": account_sid,
            "AUTH_TOKEN": auth_token,
            "SERVICE_SID": service_sid,
            "BINDING_SIDS": ",".join(bindings),
        }
        self.lines = _run(settings)
        self.checks: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for line in self.lines:
            if line["kind"] == "check":
                self.checks[line["scenario"], line["form"]].append(line)

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Return the requests that the client made."""
        return [line for line in self.lines if line["kind"] == "request"]

    @property
    def driven(self) -> set[str]:
        """Return the IDs of the operations called with a documented response."""
        found = ((operation_of(each["method"], each["path"]), each) for each in self.requests)
        return {
            operation.operation_id
            for operation, each in found
            if operation and each["status"] in operation.statuses
        }


def _run(settings: dict[str, str]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [*node_command(), "every_operation.mjs"],
        cwd=HERE,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=DRIVE_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="session")
def installed_node_packages() -> None:
    install_packages(HERE)


@pytest.fixture(scope="module")
def drive(server: Server, installed_node_packages: None) -> NpmRun:
    return NpmRun(server)


@pytest.mark.parametrize(("scenario", "form"), RUNS)
def test_a_program_written_for_the_client_works(drive: NpmRun, scenario: str, form: str) -> None:
    lines = drive.checks[scenario, form]
    assert [line for line in lines if not line["ok"]] == []
    assert "runs to its end" in {line["check"] for line in lines}


@pytest.mark.parametrize("operation_id", [each.operation_id for each in OPERATIONS])
def test_the_client_drives_the_operation(drive: NpmRun, operation_id: str) -> None:
    assert operation_id in drive.driven


def test_the_client_drives_nothing_but_the_103_operations(drive: NpmRun) -> None:
    assert drive.driven == set(BY_ID)
    assert sorted(drive.checks) == RUNS
    unknown = [each for each in drive.requests if not operation_of(each["method"], each["path"])]
    assert unknown == []


def test_the_lock_file_holds_hashes_and_no_addresses() -> None:
    text = (HERE / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert "resolved" not in text
    assert "://" not in text
    assert all(each["integrity"] for name, each in packages.items() if name)
    assert packages["node_modules/twilio"]["version"] == packages[""]["dependencies"]["twilio"]
