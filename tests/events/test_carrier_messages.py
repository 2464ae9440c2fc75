"""What a carrier gets of a message: the thread of a group, media, templates, and mails."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from parlour.channels.outbox_queue import CarrierQueue
from parlour.vocabulary.origin import Origin
from tests.events.in_process_server import InProcessServer, Scenario, scenario_runner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from parlour.channels.carrier import Carrier, OutboundMessage
    from parlour.channels.outbox_results import LoadedSubmission
    from tests.events.webhook_backend import WebhookBackend

ANN, BOB, MASKED = "+15552000001", "+15552000002", "+15552000003"
OWN, PROXY = "+15017122661", "+15017122662"
SET_MAIL_NAME = """
UPDATE participant SET binding_level = $3, binding_name = $4
 WHERE account_sid = $1 AND address = $2
"""
INBOUND = Origin(source="SMS", fires=True)


class ChannelClient:
    """One conversation, and what the carrier got of its messages."""

    def __init__(self, instance: InProcessServer, sent: list[OutboundMessage]) -> None:
        self.instance = instance
        self.sent = sent
        self.sid = ""

    async def create(self, **form: str) -> None:
        """Create the conversation."""
        made = await self.instance.do("CreateConversation", dict(form))
        self.sid = made.sid

    async def create_group(self) -> None:
        """Create a conversation of a user with an own number and two phones."""
        await self.create()
        await self.add(Identity="alice", ProjectedAddress=OWN)
        for address in (ANN, BOB):
            await self.add(Address=address)

    async def add(self, **binding: str) -> Any:
        """Add a participant; members of its binding by name."""
        form = {
            f"MessagingBinding.{name}" if name != "Identity" else name: value
            for name, value in binding.items()
        }
        return await self.instance.do(
            "CreateConversationParticipant", form, ConversationSid=self.sid
        )

    async def run(self, sql: str, *arguments: object) -> None:
        """Run a change that bypasses the API."""
        account_sid = self.instance.scope.account_sid
        await self.instance.store.write(lambda tx: tx.run(sql, account_sid, *arguments))

    async def send(self, body: str, origin: Origin | None = None, **form: str) -> Any:
        """Send a message, and wait until all of its submissions are recorded."""
        origins = {} if origin is None else {"origin": origin}
        message = await self.instance.send_message(self.sid, body, **origins, **form)
        await self.instance.wait_until_idle()
        return message

    def of(self, message: Any) -> list[OutboundMessage]:
        """Return what the carrier got of a message."""
        return [each for each in self.sent if each.message_sid == message.sid]


@pytest.fixture
def run_carrier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Return a function that runs a scenario on a server whose messages are recorded."""
    sent: list[OutboundMessage] = []
    send = CarrierQueue._send

    async def recorded(self: CarrierQueue, carrier: Carrier, loaded: LoadedSubmission) -> None:
        assert loaded.message is not None
        sent.append(loaded.message)
        await send(self, carrier, loaded)

    monkeypatch.setattr(CarrierQueue, "_send", recorded)

    def run_scenario(scenario: Any) -> None:
        async def adapted(instance: InProcessServer, _backend: WebhookBackend) -> None:
            await scenario(ChannelClient(instance, sent))

        made: Scenario = adapted
        scenario_runner(tmp_path)(made)

    return partial(run_scenario)


def test_a_group_message_names_the_thread_and_each_members_sid(
    run_carrier: Callable[[Any], None],
) -> None:
    async def scenario(client: ChannelClient) -> None:
        await client.create_group()
        (found,) = client.of(await client.send("Hi", Author="alice"))
        assert (found.is_group, found.sender, found.recipients) == (True, OWN, (ANN, BOB))
        assert found.group == tuple(sorted((ANN, BOB, OWN)))
        assert len(set(found.message_sids)) == 2
        assert found.message_sids[0] == found.reference

    run_carrier(scenario)


@pytest.mark.channel("11.2")
def test_the_message_of_a_member_is_not_sent_to_the_thread_again(
    run_carrier: Callable[[Any], None],
) -> None:
    async def scenario(client: ChannelClient) -> None:
        await client.create_group()
        message = await client.send("Hi", INBOUND, Author=ANN)
        assert client.of(message) == []
        assert message.receipts_total == 0
        await client.add(Address=MASKED, ProxyAddress=PROXY)
        masked = await client.send("Hi", INBOUND, Author=ANN)
        assert [each.recipients for each in client.of(masked)] == [(MASKED,)]
        from_rest = await client.send("Hi", Author=ANN)
        assert sorted(each.recipients for each in client.of(from_rest)) == [(BOB,), (MASKED,)]

    run_carrier(scenario)


@pytest.mark.channel("C12")
def test_the_message_of_a_masked_member_goes_to_the_thread(
    run_carrier: Callable[[Any], None],
) -> None:
    async def scenario(client: ChannelClient) -> None:
        await client.create_group()
        await client.add(Address=MASKED, ProxyAddress=PROXY)
        (found,) = client.of(await client.send("Hi", INBOUND, Author=MASKED))
        assert (found.is_group, found.sender, found.recipients) == (True, PROXY, (ANN, BOB))

    run_carrier(scenario)


@pytest.mark.channel("C42")
def test_a_message_is_one_mail_for_all_recipients_and_refers_to_the_last_ones(
    run_carrier: Callable[[Any], None],
) -> None:
    async def scenario(client: ChannelClient) -> None:
        await client.create(
            **{"Bindings.Email.Address": "help@example.com", "Bindings.Email.Name": "Help"}
        )
        await client.add(Address="a@example.com")
        await client.add(Address="b@example.com")
        # Only clients of SDKs can set these.
        for address, level, name in (("a@example.com", "to", "Ann"), ("b@example.com", "cc", None)):
            await client.run(SET_MAIL_NAME, address, level, name)
        await client.add(Address=ANN, ProxyAddress=OWN)
        first = await client.send("1", Subject="Order 7")
        second = await client.send("2", Author="a@example.com")
        mail, other = [
            next(each for each in client.of(message) if each.channel == "email")
            for message in (first, second)
        ]
        assert mail.sender == "help@example.com"
        assert (mail.recipients, other.recipients) == (
            ("a@example.com", "b@example.com"),
            ("b@example.com",),
        )
        assert mail.email is not None
        assert other.email is not None
        assert (mail.email.subject, mail.email.sender_name) == ("Order 7", "Help")
        assert mail.email.names == {"a@example.com": "Ann"}
        assert mail.email.cc == ("b@example.com",)
        mail_id = f"<{first.sid}.{client.sid}@example.com>"
        assert (mail.email.references, other.email.references) == ((), (mail_id,))

    run_carrier(scenario)


def test_a_deleted_message_leaves_no_submission(run_carrier: Callable[[Any], None]) -> None:
    async def scenario(client: ChannelClient) -> None:
        await client.create()
        await client.add(Address=ANN, ProxyAddress=OWN)
        messages = [await client.send(str(number)) for number in range(2)]
        assert await _count(client, "submission") == 2
        await client.instance.do(
            "DeleteConversationMessage", ConversationSid=client.sid, Sid=messages[0].sid
        )
        assert await _count(client, "submission") == 1

    run_carrier(scenario)


async def _count(client: ChannelClient, table: str) -> int:
    sql = f"SELECT COUNT(*) FROM {table} WHERE account_sid = $1"
    account_sid = client.instance.scope.account_sid
    row = await client.instance.store.read(lambda tx: tx.one(sql, account_sid))
    assert row is not None
    return int(row[0])
