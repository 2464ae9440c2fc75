"""Kills of the server while phones send, and a check of the conversations that they wrote to."""

from __future__ import annotations

import json
import random
import socket
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.background_threads import BackgroundThreads
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server_database import connect

if TYPE_CHECKING:
    from tests.support.server import Server

LAUNCH = str(Path(__file__).with_name("launch_with_inbound.py"))
OWN = "+15017122661"
MESSAGING_SERVICE = "MG" + "0" * 31 + "1"
PHONES = 5
SECONDS_BETWEEN_KILLS = (0.1, 0.6)
CRASH_SECONDS_MAX = 20.0
QUIET_SECONDS_MAX = 40.0
MESSAGES = (
    "SELECT conversation_sid, author, body FROM message ORDER BY conversation_sid, message_index"
)
BACKLOG = "SELECT COUNT(*) FROM inbox WHERE due_ms IS NOT NULL"


def phone_number(index: int) -> str:
    """Return the number of a phone."""
    return f"+1555867{5000 + index}"


class Phones(BackgroundThreads):
    """Phones that send numbered messages: each again, until it is acknowledged."""

    def __init__(self, port: int) -> None:
        super().__init__(*((index,) for index in range(PHONES)))
        self._port = port
        self.acknowledged = [0] * PHONES
        """The number of messages of each phone that the carrier acknowledged."""
        self.repeated = 0

    def _run(self, index: int) -> None:
        while not self._stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=5) as carrier:
                    self._send(index, carrier)
            except OSError:
                self.repeated += 1
                time.sleep(0.02)

    def _send(self, index: int, carrier: socket.socket) -> None:
        replies = carrier.makefile("rb")
        while not self._stop.is_set():
            number = self.acknowledged[index]
            carrier.sendall(line_of(index, number))
            if not replies.readline():
                raise ConnectionError
            self.acknowledged[index] = number + 1


def line_of(index: int, number: int) -> bytes:
    """Return a message of a phone, as the carrier of the test takes it."""
    message = {
        "provider_id": f"{index}-{number}",
        "sender": phone_number(index),
        "receiver": OWN,
        "body": str(number),
    }
    return json.dumps(message).encode() + b"\n"


class InboundKillRun:
    """A server with auto-creation that is killed repeatedly."""

    def __init__(self, server: Server, port: int, seed: int) -> None:
        self.server = server
        self.port = port
        self.rng = random.Random(seed)

    def configure(self) -> None:
        """Let the first message of each phone create a conversation."""
        with closing(self._api()) as api:
            form: dict[str, str] = {"DefaultMessagingServiceSid": MESSAGING_SERVICE}
            api.post("/Configuration", form).expect(200)
            form = {"Type": "sms", "Address": OWN, "AutoCreation.Enabled": "true"}
            api.post("/Configuration/Addresses", form).expect(201)

    def _api(self) -> Api:
        return Api(self.server.base_url, self.server.account_sid, self.server.auth_token)

    def kill_at_random(self, kills: int) -> list[str]:
        """Kill while phones send; return the violations."""
        self.server.start()
        self.configure()
        phones = Phones(self.port)
        phones.start()
        try:
            for _ in range(kills):
                time.sleep(self.rng.uniform(*SECONDS_BETWEEN_KILLS))
                self.server.kill()
                self.server.start()
        finally:
            phones.stop()
        self.acknowledged, self.repeated = phones.acknowledged, phones.repeated
        return self.violations(phones.acknowledged)

    def crash_at(self, point: str, passage: int) -> list[str]:
        """Let the server crash at a named point; return the violations after a restart."""
        self.server.start()
        self.configure()
        self.server.kill()
        self.server._env["PARLOUR_CRASH_AT"] = f"{point}#{passage}"
        self.server.start()
        phones = Phones(self.port)
        phones.start()
        try:
            process = self.server.process
            assert process is not None
            assert process.wait(CRASH_SECONDS_MAX) == -9
            self.server.kill()
            del self.server._env["PARLOUR_CRASH_AT"]
            self.server.start()
            # Each phone continues after the crash.
            before = list(phones.acknowledged)
            eventually(
                lambda: [each > old for each, old in zip(phones.acknowledged, before, strict=True)],
                all,
            )
        finally:
            phones.stop()
        return self.violations(phones.acknowledged)

    def violations(self, acknowledged: list[int]) -> list[str]:
        """Compare the conversations with the acknowledged messages, once the inbox is empty."""
        eventually(self._backlog, lambda count: count == 0, seconds=QUIET_SECONDS_MAX)
        found: list[str] = []
        conversations = self._conversations()
        for index, count in enumerate(acknowledged):
            bodies = [body for each in conversations for body in each.get(index, ())]
            expected = [str(number) for number in range(count)]
            # One more may have been stored without an acknowledgement that arrived.
            if bodies not in (expected, [*expected, str(count)]):
                found.append(f"phone {index}: {count} acknowledged, found {bodies[-5:]}")
            if count and sum(index in each for each in conversations) != 1:
                found.append(f"phone {index}: not exactly one conversation")
        return found

    def _backlog(self) -> int:
        with closing(connect(self.server)) as database:
            return int(database.execute(BACKLOG).fetchone()[0])

    def _conversations(self) -> list[dict[int, list[str]]]:
        """Return the bodies of each conversation by phone, in the order of their indexes."""
        found: dict[str, dict[int, list[str]]] = {}
        with closing(connect(self.server)) as database:
            for sid, author, body in database.execute(MESSAGES).fetchall():
                bodies = found.setdefault(sid, {})
                bodies.setdefault(int(author[-4:]) - 5000, []).append(body)
        return list(found.values())
