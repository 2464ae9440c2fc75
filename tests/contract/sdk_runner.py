"""Runner of the Node.js programs of `realtime/`, which drive the client SDKs."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twilio.jwt.access_token import AccessToken
from twilio.jwt.access_token.grants import ChatGrant

from tests.support.client import Api
from tests.support.nodejs import install_packages, node_command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.support.cluster import Installation

HERE = Path(__file__).parent / "realtime"

VERSIONS = {
    "3.0.1": "conversations-3.0",
    "2.6.5": "conversations-2.6",
    "2.4.0": "conversations-2.4",
}
"""The versions that run all topics."""

EVERY_VERSION = {
    "2.1.0": "conversations-2.1",
    "2.4.0": "conversations-2.4",
    "2.6.5": "conversations-2.6",
    "2.7.0": "conversations-2.7",
    "3.0.1": "conversations-3.0",
}
"""The versions whose order of replies and notifications is tested, the oldest first."""


class ProgramRun:
    """One run of a program, and every line that it printed.

    A program may request an action of this process, such as a kill of the server: it prints a
    request and waits for the response.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        settings: Mapping[str, str],
        seconds_max: float,
        does: Mapping[str, Callable[[], object]] | None = None,
        folder: Path = HERE,
    ) -> None:
        """Run the program of a folder until it exits; the browser is one of `realtime/`."""
        for packages in {HERE, folder}:
            install_packages(packages)
        self.lines: list[dict[str, Any]] = []
        self._does = dict(does or {})
        process = subprocess.Popen(
            [*node_command(), *arguments],
            cwd=folder,
            env={**os.environ, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        errors: list[str] = []
        assert process.stderr is not None
        reader = threading.Thread(target=errors.extend, args=(process.stderr,))
        reader.start()
        timer = threading.Timer(seconds_max, process.kill)
        timer.start()
        try:
            self._read(process)
            process.wait()
        finally:
            timer.cancel()
            process.kill()
            process.wait()
            reader.join()
        failure = f"{process.returncode}\n{''.join(errors)[-4000:]}\n{self.lines[-5:]}"
        assert process.returncode == 0, failure

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        for text in process.stdout:
            line = json.loads(text)
            self.lines.append(line)
            if line["kind"] == "action":
                self._does[line["name"]]()
                process.stdin.write("done\n")
                process.stdin.flush()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the lines of one kind."""
        return [line for line in self.lines if line["kind"] == kind]

    @property
    def checks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the checks, by topic."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for line in self.of("check"):
            found[line["topic"]].append(line)
        return found

    def failed(self, topic: str) -> list[str]:
        """Describe each failed check of a topic."""
        return [
            f"{line['scene']}: {line['check']}: {line['error']}"
            for line in self.checks[topic]
            if not line["ok"]
        ]


def settings_for(server: Installation, version: str) -> dict[str, str]:
    """Return a program's settings: a separate account with an API key, and the SDK version."""
    account_sid, auth_token = server.make_account()
    key_sid, key_secret = server.make_key(account_sid)
    return {
        "BASE_URL": server.base_url,
        "ACCOUNT_SID": account_sid,
        "AUTH_TOKEN": auth_token,
        "KEY_SID": key_sid,
        "KEY_SECRET": key_secret,
        "SDK": (VERSIONS | EVERY_VERSION)[version],
    }


def run_of_topics(
    server: Installation, version: str, topics: Sequence[str], seconds_max: float
) -> ProgramRun:
    """Run the scenes of some topics once."""
    settings = settings_for(server, version) | {"NODE_NO_WARNINGS": "1"}
    settings |= made_tokens(server, settings)
    settings["CONTENT_SID"] = made_template(server, settings)
    return ProgramRun(["run.mjs", *topics], settings, seconds_max)


def made_tokens(server: Installation, settings: dict[str, str]) -> dict[str, str]:
    """Return a token by the vendor's own helper, and one by the command line."""
    account_sid = settings["ACCOUNT_SID"]
    api = Api(server.base_url, account_sid, settings["AUTH_TOKEN"])
    service_sid = api.get("/Configuration").expect(200)["default_chat_service_sid"]
    api.close()
    token = AccessToken(
        account_sid, settings["KEY_SID"], settings["KEY_SECRET"], identity="helped", ttl=600
    )
    token.add_grant(ChatGrant(service_sid=service_sid))
    options = ("--account", account_sid, "--identity", "commanded", "--service", service_sid)
    return {
        "HELPER_SERVICE_SID": service_sid,
        "HELPER_TOKEN": token.to_jwt(),
        "COMMAND_TOKEN": server.command("token", *options).strip(),
    }


def made_template(server: Installation, settings: dict[str, str]) -> str:
    """Create a content template with a greeting; return its SID."""
    api = Api(server.base_url, settings["ACCOUNT_SID"], settings["AUTH_TOKEN"], "/parlour/v1")
    form = {
        "FriendlyName": "greeting",
        "Types": json.dumps({"twilio/text": {"body": "Hello {{1}}"}}),
        "Variables": json.dumps({"1": "you"}),
    }
    made = api.post("/ContentTemplates", form).expect(201)
    api.close()
    sid: str = made["sid"]
    return sid
