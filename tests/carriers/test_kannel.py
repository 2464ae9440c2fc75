"""The Kannel carrier through Kannel of Debian's packages, and phones behind it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, unquote_to_bytes

import pytest

from parlour.channels.carrier import Accepted, CarrierUnavailable, Rejected
from parlour.channels.kannel.carrier import CARRIER_TYPE, Kannel
from parlour.channels.kannel.options import KannelOptions
from parlour.egress.client import Egress
from tests.carriers.callback_listener import CallbackListener
from tests.carriers.http_carrier_setup import PHONE, PROXY, make_context, make_message
from tests.carriers.kannel_boxes import (
    FAKE_SMSC,
    PASSWORD,
    USER,
    KannelBoxes,
    KannelMissing,
    KannelPrograms,
    find_kannel,
    smpp_smsc,
)
from tests.carriers.smpp_peers import PASSWORD as SMSC_PASSWORD
from tests.carriers.smpp_peers import NodeSmsc
from tests.security.scripted_receiver import NEARBY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.support.ports import ReservedPort

pytestmark = [pytest.mark.gate, pytest.mark.xdist_group("kannel")]

TOKEN = "token-of-callbacks"


@pytest.fixture(scope="session")
def kannel(tmp_path_factory: pytest.TempPathFactory) -> KannelPrograms:
    """Kannel's programs; the tests are skipped, with the reason, where there are none."""
    try:
        return find_kannel(tmp_path_factory.mktemp("kannel"))
    except KannelMissing as error:
        pytest.skip(f"KANNEL IS NOT TESTED: {error}")


class Gateway:
    """The boxes, the carrier that uses them, and the callbacks that they send."""

    def __init__(self, boxes: KannelBoxes, callbacks: CallbackListener, egress: Egress) -> None:
        self.boxes = boxes
        self.callbacks = callbacks
        self._egress = egress
        callbacks.carrier = self.carrier = self.make_carrier()

    def make_carrier(self, **changes: Any) -> Kannel:
        values = {
            "sendsms_url": self.boxes.sendsms_url,
            "username": USER,
            "password": PASSWORD,
            "callback_token": TOKEN,
        }
        options = KannelOptions(**(values | changes))
        return CARRIER_TYPE.make("main", options, make_context(self._egress, self.callbacks.url))


def run(
    programs: KannelPrograms,
    folder: Path,
    act: Callable[[Gateway], Awaitable[None]],
    method: str = "post",
) -> None:
    """Run an act with a gateway of the fake SMSC; inbound messages come by this method."""

    async def main() -> None:
        async with gateway_of(programs, folder, FAKE_SMSC, method) as gateway:
            await act(gateway)

    asyncio.run(main())


@asynccontextmanager
async def gateway_of(
    programs: KannelPrograms, folder: Path, smsc: str, method: str = "post"
) -> AsyncIterator[Gateway]:
    async with CallbackListener() as callbacks, Egress(NEARBY) as egress:
        inbound_url = f"{callbacks.url}/inbound?token={TOKEN}"
        async with KannelBoxes(programs, folder, smsc, inbound_url, method) as boxes:
            yield Gateway(boxes, callbacks, egress)


def test_text_long_text_and_emoji_reach_the_phone_and_are_reported(
    kannel: KannelPrograms, tmp_path: Path
) -> None:
    text, long, emoji = "Grüße 50% & [more] €+", "A" * 200, "Привет 😀"

    async def act(gateway: Gateway) -> None:
        phones = await gateway.boxes.connect_phones()
        for number, body in enumerate((text, long, emoji)):
            message = make_message(reference=f"SM{number}", body=body)
            assert await gateway.carrier.send(message) == Accepted()
            await gateway.callbacks.wait_for_statuses(f"SM{number}", "sent", "delivered")
        received = await phones.wait_for(r"Got message \d+: <(\S+) (\S+) (.*)>$", 4)

        assert {(match[1], match[2]) for match in received} == {(PROXY, PHONE)}
        contents = [match[3] for match in received]
        assert contents[0] == f"text {text}"
        parts = [content.removeprefix("udh ").split(" data ") for content in contents[1:3]]
        assert [header[-6:] for header, _ in parts] == ["%02%01", "%02%02"]
        assert "".join(part for _, part in parts) == long
        octets = unquote_to_bytes(contents[3].removeprefix("ucs-2 ").replace("+", " "))
        assert octets.decode("utf-16-be") == emoji

    run(kannel, tmp_path, act)


