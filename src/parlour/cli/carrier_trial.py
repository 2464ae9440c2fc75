"""A test message through a carrier: in a separate conversation, by the running server.

The command writes to the store, as a request of the API would, and reads the receipt from there.
The server sends the message: so the test covers routes, queue, link and callbacks, and two
processes never use one link.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from parlour.operations.call import Call
from parlour.operations.caller import Caller
from parlour.operations.pipeline import Pipeline
from parlour.protocol import addresses
from parlour.protocol.pages import PageRequest
from parlour.resources.carrier_numbers import store as carrier_number_store
from parlour.resources.table import operations
from parlour.vocabulary import limits
from parlour.vocabulary.errors import CATALOGUE, ApiError
from parlour.vocabulary.origin import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.channels.carriers_file import CarrierSettings
    from parlour.operations.call import Rows
    from parlour.protocol.addresses import ChannelAddress
    from parlour.protocol.vault import Vault
    from parlour.store.transaction import Store

_FINAL = frozenset({"delivered", "read", "undelivered", "failed"})
_GOOD = frozenset({"sent", "delivered", "read"})
_NOT_FOUND: Final = 20404
_PAIR_IS_TAKEN: Final = 50416


class CarrierTrialError(Exception):
    """The test cannot be run; the text is the reason and the remedy."""


class TrialMessage(NamedTuple):
    """The message of a test, and its two sides."""

    account_sid: str
    sender: ChannelAddress
    recipient: ChannelAddress
    body: str


class TrialResult(NamedTuple):
    """The end of a test; ``status`` is None if the server did not send the message in time."""

    status: str | None
    error_code: int

    @property
    def is_good(self) -> bool:
        """Whether the network accepted the message, as far as the receipt shows."""
        return self.status in _GOOD


def choose_sender(carriers: CarrierSettings, name: str, channel: str) -> str:
    """Return a number of the file that the carrier sends for. Raises CarrierTrialError."""
    for number in carriers.numbers:
        parsed = addresses.parse_proxy_address(number.address)
        assert parsed is not None, number.address
        if parsed.type == channel and carriers.find_carrier(channel, parsed.text) == name:
            return parsed.text
    raise CarrierTrialError(f"no number of the file sends {channel} through {name}: give --from")


def check_route(carriers: CarrierSettings, name: str, sender: ChannelAddress) -> None:
    """Raise CarrierTrialError unless the carrier sends for this sender."""
    found = carriers.find_carrier(sender.type, sender.text)
    if found != name:
        where = f"is routed to {found}" if found else "has no route"
        raise CarrierTrialError(f"{sender.text} {where}: choose a sender of {name} with --from")


class CarrierTrial:
    """Sends one message, and follows its receipt."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._pipeline = Pipeline(store, vault, on_login_revoked=lambda _: None)
        self._operations = {each.operation_id: each for each in operations()}

    async def run(
        self,
        carriers: CarrierSettings,
        message: TrialMessage,
        seconds_max: float,
        show: Callable[[str], None],
    ) -> TrialResult:
        """Run a test; ``show`` gets a line for each step. Raises CarrierTrialError and ApiError."""
        if await self._store.read(carrier_number_store.find_file_digest) != carriers.checksum:
            raise CarrierTrialError(
                "the server runs with other routes or numbers: restart it with this carriers file"
            )
        account_sid = message.account_sid
        conversation_sid = await self._make_conversation(message)
        sent = await self._call(
            account_sid,
            "CreateConversationMessage",
            {"Body": message.body},
            ConversationSid=conversation_sid,
        )
        show(f"queued {sent.sid} from {message.sender.text} to {message.recipient.text}")
        result = await self._follow(account_sid, conversation_sid, sent.sid, seconds_max, show)
        if result.status in _FINAL:
            await self._call(account_sid, "DeleteConversation", {}, Sid=conversation_sid)
        else:
            show(f"the conversation {conversation_sid} stays, for a later receipt")
        return result

    async def _make_conversation(self, message: TrialMessage) -> str:
        """Create a conversation with the recipient; return its SID.

        One of an earlier test of the same pair, which had no final receipt, is deleted.
        """
        name = f"carriers-test {message.sender.text} {message.recipient.text}"
        await self._delete_if_there(message.account_sid, name)
        form = {"FriendlyName": "Test of a carrier", "UniqueName": name}
        participant = {"MessagingBinding.Address": message.recipient.text}
        if message.recipient.type == addresses.EMAIL:
            form["Bindings.Email.Address"] = message.sender.text
        else:
            participant["MessagingBinding.ProxyAddress"] = message.sender.text
        made = await self._call(message.account_sid, "CreateConversation", form)
        try:
            await self._call(
                message.account_sid,
                "CreateConversationParticipant",
                participant,
                ConversationSid=made.sid,
            )
        except ApiError as error:
            await self._delete_if_there(message.account_sid, made.sid)
            if error.code != _PAIR_IS_TAKEN:
                raise
            raise CarrierTrialError(
                f"{str(error).rstrip('.')}: close it, or choose another --to or --from"
            ) from error
        return str(made.sid)

    async def _delete_if_there(self, account_sid: str, conversation: str) -> None:
        """Delete a conversation, by its SID or unique name."""
        try:
            await self._call(account_sid, "DeleteConversation", {}, Sid=conversation)
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise

    async def _follow(
        self,
        account_sid: str,
        conversation_sid: str,
        message_sid: str,
        seconds_max: float,
        show: Callable[[str], None],
    ) -> TrialResult:
        """Show each change of the receipt, until it is final or the time is over."""
        result = TrialResult(None, 0)
        try:
            async with asyncio.timeout(seconds_max):
                while result.status not in _FINAL:
                    rows: Rows = await self._call(
                        account_sid,
                        "ListConversationMessageReceipt",
                        {},
                        ConversationSid=conversation_sid,
                        MessageSid=message_sid,
                    )
                    found = [TrialResult(each.status, each.error_code) for each in rows.records]
                    if found and found[0] != result:
                        result = found[0]
                        show(_line(result))
                    await asyncio.sleep(limits.CARRIER_TEST_POLL_MS / 1000)
        except TimeoutError:
            show(
                "no delivery report in time"
                if result.status
                else "the message is still queued: does a server run, and is its link up?"
            )
        return result

    async def _call(
        self, account_sid: str, operation_id: str, form: dict[str, str], **path: str
    ) -> Any:
        """Run one operation as its account, without webhooks."""
        call: Call[Any] = Call(
            operation=self._operations[operation_id],
            caller=Caller(account_sid, account_sid),
            path=path,
            resource=f"/{operation_id}",
            form={name: [value] for name, value in form.items()},
            page=PageRequest(0, 1, None),
            origin=SILENT,
        )
        return (await self._pipeline.run(call, lambda _call, _result: b"")).result


def _line(result: TrialResult) -> str:
    if not result.error_code:
        return str(result.status)
    entry = CATALOGUE.get(result.error_code)
    meaning = f": {entry.message}" if entry else ""
    return f"{result.status}, error {result.error_code}{meaning}"
