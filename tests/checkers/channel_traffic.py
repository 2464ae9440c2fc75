"""Messages in both directions: phones write to each other through the server, a program to them.

A message of a phone goes to its partner, so that each inbound message causes an outbound one. Some
phones have no partner: their first message creates a conversation.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from contextlib import closing, suppress
from http.client import HTTPException
from typing import TYPE_CHECKING

from tests.checkers.channel_provider import CallbackClient
from tests.support.background_threads import BackgroundThreads
from tests.support.client import Api

if TYPE_CHECKING:
    from tests.checkers.channel_provider import RecordingProvider
    from tests.support.server import Server

OWN = "+15017122661"
PAIRED = [f"+1555867{5000 + index}" for index in range(4)]
STRANGERS = [f"+1555867{6000 + index}" for index in range(2)]
MESSAGING_SERVICE = "MG" + "0" * 31 + "1"
LANES = len(PAIRED)
"""Only one message of a lane is in flight, so this many are at most."""
WINDOW = 6
"""Messages of a source that may be acknowledged without having arrived: it bounds the queues."""
PAUSE_SECONDS = 0.005
PROGRAM = "program"


def pacemaker_of(source: str) -> tuple[str, str]:
    """Return whose arrived messages set the pace of a source: its partner's, or another phone's."""
    if source in PAIRED:
        return PAIRED[PAIRED.index(source) ^ 1], ""
    return PAIRED[0], PROGRAM if source == PROGRAM else ""


def configure(server: Server) -> list[str]:
    """Create a conversation for each pair, and let strangers create theirs; return the SIDs."""
    with closing(Api(server.base_url, server.account_sid, server.auth_token)) as api:
        form: dict[str, str] = {"DefaultMessagingServiceSid": MESSAGING_SERVICE}
        api.post("/Configuration", form).expect(200)
        form = {"Type": "sms", "Address": OWN, "AutoCreation.Enabled": "true"}
        api.post("/Configuration/Addresses", form).expect(201)
        sids = []
        for pair in zip(PAIRED[::2], PAIRED[1::2], strict=True):
            sids.append(str(api.post("/Conversations").expect(201)["sid"]))
            for phone in pair:
                binding = {"MessagingBinding.Address": phone, "MessagingBinding.ProxyAddress": OWN}
                api.post(f"/Conversations/{sids[-1]}/Participants", binding).expect(201)
        return sids


class Traffic(BackgroundThreads):
    """One thread for each phone, and one for the program; they stop for no failure."""

    def __init__(
        self, servers: list[Server], provider: RecordingProvider, conversations: list[str]
    ) -> None:
        """``servers`` take the requests in turn."""
        super().__init__(*((phone,) for phone in (*PAIRED, *STRANGERS, PROGRAM)))
        self._servers = servers
        self._provider = provider
        self._conversations = conversations
        self.acknowledged: dict[str, int] = defaultdict(int)
        """The number of acknowledged messages of each phone: those from 0 on."""
        self.posted: list[str] = []
        """The SIDs of the acknowledged messages of the program."""

    def progress(self) -> int:
        """Return how many messages were acknowledged so far, in both directions."""
        acknowledged = sum(self.acknowledged.values()) + len(self.posted)
        return acknowledged + len(self._provider.arrivals)

    def _run(self, name: str) -> None:
        if name == PROGRAM:
            self._post()
            return
        client = CallbackClient(lambda: [each.port for each in self._servers])
        while not self._stop.wait(PAUSE_SECONDS):
            number = self.acknowledged[name]
            if number - self._provider.received[pacemaker_of(name)] >= WINDOW:
                continue
            message = {"MessageSid": f"{name}-{number}", "From": name, "To": OWN}
            if client.send("inbound", **message, Body=str(number)):
                self.acknowledged[name] = number + 1
        client.close()

    def _post(self) -> None:
        rng = random.Random(0)
        apis = [Api(each.base_url, each.account_sid, each.auth_token) for each in self._servers]
        number = 0
        pacemaker = pacemaker_of(PROGRAM)
        while not self._stop.wait(PAUSE_SECONDS):
            each_posted = len(self.posted) // len(self._conversations)
            if each_posted - self._provider.received[pacemaker] >= WINDOW:
                continue
            # Each goes to both phones of all pairs.
            for sid in self._conversations:
                path = f"/Conversations/{sid}/Messages"
                with suppress(OSError, HTTPException, json.JSONDecodeError):
                    response = rng.choice(apis).post(path, Body=f"{PROGRAM} {number}")
                    if response.status == 201:
                        self.posted.append(response.json["sid"])
            number += 1
        for api in apis:
            api.close()
