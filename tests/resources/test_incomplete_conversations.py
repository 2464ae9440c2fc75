"""Conversations whose participants are not yet added: after a kill, and for other requests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.resources.batch_create_setup import chat, completed, native, phone, projected, send
from tests.resources.participant_setup import (
    ADDRESS,
    PROJECTED_ADDRESS,
    ConversationClient,
    make_role,
)
from tests.support.client import Api
from tests.support.phone_numbers import phone_number
from tests.support.server import Server
from tests.support.server_database import events

if TYPE_CHECKING:
    from collections.abc import Iterator


class Asleep:
    """A server that completes nothing, until it is killed and restarted normally."""

    def __init__(self, data_dir: Path) -> None:
        program = (str(Path(__file__).with_name("launch_without_scheduler.py")),)
        self.server = Server(data_dir, program=program).start()
        self.api = self.client(self.server)

    def client(self, server: Server) -> Api:
        """A client of the first server's account, on either server."""
        return Api(server.base_url, self.server.account_sid, self.server.auth_token)

    def wake(self) -> Api:
        """Kill it, and restart it normally; return a client of the same account."""
        self.server.kill()
        self.awake = Server(self.server.data_dir).start()
        return self.client(self.awake)

    def close(self) -> None:
        """Stop the running server."""
        self.server.close()
        if hasattr(self, "awake"):
            self.awake.close()


@pytest.fixture
def asleep(tmp_path: Path) -> Iterator[Asleep]:
    found = Asleep(tmp_path / "data")
    yield found
    found.close()


@pytest.mark.slow
def test_it_is_completed_after_a_kill(asleep: Asleep) -> None:
    started = [
        send(asleep.api, chat(), phone(), FriendlyName=str(n)).expect(202) for n in range(60)
    ]
    for each in started:
        path = f"/Conversations/{each['sid']}"
        assert asleep.api.get(path).expect(200)["state"] == "initializing"
        assert asleep.api.get(f"{path}/Participants").expect(200)["participants"] == []
    listed = asleep.api.get("/Conversations", State="initializing", PageSize=100).expect(200)
    assert len(listed["conversations"]) == 60
    api = asleep.wake()
    for each in started:
        conversation, forms = completed(api, each)
        assert (conversation["state"], len(forms)) == ("active", 2)
        names = [name for name, _ in events(asleep.awake, api.sid or "", each["sid"])]
        assert names.count("onParticipantAdded") == 2


@pytest.mark.slow
def test_nothing_but_delete_is_possible_before_it_is_complete(asleep: Asleep) -> None:
    api, address = asleep.api, phone_number()
    started = send(api, phone(address)).expect(202)
    path = f"/Conversations/{started['sid']}"
    for below, form in (
        ("", {"FriendlyName": "x"}),
        ("/Messages", {"Body": "x"}),
        ("/Participants", {"Identity": "x"}),
    ):
        api.post(path + below, form).refuses(400, 50386)
    send(api, phone(address)).refuses(409, 50425)
    api.delete(path).expect(204)
    again = send(api, phone(address)).expect(202)
    found, (member,) = completed(asleep.wake(), again)
    assert found["state"] == "active"
    assert member["messaging_binding"]["address"] == address


@pytest.mark.slow
def test_a_set_is_reserved_before_its_conversation_is_complete(asleep: Asleep) -> None:
    api, forms = asleep.api, [native(), native(), projected()]
    started = send(api, *forms).expect(202)
    again = send(api, *reversed(forms)).refuses(409, 50438)
    assert again["message"].endswith(f"Conversation {started['sid']}")
    step_by_step = ConversationClient.make(asleep.server, api)
    for each in forms[:2]:
        step_by_step.add({ADDRESS: each["messaging_binding"]["address"]})
    last = {PROJECTED_ADDRESS: forms[2]["messaging_binding"]["projected_address"]}
    refused = api.post(step_by_step.path, last).refuses(409, 50438)
    assert refused["message"].endswith(f"Conversation {started['sid']}")
    api.delete(f"/Conversations/{started['sid']}").expect(204)
    api.post(step_by_step.path, last).expect(201)
    larger = send(api, *forms, native()).expect(202)
    assert len(completed(asleep.wake(), larger)[1]) == 4


@pytest.mark.slow
def test_an_incomplete_conversation_is_closed_and_logged(asleep: Asleep) -> None:
    api, address, role_sid = asleep.api, phone_number(), make_role(asleep.api)
    bad = send(api, phone(address), chat(role_sid=role_sid), UniqueName="bad").expect(202)
    good = send(api, chat()).expect(202)
    api.delete(f"/Roles/{role_sid}").expect(204)
    api = asleep.wake()
    closed, forms = completed(api, bad)
    assert (closed["state"], closed["timers"], forms) == ("closed", {}, [])
    assert completed(api, good)[0]["state"] == "active"
    assert '"code":50427' in asleep.awake.log_tail().replace(" ", "")
    assert bad["sid"] in asleep.awake.log_tail()
    names = [name for name, _ in events(asleep.awake, api.sid or "", bad["sid"])]
    assert names == ["onConversationAdded", "onConversationStateUpdated"]
    # Its pair is free, its name is not.
    send(api, phone(address)).expect(202)
    send(api, chat(), UniqueName="bad").refuses(409, 50353)