@pytest.mark.parametrize("method", ["post", "get"])
def test_texts_of_the_phone_arrive_in_any_encoding(
    kannel: KannelPrograms, tmp_path: Path, method: str
) -> None:
    text, emoji = "hello + 100% é€", "Привет 😀"
    encoded = quote_plus(emoji.encode("utf-16-be"))

    async def act(gateway: Gateway) -> None:
        callbacks = gateway.callbacks
        await gateway.boxes.connect_phones(f"{PHONE} {PROXY} text {text}")
        await callbacks.wait_for(lambda: len(callbacks.inbound) == 1)
        await gateway.boxes.connect_phones(f"{PHONE} 12345 ucs2 {encoded}")
        await callbacks.wait_for(lambda: len(callbacks.inbound) == 2)

        first, second = callbacks.inbound
        assert (first.sender, first.receiver, first.body) == (PHONE, PROXY, text)
        assert (second.sender, second.receiver, second.body) == (PHONE, "12345", emoji)
        assert first.provider_id != second.provider_id

    run(kannel, tmp_path, act, method)


def test_an_inbound_text_is_sent_again_until_it_is_stored(
    kannel: KannelPrograms, tmp_path: Path
) -> None:
    async def act(gateway: Gateway) -> None:
        callbacks = gateway.callbacks
        callbacks.refusals = 2
        await gateway.boxes.connect_phones(f"{PHONE} {PROXY} text again")
        await callbacks.wait_for(lambda: callbacks.inbound)

        [message] = callbacks.inbound
        assert message.body == "again"
        assert [f"id={message.provider_id}" in each.query for each in callbacks.requests] == (
            [True] * 3
        )

    run(kannel, tmp_path, act)


def test_wrong_credentials_and_a_stopped_gateway_keep_messages_queued(
    kannel: KannelPrograms, tmp_path: Path, refusing_port: ReservedPort
) -> None:
    async def act(gateway: Gateway) -> None:
        [good] = await gateway.carrier.check()
        assert good.is_up, good
        wrong = gateway.make_carrier(password="wrong")
        [state] = await wrong.check()
        assert not state.is_up
        outcome = await wrong.send(make_message())
        assert isinstance(outcome, Rejected)
        assert outcome.retry_after_seconds is not None
        absent = gateway.make_carrier(sendsms_url=f"{refusing_port.url}/cgi-bin/sendsms")
        with pytest.raises(CarrierUnavailable):
            await absent.send(make_message())
        outcome = await gateway.carrier.send(make_message(recipients=("+1555ABC",)))
        assert isinstance(outcome, Rejected)
        assert outcome.retry_after_seconds is None

    run(kannel, tmp_path, act)


# --- Kannel as a client of an SMSC over SMPP ------------------------------------------------


def run_smpp(
    programs: KannelPrograms,
    folder: Path,
    act: Callable[[Gateway, NodeSmsc], Awaitable[None]],
) -> None:
    """Run an act with a gateway that is bound to the SMSC."""

    async def main() -> None:
        async with NodeSmsc.running() as smsc:
            section = smpp_smsc(smsc.port, SMSC_PASSWORD)
            async with gateway_of(programs, folder, section) as gateway:
                await smsc.event("bind")
                await act(gateway, smsc)

    asyncio.run(main())


async def submit(gateway: Gateway, reference: str, body: str = "Hello") -> None:
    message = make_message(reference=reference, body=body)
    assert await gateway.carrier.send(message) == Accepted()


