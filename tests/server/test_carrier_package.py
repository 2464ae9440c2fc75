"""The example of a carrier in a separate package: installed, and used by its name."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import REPOSITORY, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("carrier package")

PACKAGE = REPOSITORY / "examples" / "carrier-package"
SECRET = "0123456789abcdef"
NUMBER, PHONE = "+15550100001", "+15550100002"


class JournalServer:
    """A server whose SMS go to a journal, by the installed package."""

    def __init__(self, folder: Path) -> None:
        self.journal = folder / "messages.jsonl"
        site = folder / "site"
        _install(site)
        path = folder / "carriers.toml"
        self.server = Server(
            args=("--carriers", str(path)),
            env={
                "JOURNAL_SECRET": SECRET,
                "PYTHONPATH": os.pathsep.join((str(REPOSITORY / "src"), str(site))),
            },
        )
        text = (PACKAGE / "carriers.toml").read_text()
        text = text.replace("AC00000000000000000000000000000001", self.server.account_sid)
        path.write_text(text.replace("messages.jsonl", str(self.journal)))
        self.server.start()
        self.api = Api(self.server.base_url, self.server.account_sid, self.server.auth_token)

    def close(self) -> None:
        self.api.close()
        self.server.close()

    def lines(self) -> list[dict[str, Any]]:
        if not self.journal.exists():
            return []
        return [json.loads(line) for line in self.journal.read_text().splitlines()]

    def call_back(self, *, secret: str = SECRET, path: str = "", **content: Any) -> int:
        """Send a signed callback; return the status."""
        body = json.dumps(content).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return (
            self.api.signed(None, None)
            .request(
                "POST",
                f"/parlour/v1/Carriers/notes{path}",
                body=body,
                headers={"X-Journal-Signature": signature, "Content-Type": "application/json"},
            )
            .status
        )


def _install(target: Path) -> None:
    """Install the package without a network, in a folder of the test."""
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target)]
    subprocess.run([*command, str(PACKAGE)], check=True, timeout=120)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JournalServer]:
    made = JournalServer(tmp_path_factory.mktemp("journal"))
    yield made
    made.close()


def conversation_with_phone(journal: JournalServer) -> str:
    sid = str(journal.api.post("/Conversations").expect(201)["sid"])
    journal.api.post(
        f"/Conversations/{sid}/Participants",
        {"MessagingBinding.Address": PHONE, "MessagingBinding.ProxyAddress": NUMBER},
    ).expect(201)
    return sid


def receipts(journal: JournalServer, conversation: str, message: str) -> list[tuple[str, int]]:
    path = f"/Conversations/{conversation}/Messages/{message}/Receipts"
    rows = journal.api.get(path).expect(200)["delivery_receipts"]
    return [(each["status"], each["error_code"]) for each in rows]


@pytest.mark.slow
def test_an_installed_carrier_is_used_by_its_name_in_both_directions(
    journal: JournalServer,
) -> None:
    conversation = conversation_with_phone(journal)
    sent = journal.api.post(f"/Conversations/{conversation}/Messages", Body="Hello").expect(201)
    (line,) = eventually(journal.lines, bool)
    assert (line["from"], line["to"], line["body"]) == (NUMBER, [PHONE], "Hello")
    eventually(lambda: receipts(journal, conversation, sent["sid"]), [("sent", 0)].__eq__)
    report = {"reference": line["reference"], "status": "undelivered", "error_code": 30005}
    assert journal.call_back(reports=[report]) == 200
    assert receipts(journal, conversation, sent["sid"]) == [("undelivered", 30005)]
    answer = {"id": "1", "from": PHONE, "to": NUMBER, "body": "And hello back"}
    assert journal.call_back(messages=[answer]) == 200
    assert journal.call_back(messages=[answer]) == 200  # A redelivery.
    found = eventually(
        lambda: journal.api.get(f"/Conversations/{conversation}/Messages").expect(200)["messages"],
        lambda rows: len(rows) > 1,
    )
    assert [(each["author"], each["body"]) for each in found] == [
        ("system", "Hello"),
        (PHONE, "And hello back"),
    ]


@pytest.mark.slow
def test_callbacks_of_an_installed_carrier_are_checked(journal: JournalServer) -> None:
    foreign = {"id": "2", "from": PHONE, "to": "+15550109999", "body": "Hello"}
    unknown = {"reference": "SM" + "0" * 32, "status": "delivered"}
    assert journal.call_back(messages=[foreign], secret="another secret") == 403
    assert journal.call_back(reports=[{"status": "delivered"}]) == 400
    assert journal.call_back(path="/elsewhere") == 404
    # Neither can be repaired by a repetition.
    assert journal.call_back(messages=[foreign], reports=[unknown]) == 200
    assert "inbound_message_refused" in journal.server.log_path.read_text()
    assert "+15550109999" in journal.server.log_path.read_text()


@pytest.mark.slow
def test_commands_know_an_installed_carrier(journal: JournalServer) -> None:
    environment = journal.server.environment() | {"PARLOUR_CARRIERS": journal.server._args[1]}
    command = [sys.executable, "-m", "parlour", "carriers", "list", "--json"]
    output = subprocess.run(command, env=environment, check=True, capture_output=True).stdout
    listed = json.loads(output.splitlines()[0])
    assert (listed["name"], listed["type"]) == ("notes", "journal")
    assert listed["routes"] == ["channel sms"]
