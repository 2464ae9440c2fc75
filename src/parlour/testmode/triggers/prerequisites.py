"""The objects that a trigger needs: found by what the request names, else created.

They are created without webhooks, so that a trigger sends the webhooks of its event only.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from parlour.protocol.addresses import EMAIL, SMS, normalise_address, parse_address
from parlour.resources.participants import store as participant_store
from parlour.testmode.triggers import declarations
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.resources.participants.store import Participant
    from parlour.store.transaction import Store
    from parlour.testmode.triggers.operation_calls import OperationCalls
    from parlour.vocabulary.clock import Random

_NOT_FOUND: Final = 404
_IDENTITY_BYTES: Final = 4


class Prerequisites:
    """Finds or creates the objects of one trigger, and collects them by kind."""

    def __init__(
        self,
        store: Store,
        random: Random,
        calls: OperationCalls,
        account_sid: str,
        named: dict[str, str],
    ) -> None:
        """``named`` are the parameters of the request that name objects."""
        self._store = store
        self._random = random
        self._calls = calls
        self._scope = Scope(account_sid)
        self._named = named
        self.objects: dict[str, Any] = {}
        self.created: list[str] = []

    @property
    def author(self) -> str | None:
        """The author of a message; None for the default author."""
        return self._named.get("Identity") or self.address

    @property
    def address(self) -> str | None:
        """The messaging address that the request names."""
        address = self._named.get("Address")
        return normalise_address(address) if address else None

    def new_identity(self) -> str:
        """Return the identity of a user that the request does not name."""
        return f"user-{self._random.token(_IDENTITY_BYTES).hex()}"

    def binding_form(self, address: str) -> dict[str, list[str]]:
        """Return the parameters of a messaging binding, with the sender's address if it has one."""
        form = {"MessagingBinding.Address": [address]}
        proxy = self._proxy_of(address)
        return form | ({"MessagingBinding.ProxyAddress": [proxy]} if proxy else {})

    def _proxy_of(self, address: str) -> str | None:
        named = self._named.get("ProxyAddress")
        if named:
            return normalise_address(named)
        found = parse_address(address)
        if found is None or found.type == EMAIL:
            return None
        prefix = "" if found.type == SMS else f"{address.partition(':')[0]}:"
        return prefix + declarations.DEFAULT_PROXY_NUMBER

    async def prepare(self, trigger: declarations.Trigger) -> None:
        """Find or create everything that a trigger needs. Raises ApiError."""
        if declarations.RECIPIENT in trigger.needs:
            self._named.setdefault("Address", declarations.DEFAULT_ADDRESS)
        if declarations.CONVERSATION in trigger.needs:
            adds_participant = trigger.creates and trigger.subject == declarations.PARTICIPANT
            await self._conversation(finds_by_address=not adds_participant)
            if not adds_participant:
                await self._participants(trigger)
        if declarations.MESSAGE in trigger.needs:
            await self._message()
        if declarations.USER in trigger.needs:
            await self._user()

    async def _conversation(self, *, finds_by_address: bool) -> None:
        named = self._named.get("ConversationSid")
        if not named and finds_by_address:
            named = await self._conversation_of_address()
        if named:
            found = await self._calls.run("FetchConversation", {"Sid": named})
        else:
            found = await self._created(declarations.CONVERSATION, "CreateConversation", {}, {})
        self.objects[declarations.CONVERSATION] = found

    async def _conversation_of_address(self) -> str | None:
        """Return the open conversation with the address: a message to or from it belongs there."""
        address = self.address
        proxy = self._proxy_of(address) if address else None
        if not address or not proxy:
            return None
        return await self._store.write(
            lambda tx: participant_store.find_address_pair_owner(tx, self._scope, address, proxy),
            account_sid=self._scope.account_sid,
        )

    async def _participants(self, trigger: declarations.Trigger) -> None:
        """Find or create the participants that the request names, and one if it is needed."""
        path = self._in_conversation()
        found: list[Any] = []
        if "ParticipantSid" in self._named:
            found = [
                await self._calls.run(
                    "FetchConversationParticipant",
                    path | {"Sid": self._named["ParticipantSid"]},
                )
            ]
        else:
            identity = self._named.get("Identity")
            if not identity and not self.address and declarations.PARTICIPANT in trigger.needs:
                identity = self.new_identity()
            if identity:
                form = {"Identity": [identity]}
                found.append(await self._participant(path, identity, form))
            if self.address:
                form = self.binding_form(self.address)
                found.append(await self._participant(path, self.address, form))
        if found:
            is_recipient = declarations.RECIPIENT in trigger.needs
            self.objects[declarations.PARTICIPANT] = found[-1 if is_recipient else 0]

    async def _participant(
        self, path: dict[str, str], name: str, form: dict[str, list[str]]
    ) -> Participant:
        """Return the participant with an identity or an address; created if there is none."""
        in_conversation = await self._store.read(
            partial(
                participant_store.list_author_and_bound_participants,
                scope=self._scope,
                conversation_sid=path["ConversationSid"],
                author=name,
            ),
            account_sid=self._scope.account_sid,
        )
        found = participant_store.find_author(in_conversation, name)
        if found is not None:
            return found
        created: Participant = await self._created(
            declarations.PARTICIPANT,
            "CreateConversationParticipant",
            path,
            form,
        )
        return created

    async def _message(self) -> None:
        path = self._in_conversation()
        if "MessageSid" in self._named:
            found = await self._calls.run(
                "FetchConversationMessage", path | {"Sid": self._named["MessageSid"]}
            )
        else:
            form = {"Body": [declarations.DEFAULT_BODY]}
            form |= {"Author": [self.author]} if self.author else {}
            found = await self._created(
                declarations.MESSAGE, "CreateConversationMessage", path, form
            )
        self.objects[declarations.MESSAGE] = found

    async def _user(self) -> None:
        sid, identity = self._named.get("UserSid"), self._named.get("Identity")
        if sid:
            self.objects[declarations.USER] = await self._calls.run("FetchUser", {"Sid": sid})
        else:
            await self.ensure_user(identity or self.new_identity())

    async def ensure_user(self, identity: str) -> None:
        """Find or create the user with an identity. Raises ApiError."""
        try:
            found = await self._calls.run("FetchUser", {"Sid": identity})
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            form = {"Identity": [identity]}
            found = await self._created(declarations.USER, "CreateUser", {}, form)
        self.objects[declarations.USER] = found

    def _in_conversation(self) -> dict[str, str]:
        return {"ConversationSid": self.objects[declarations.CONVERSATION].sid}

    async def _created(
        self, kind: str, operation_id: str, path: dict[str, str], form: dict[str, list[str]]
    ) -> Any:
        created = await self._calls.run(operation_id, path, form)
        if kind not in self.created:
            self.created.append(kind)
        return created