def test_texts_go_through_two_independent_implementations_of_smpp(
    kannel: KannelPrograms, tmp_path: Path
) -> None:
    long, emoji = "A" * 200, "Привет 😀"

    async def act(gateway: Gateway, smsc: NodeSmsc) -> None:
        await smsc.command("rule", to=PHONE.removeprefix("+"), receipts=[{"stat": "DELIVRD"}])
        for number, body in enumerate(("Hello", long, emoji)):
            await submit(gateway, f"SM{number}", body)
            await gateway.callbacks.wait_for_statuses(f"SM{number}", "sent", "delivered")
        received = await smsc.events("submit", 4)

        assert [each["to"] for each in received] == [[1, 1, PHONE.removeprefix("+")]] * 4
        assert [each["coding"] for each in received] == [0, 0, 0, 8]
        texts = [each["text"] for each in received]
        assert [texts[0], texts[1] + texts[2], texts[3]] == ["Hello", long, emoji]
        assert [udh[0][-4:] for each in received if (udh := each["udh"])] == ["0201", "0202"]

    run_smpp(kannel, tmp_path, act)


@pytest.mark.parametrize(
    ("rule", "statuses", "code"),
    [
        ({"receipts": [{"stat": "UNDELIV", "err": "001"}]}, ["sent", "undelivered"], 30005),
        ({"receipts": [{"stat": "EXPIRED", "err": "002"}]}, ["sent", "undelivered"], 30003),
        ({"receipts": [{"stat": "REJECTD", "err": "003"}]}, ["sent", "undelivered"], 30007),
        ({"status": 0x0B}, ["failed"], 21211),
        ({"status": 0x0A}, ["failed"], 21606),
    ],
)
def test_undeliverable_and_rejected_messages_get_the_code_of_the_smsc(
    kannel: KannelPrograms, tmp_path: Path, rule: dict[str, Any], statuses: list[str], code: int
) -> None:
    async def act(gateway: Gateway, smsc: NodeSmsc) -> None:
        await smsc.command("rule", to=PHONE.removeprefix("+"), **rule)
        await submit(gateway, "SM1")
        reports = await gateway.callbacks.wait_for_statuses("SM1", *statuses)

        [error] = [each for each in reports if each.status == statuses[-1]]
        assert error.error_code == code
        assert len(reports) == len(statuses)

    run_smpp(kannel, tmp_path, act)


def test_a_throttled_message_is_sent_when_the_smsc_accepts_again(
    kannel: KannelPrograms, tmp_path: Path
) -> None:
    async def act(gateway: Gateway, smsc: NodeSmsc) -> None:
        to = PHONE.removeprefix("+")
        await smsc.command("rule", to=to, status=0x58)
        await submit(gateway, "SM1")
        await smsc.event("submit")
        await smsc.command("rule", to=to, receipts=[{"stat": "DELIVRD"}])

        reports = await gateway.callbacks.wait_for_statuses("SM1", "sent", "delivered")

        assert "failed" not in {each.status for each in reports}

    run_smpp(kannel, tmp_path, act)


def test_inbound_texts_and_joined_parts_arrive_from_smpp(
    kannel: KannelPrograms, tmp_path: Path
) -> None:
    async def act(gateway: Gateway, smsc: NodeSmsc) -> None:
        callbacks = gateway.callbacks
        addresses = {
            "source_addr": PHONE.removeprefix("+"),
            "destination_addr": PROXY.removeprefix("+"),
        }
        await smsc.command(
            "deliver", tag=1, pdu={**addresses, "data_coding": 8, "short_message": "Привет 😀"}
        )
        for part, text in ((2, "world"), (1, "hello ")):
            short = {"udh": f"0500034202{part:02d}", "message": text}
            pdu = {**addresses, "esm_class": 0x40, "data_coding": 0, "short_message": short}
            await smsc.command("deliver", tag=1 + part, pdu=pdu)
        await callbacks.wait_for(lambda: len(callbacks.inbound) == 2)

        assert [each.body for each in callbacks.inbound] == ["Привет 😀", "hello world"]
        assert {(each.sender, each.receiver) for each in callbacks.inbound} == {(PHONE, PROXY)}

    run_smpp(kannel, tmp_path, act)
