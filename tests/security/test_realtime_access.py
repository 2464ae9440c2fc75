"""A user who is no participant cannot see a conversation over the socket.

Each object and each command is requested by another identity, by the same identity in another
service and in another account, and by a participant removed a moment ago. The reply equals that for
a sid which was never assigned; nothing changes, and no event is published.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.twilsock_client import Socket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.server import Server
    from tests.support.twilsock_client import SocketResponse

NEVER = "f" * 32
SECRET = "what only the two of them know"
STRANGERS = ("another identity", "another service", "another account", "removed", "deleted user")
KINDS = {"channel": "Documents", "messages": "Lists", "roster": "Maps"}
TYPES = {"channel": "document", "messages": "list", "roster": "map"}

COMMANDS: list[tuple[str, str, Any]] = [
    ("GET", "Conversations/{CH}", None),
    ("POST", "Conversations/{CH}", {"friendly_name": "theirs no more"}),
    ("DELETE", "Conversations/{CH}", {}),
    ("GET", "MyConversations/{CH}", None),
    ("GET", "MyConversations/{name}", None),
    ("POST", "MyConversations/{CH}", {"last_read_message_index": 0}),
    ("POST", "MyConversations/{CH}", {"notification_level": "muted"}),
    ("POST", "Conversations/{CH}/Participants", {"identity": "alice"}),
    ("POST", "Conversations/{CH}/Participants", {"identity": "eve"}),
    ("POST", "Conversations/{CH}/Participants/{MB}", {"attributes": "{}"}),
    ("DELETE", "Conversations/{CH}/Participants/{MB}", {}),
    ("DELETE", "Conversations/{CH}/Participants/alice", {}),
    ("POST", "Conversations/{CH}/Messages", {"body": "let me in", "attributes": "{}"}),
    ("POST", "Conversations/{CH}/Messages/{IM}", {"body": "changed"}),
    ("DELETE", "Conversations/{CH}/Messages/{IM}", {}),
    ("GET", "Conversations/{CH}/Messages/{IM}/Receipts", None),
    ("GET", "Conversations/{CH}/Messages/{IM}/ChannelMetadata", None),
    ("GET", "Conversations/{CH}/MessageRecipients", None),
]


def token_of(account: Api, service_sid: str, identity: str) -> str:
    form = {"Identity": identity, "ServiceSid": service_sid}
    made = account.under("/parlour/v1").post("/Tokens", form).expect(201)
    token: str = made["token"]
    return token


def connected(server: Server, token: str) -> Socket:
    socket = Socket.to(server)
    assert socket.init(token).header["status"]["code"] == 200
    return socket


@dataclass
class PrivateConversation:
    """A conversation of alice and bob, and all of its data that could leak."""

    server: Server
    api: Api
    service_sid: str
    words: dict[str, str] = field(default_factory=dict)

    @classmethod
    def made(cls, server: Server, account: Api) -> PrivateConversation:
        service_sid = account.post("/Services", FriendlyName="Theirs").expect(201)["sid"]
        conversation = cls(server, account.service(service_sid), service_sid)
        form = {"UniqueName": "their-talk", "FriendlyName": "Theirs"}
        sid = conversation.api.post("/Conversations", form).expect(201)["sid"]
        conversation.words = {"CH": sid, "name": "their-talk"}
        for identity in ("alice", "bob"):
            conversation.words["MB"] = conversation.add(identity)
        conversation.words["IM"] = conversation.send_message(SECRET)
        return conversation

    @property
    def path(self) -> str:
        return f"/Conversations/{self.words['CH']}"

    def add(self, identity: str) -> str:
        made = self.api.post(f"{self.path}/Participants", Identity=identity).expect(201)
        sid: str = made["sid"]
        return sid

    def send_message(self, body: str) -> str:
        sid: str = self.api.post(f"{self.path}/Messages", Body=body).expect(201)["sid"]
        return sid

    def socket(self, identity: str) -> Socket:
        return connected(self.server, token_of(self.api, self.service_sid, identity))

    def objects(self) -> dict[str, dict[str, Any]]:
        """Return the objects of the conversation, as alice may open them."""
        with self.socket("alice") as alice:
            return {
                name: alice.open(kind, f"{self.words['CH']}.{name}") for name, kind in KINDS.items()
            }

    def state(self) -> list[Any]:
        """Return its complete state over REST."""
        paths = ("", "/Messages", "/Participants")
        users = (f"/Users/{name}/Conversations/{self.words['CH']}" for name in ("alice",))
        return [
            self.api.get(path).expect(200)
            for path in (*(self.path + each for each in paths), *users)
        ]


def with_unassigned_sids(text: str, words: dict[str, str]) -> str:
    """Return the text with sids that were never assigned."""
    for value in words.values():
        is_sid = len(value) == 34
        text = text.replace(value, value[:2] + NEVER if is_sid else "unknown-name")
    return text


def shown(answer: SocketResponse, words: dict[str, str]) -> tuple[int, str]:
    """Return status and body, without the requested sids."""
    text = with_unassigned_sids(json.dumps(answer.body), words)
    assert SECRET not in text
    return answer.status, text


@pytest.fixture
def conversation(server: Server, api: Api) -> PrivateConversation:
    return PrivateConversation.made(server, api)


@pytest.fixture(params=STRANGERS)
def stranger(
    request: pytest.FixtureRequest,
    server: Server,
    api: Api,
    foreign_api: Api,
    conversation: PrivateConversation,
) -> Iterator[Socket]:
    """A connection of a user who is no participant."""
    if request.param == "another identity":
        socket = conversation.socket("mallory")
    elif request.param == "another service":
        elsewhere = api.post("/Services", FriendlyName="Elsewhere").expect(201)["sid"]
        socket = connected(server, token_of(api, elsewhere, "alice"))
    elif request.param == "another account":
        elsewhere = foreign_api.post("/Services", FriendlyName="Elsewhere").expect(201)["sid"]
        socket = connected(server, token_of(foreign_api, elsewhere, "alice"))
    else:
        conversation.add("eve")
        socket = conversation.socket("eve")
        listen(socket, conversation)
        if request.param == "removed":
            conversation.api.delete(f"{conversation.path}/Participants/eve").expect(204)
        else:
            conversation.api.delete("/Users/eve").expect(204)
            socket.closing_frame()
            socket.connection.close()
            # A user created again under the same name is another user.
            socket = conversation.socket("eve")
    with socket:
        yield socket


def listen(socket: Socket, conversation: PrivateConversation) -> None:
    """Open the three objects and subscribe to them, as a participant does."""
    opened = {
        name: socket.open(kind, f"{conversation.words['CH']}.{name}")
        for name, kind in KINDS.items()
    }
    wanted = ((TYPES[name], each["sid"], each["last_event_id"]) for name, each in opened.items())
    socket.subscribe(*wanted)
    socket.next_event("subscription_established")


@pytest.mark.parametrize("name", KINDS)
def test_an_object_looks_like_one_that_was_never_made(
    conversation: PrivateConversation, stranger: Socket, name: str
) -> None:
    sid = conversation.objects()[name]["sid"]
    words = conversation.words | {"object": sid}
    ways: list[tuple[str, dict[str, str]]] = [("", {}), ("", {"Include": "items"})]
    ways += [
        ("/Items", params)
        for params in ({}, {"Key": conversation.words["MB"]}, {"Index": "0"}, {"PageToken": "x"})
    ]
    for wanted in (f"{conversation.words['CH']}.{name}", sid):
        for way, params in ways:
            path = f"/v3/{KINDS[name]}/{wanted}{way}"
            answer = stranger.send_request("GET", path, params=params)
            missing = stranger.send_request("GET", with_unassigned_sids(path, words), params=params)
            assert answer.status == 404, path
            assert shown(answer, words) == shown(missing, words)


def test_a_subscription_fails_as_to_one_that_was_never_made(
    conversation: PrivateConversation, stranger: Socket
) -> None:
    for name, opened in conversation.objects().items():
        for after in (None, -1, 0, opened["last_event_id"], opened["last_event_id"] + 1):
            errors = []
            for sid in (opened["sid"], opened["sid"][:2] + NEVER):
                stranger.subscribe((TYPES[name], sid, after))
                (failed,) = stranger.next_event("subscription_failed")["events"]
                assert failed["object_sid"] == sid
                errors.append(failed["error"])
            assert errors[0]["status"] == 404
            assert errors[0] == errors[1]
    stranger.quiet()
    conversation.send_message(SECRET)
    conversation.api.post(conversation.path, FriendlyName=SECRET).expect(200)
    conversation.add("carol")
    assert [frame for frame in stranger.quiet() if frame.method == "notification"] == []


@pytest.mark.parametrize(("method", "path", "body"), COMMANDS)
def test_a_command_is_refused_as_for_one_that_was_never_made(
    conversation: PrivateConversation, stranger: Socket, method: str, path: str, body: object
) -> None:
    # A user who may join gets the error to join by name; no other user learns that it exists.
    before = conversation.state()
    wanted = f"/Client/v2/{path.format(**conversation.words)}"
    answer = stranger.send_request(method, wanted, body)
    missing = stranger.send_request(method, with_unassigned_sids(wanted, conversation.words), body)
    assert answer.status == 404, answer
    assert shown(answer, conversation.words) == shown(missing, conversation.words)
    assert conversation.state() == before


def test_typing_of_a_stranger_is_not_published(
    conversation: PrivateConversation, stranger: Socket
) -> None:
    with conversation.socket("alice") as alice:
        answers = [typing(stranger, sid) for sid in (conversation.words["CH"], "CH" + NEVER)]
        assert answers[0] == answers[1]
        assert answers[0][0] >= 400
        assert [frame for frame in alice.quiet() if frame.method == "notification"] == []


def typing(socket: Socket, sid: str) -> tuple[int, str]:
    request = {"host": "aim", "path": "/Client/v2/Typing", "method": "POST", "params": {}}
    header = {"method": "message", "http_request": request | {"headers": {}}}
    header["payload_type"] = "application/x-www-form-urlencoded"
    frame = socket.reply_to(socket.send(header, f"ChannelSid={sid}".encode()))
    text = json.dumps(frame.payload).replace(sid, "")
    return frame.header["http_status"]["code"], text


def test_the_conversations_of_another_user_are_not_found(
    conversation: PrivateConversation, stranger: Socket
) -> None:
    alice = conversation.api.get("/Users/alice").expect(200)["sid"]
    for way in ("", "/Items"):
        path = f"/v3/Maps/{alice}.myConversations{way}"
        answer = stranger.send_request("GET", path)
        missing = stranger.send_request("GET", with_unassigned_sids(path, {"US": alice}))
        assert answer.status == 404
        assert shown(answer, {"US": alice}) == shown(missing, {"US": alice})


def test_no_event_of_a_conversation_is_sent_to_strangers(
    conversation: PrivateConversation, stranger: Socket
) -> None:
    stranger.quiet()
    with conversation.socket("alice") as alice, conversation.socket("bob") as bob:
        listen(bob, conversation)
        message_body = {"body": SECRET, "attributes": "{}"}
        answer = alice.send_request("POST", f"/Client/v2{conversation.path}/Messages", message_body)
        assert answer.status in {200, 201}, answer
        assert typing(alice, conversation.words["CH"])[0] == 200
        received = json.dumps([frame.payload for frame in bob.quiet()])
    assert SECRET in received
    assert "typing_timeout" in received
    assert [frame for frame in stranger.quiet() if frame.method == "notification"] == []


def test_user_information_stays_in_its_service(
    server: Server, api: Api, foreign_api: Api, conversation: PrivateConversation
) -> None:
    alice = conversation.api.get("/Users/alice").expect(200)["sid"]
    with conversation.socket("mallory") as same:
        opened = same.open("Maps", f"{alice}.info")
    for account in (api, foreign_api):
        elsewhere = account.post("/Services", FriendlyName="Elsewhere").expect(201)["sid"]
        with connected(server, token_of(account, elsewhere, "alice")) as socket:
            for name in (f"{alice}.info", opened["sid"]):
                assert socket.send_request("GET", f"/v3/Maps/{name}").status == 404
                assert socket.send_request("GET", f"/v3/Maps/{name}/Items").status == 404
            socket.subscribe(("map", opened["sid"], 0))
            socket.next_event("subscription_failed")
            missing = socket.send_request("GET", "/Client/v2/Users/bob")
            assert missing.status == 404


def test_a_removed_participant_receives_no_later_messages(
    conversation: PrivateConversation,
) -> None:
    for round_ in range(20):
        conversation.add("eve")
        with conversation.socket("eve") as eve:
            listen(eve, conversation)
            conversation.send_message(f"before {round_}")
            conversation.api.delete(f"{conversation.path}/Participants/eve").expect(204)
            conversation.send_message(f"after {round_}")
            received = json.dumps([frame.payload for frame in eve.quiet(0.15)])
        assert f"before {round_}" in received
        assert f"after {round_}" not in received
