"""The server behaves like a plain model of it, over any sequence of requests."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.checkers.observed_state import pages
from tests.properties.service_model import ModelConversation, ModelParticipant, ServiceModel
from tests.support.client import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import ApiResponse
    from tests.support.server import Server

RUNS = int(os.environ.get("PARLOUR_MODEL_RUNS", "100"))
STEPS = 30
IDENTITIES = ["alice", "bob@example.com", "carol d/é"]
PROXIES = ["+15017122661", "+15017122662"]
PROJECTED = "+15017122663"
NAMES = ["one", "two words", "three/ü"]

some = st.integers(0, 11)
identities = st.sampled_from(IDENTITIES)
names = st.none() | st.sampled_from(NAMES)
_numbers = itertools.count(1)


class Machine(RuleBasedStateMachine):
    """Sends the same to the server and the model, in a new service for each run."""

    api: Api
    steps = 0

    @initialize()
    def begin(self) -> None:
        made = self.api.under("/v1").post("/Services", FriendlyName="x").expect(201)
        self.service = self.api.service(made["sid"])
        self.service._thread = self.api._thread
        configuration = self.service.get("/Configuration").expect(200)
        self.model = ServiceModel(configuration["default_conversation_role_sid"])
        # Pairs of addresses belong to the account, not the service: each run has separate numbers.
        self.numbers = [f"+1555{next(_numbers) * 10 + last:07}" for last in range(3)]
        self.bodies: dict[str, str] = {}

    def post(self, path: str, refusal: int | None, status: int, **form: Any) -> Any:
        """Return the JSON of a response; None if the model expects an error."""
        named = {name.replace("__", "."): text for name, text in form.items() if text is not None}
        return self._judge(self.service.post(path, named), refusal, status)

    def remove(self, path: str, refusal: int | None = None) -> bool:
        """Return whether an object was deleted."""
        self._judge(self.service.delete(path), refusal, 204)
        return refusal is None

    def _judge(self, answer: ApiResponse, refusal: int | None, status: int) -> Any:
        Machine.steps += 1
        if refusal is None:
            return answer.expect(status)
        answer.refuses(409 if refusal in {50353, 50416, 50433} else 400, refusal)
        return None

    def conversation(self, number: int) -> ModelConversation:
        return self.model.conversations[number % len(self.model.conversations)]

    def path(self, conversation: ModelConversation) -> str:
        """Return the path by its unique name, if it has one."""
        name = (conversation.name or conversation.sid).replace("/", "%2F")
        return f"/Conversations/{name}"

    def has_conversations(self) -> bool:
        return bool(self.model.conversations)

    def has_participants(self) -> bool:
        return any(conversation.participants for conversation in self.model.conversations)

    def member(self, number: int) -> tuple[ModelConversation, ModelParticipant]:
        there = [
            (conversation, person)
            for conversation in self.model.conversations
            for person in conversation.participants
        ]
        return there[number % len(there)]

    def person_path(
        self,
        conversation: ModelConversation,
        person: ModelParticipant,
        *,
        by_identity: bool = False,
    ) -> str:
        name = person.sid
        if by_identity and person.identity is not None:
            name = person.identity.replace("/", "%2F")
        return f"{self.path(conversation)}/Participants/{name}"

    # --- Conversations.

    @rule(name=names, state=st.sampled_from([None, "active", "inactive"]))
    def create_conversation(self, name: str | None, state: str | None) -> None:
        refusal = self.model.refusal_to_name(name)
        made = self.post("/Conversations", refusal, 201, UniqueName=name, State=state)
        if made:
            self.model.conversations.append(ModelConversation(made["sid"], name, state or "active"))

    @precondition(has_conversations)
    @rule(number=some, name=st.sampled_from([*NAMES, ""]))
    def rename_conversation(self, number: int, name: str) -> None:
        conversation = self.conversation(number)
        refusal = self.model.refusal_to_change(conversation)
        refusal = refusal or self.model.refusal_to_name(name or None, conversation)
        if self.post(self.path(conversation), refusal, 200, UniqueName=name):
            conversation.name = name or None

    @precondition(has_conversations)
    @rule(number=some, state=st.sampled_from(["active", "inactive", "inactive", "closed"]))
    def change_state(self, number: int, state: str) -> None:
        conversation = self.conversation(number)
        if self.post(
            self.path(conversation), self.model.refusal_to_change(conversation), 200, State=state
        ):
            conversation.state = state

    @precondition(has_conversations)
    @rule(number=some)
    def delete_conversation(self, number: int) -> None:
        conversation = self.conversation(number)
        self.remove(self.path(conversation))
        self.model.conversations.remove(conversation)

    # --- Participants.

    def _add(self, conversation: ModelConversation, person: ModelParticipant) -> None:
        made = self.post(
            f"{self.path(conversation)}/Participants",
            self.model.refusal_to_add(conversation, person),
            201,
            Identity=person.identity,
            MessagingBinding__Address=person.address,
            MessagingBinding__ProxyAddress=person.proxy,
            MessagingBinding__ProjectedAddress=person.projected,
            RoleSid=person.role,
        )
        if made:
            person.sid = made["sid"]
            self.model.add(conversation, person)

    def role(self, number: int) -> str | None:
        """Mostly no role, sometimes an existing one, sometimes an unknown one."""
        roles = [None, None, None, *self.model.roles, "RL" + "0" * 32]
        return roles[number % len(roles)]

    @precondition(has_conversations)
    @rule(number=some, identity=identities, role=some)
    def add_chat(self, number: int, identity: str, role: int) -> None:
        self._add(
            self.conversation(number), ModelParticipant(identity=identity, role=self.role(role))
        )

    @precondition(has_conversations)
    @rule(
        number=some, which=st.integers(0, 2), proxy=st.sampled_from(PROXIES), whatsapp=st.booleans()
    )
    def add_pair(self, number: int, which: int, proxy: str, whatsapp: bool) -> None:
        kind = "whatsapp:" if whatsapp else ""
        person = ModelParticipant(address=kind + self.numbers[which], proxy=kind + proxy)
        self._add(self.conversation(number), person)

    @precondition(has_conversations)
    @rule(number=some, identity=st.none() | identities)
    def add_projected(self, number: int, identity: str | None) -> None:
        self._add(
            self.conversation(number), ModelParticipant(identity=identity, projected=PROJECTED)
        )

    @precondition(has_participants)
    @rule(number=some, projected=st.sampled_from([None, PROJECTED]))
    def project(self, number: int, projected: str | None) -> None:
        conversation, person = self.member(number)
        refusal = self.model.refusal_to_project(conversation, person, projected)
        path = self.person_path(conversation, person)
        value = projected or "null"
        if self.post(path, refusal, 200, MessagingBinding__ProjectedAddress=value):
            person.projected = projected

    @precondition(has_participants)
    @rule(number=some, identity=identities)
    def identify(self, number: int, identity: str) -> None:
        conversation, person = self.member(number)
        refusal = self.model.refusal_to_identify(conversation, person, identity)
        if self.post(self.person_path(conversation, person), refusal, 200, Identity=identity):
            self.model.identify(person, identity)

    @precondition(has_participants)
    @rule(number=some, index=st.none() | st.integers(0, 6), as_user=st.booleans())
    def read_up_to(self, number: int, index: int | None, as_user: bool) -> None:
        conversation, person = self.member(number)
        path = self.person_path(conversation, person, by_identity=True)
        if as_user and person.identity is not None:
            user = person.identity.replace("/", "%2F")
            path = f"/Users/{user}/Conversations/{conversation.sid}"
        value = "" if index is None else str(index)
        refusal = self.model.refusal_to_change(conversation)
        shown = self.post(path, refusal, 200, LastReadMessageIndex=value)
        if shown:
            self.model.read_up_to(conversation, person, index)
            assert shown["last_read_message_index"] == person.horizon

    @precondition(has_participants)
    @rule(number=some, role=some)
    def change_role(self, number: int, role: int) -> None:
        conversation, person = self.member(number)
        role_sid = self.role(role)
        refusal = self.model.refusal_to_change(conversation)
        if role_sid is None:
            return
        if refusal is None and role_sid not in self.model.roles:
            refusal = 50109
        if self.post(self.person_path(conversation, person), refusal, 200, RoleSid=role_sid):
            person.role = role_sid

    @precondition(has_participants)
    @rule(number=some)
    def remove_participant(self, number: int) -> None:
        conversation, person = self.member(number)
        path = self.person_path(conversation, person, by_identity=True)
        if self.remove(path, self.model.refusal_to_change(conversation)):
            conversation.participants.remove(person)
            self.service.get(path).refuses(404, 20404)

    # --- Messages.

    @precondition(has_conversations)
    @rule(number=some, author=st.sampled_from([None, *IDENTITIES, PROJECTED, "somebody"]))
    def send(self, number: int, author: str | None) -> None:
        conversation = self.conversation(number)
        refusal = self.model.refusal_to_send(conversation, author or "system")
        body = f"message {self.steps}"
        made = self.post(
            f"{self.path(conversation)}/Messages", refusal, 201, Author=author, Body=body
        )
        if made:
            self.bodies[made["sid"]] = body
            message = self.model.send(conversation, made["sid"], author or "system")
            assert made["index"] == message.index
            assert made["participant_sid"] == message.participant_sid

    @precondition(
        lambda self: any(conversation.messages for conversation in self.model.conversations)
    )
    @rule(number=some)
    def delete_message(self, number: int) -> None:
        there = [
            (conversation, message)
            for conversation in self.model.conversations
            for message in conversation.messages
        ]
        conversation, message = there[number % len(there)]
        path = f"{self.path(conversation)}/Messages/{message.sid}"
        if self.remove(path, self.model.refusal_to_change(conversation)):
            conversation.messages.remove(message)

    # --- Users and roles.

    @precondition(lambda self: bool(self.model.users))
    @rule(number=some)
    def delete_user(self, number: int) -> None:
        identity = sorted(self.model.users)[number % len(self.model.users)]
        self.remove(f"/Users/{identity.replace('/', '%2F')}")
        self.model.remove_user(identity)

    @precondition(lambda self: len(self.model.roles) < 3)
    @rule()
    def create_role(self) -> None:
        form = {"FriendlyName": "x", "Type": "conversation", "Permission": "sendMessage"}
        self.model.roles.append(self.post("/Roles", None, 201, **form)["sid"])

    @precondition(lambda self: bool(self.model.roles))
    @rule(number=some)
    def delete_role(self, number: int) -> None:
        role = self.model.roles[number % len(self.model.roles)]
        self.remove(f"/Roles/{role}")
        self.model.remove_role(role)

    # --- What everything looks like.

    @precondition(has_conversations)
    @rule(number=some)
    def check_a_conversation(self, number: int) -> None:
        self._check(self.conversation(number))

    def _check(self, conversation: ModelConversation) -> None:
        shown = self.service.get(self.path(conversation)).expect(200)
        assert (shown["sid"], shown["unique_name"]) == (conversation.sid, conversation.name)
        assert shown["state"] == conversation.state
        participants = pages(self.service, f"{self.path(conversation)}/Participants")
        assert [_as_person(each) for each in participants] == conversation.participants
        assert [each["messaging_binding"] for each in participants] == [
            p.binding() for p in conversation.participants
        ]
        messages = pages(self.service, f"{self.path(conversation)}/Messages")
        assert [
            (each["sid"], each["index"], each["author"], each["participant_sid"], each["body"])
            for each in messages
        ] == [
            (m.sid, m.index, m.author, m.participant_sid, self.bodies[m.sid])
            for m in conversation.messages
        ]

    def teardown(self) -> None:
        if not hasattr(self, "model"):
            return
        shown = pages(self.service, "/Conversations")
        assert {each["sid"] for each in shown} == {
            conversation.sid for conversation in self.model.conversations
        }
        for conversation in self.model.conversations:
            self._check(conversation)
        assert {each["identity"] for each in pages(self.service, "/Users")} == self.model.users
        for identity in self.model.users:
            self._check_memberships(identity)

    def _check_memberships(self, identity: str) -> None:
        rows = pages(self.service, f"/Users/{identity.replace('/', '%2F')}/Conversations")
        members = {
            conversation.sid: (
                person.sid,
                person.horizon,
                conversation.unread(person),
                conversation.state,
            )
            for conversation in self.model.conversations
            if (person := conversation.person(identity)) is not None
        }
        assert {
            each["conversation_sid"]: (
                each["participant_sid"],
                each["last_read_message_index"],
                each["unread_messages_count"],
                each["conversation_state"],
            )
            for each in rows
        } == members


def _as_person(shown: dict[str, Any]) -> ModelParticipant:
    binding = shown["messaging_binding"] or {}
    return ModelParticipant(
        sid=shown["sid"],
        identity=shown["identity"],
        address=binding.get("address"),
        proxy=binding.get("proxy_address"),
        projected=binding.get("projected_address"),
        role=shown["role_sid"],
        horizon=shown["last_read_message_index"],
    )


@pytest.fixture
def machine(server: Server) -> Iterator[type[Machine]]:
    Machine.api = Api(server.base_url, *server.make_account())
    Machine.steps = 0
    yield Machine
    Machine.api.close()


@pytest.mark.timeout(600)
def test_server_matches_the_model(machine: type[Machine]) -> None:
    run = with_seed(int(os.environ.get("PARLOUR_SEED", "1")))(machine)
    run_state_machine_as_test(
        run,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"{machine.steps} changes asked for")
    assert machine.steps > RUNS * STEPS / 3
