"""The HTTP provider's requests against Prism, a mock made of the public OpenAPI description."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from parlour.channels.carrier import (
    Accepted,
    LinkState,
    OutboundMedium,
    OutboundTemplate,
    Rejected,
)
from parlour.channels.http_provider.carrier import CARRIER_TYPE, HttpProvider
from parlour.channels.http_provider.options import HttpProviderOptions
from parlour.channels.http_provider.requests import build_form
from parlour.egress.client import Egress
from tests.carriers.http_carrier_setup import (
    CALLBACK_URL,
    PHONE,
    PROXY,
    make_context,
    make_message,
)
from tests.security.scripted_receiver import NEARBY
from tests.support.nodejs import install_packages, node_command
from tests.support.ports import ReservedPort

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

# For the gate: the mock has 434 packages. In each `make test` the official client judges the
# same requests (test_http_provider_requests.py).
pytestmark = [pytest.mark.gate, pytest.mark.xdist_group("prism")]

NODE = Path(__file__).parent / "node_contract"
MODULES = NODE / "node_modules"
DESCRIPTION = MODULES / "@twilio/cli-core/src/services/twilio-api/twilio_api_v2010.json"
ACCOUNT = "AC" + "9" * 32
ACCOUNTS = "/2010-04-01/Accounts/{Sid}.json"
MESSAGES_OF_ACCOUNT = "/2010-04-01/Accounts/{AccountSid}/Messages.json"
LISTENING = "Prism is listening on"

MEDIUM = OutboundMedium("ME1", "image/png", 3, "a.png", "https://chat.example.com/m/1?s=a%2Bb")
TEMPLATE = OutboundTemplate("HX" + "4" * 32, "order", "en", {}, {"1": "Ünal"})
MESSAGES = {
    "text": make_message(body="Grüße 😀 & 50% + more\nline"),
    "media": make_message(media=(MEDIUM, MEDIUM)),
    "service": make_message(sender=None),
    "whatsapp": make_message(
        channel="whatsapp",
        sender=f"whatsapp:{PROXY}",
        recipients=(f"whatsapp:{PHONE}",),
        template=TEMPLATE,
    ),
    "rcs": make_message(channel="rcs", sender="rcs:agent", recipients=(f"rcs:{PHONE}",)),
    "messenger": make_message(
        channel="messenger", sender="messenger:812", recipients=("messenger:4711",)
    ),
}


def make_options(base_url: str, **changes: Any) -> HttpProviderOptions:
    values = {
        "base_url": base_url,
        "account_sid": ACCOUNT,
        "auth_token": "token",
        "messaging_service_sid": "MG" + "5" * 32,
    }
    return HttpProviderOptions(**(values | changes))


def read_description() -> dict[str, Any]:
    """Return the description, with the used paths only: Prism starts in a tenth of the time."""
    install_packages(NODE)
    description: dict[str, Any] = json.loads(DESCRIPTION.read_text())
    paths = description["paths"]
    description["paths"] = {path: paths[path] for path in (ACCOUNTS, MESSAGES_OF_ACCOUNT)}
    return description


def read_parameters() -> dict[str, Any]:
    """Return the schemas of the parameters that submit a message."""
    operation = read_description()["paths"][MESSAGES_OF_ACCOUNT]["post"]
    body = operation["requestBody"]["content"]
    found: dict[str, Any] = body["application/x-www-form-urlencoded"]["schema"]["properties"]
    return found


@pytest.fixture(scope="session")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the mock."""
    used = tmp_path_factory.mktemp("prism") / "api.json"
    used.write_text(json.dumps(read_description()))
    with ReservedPort() as port:
        script = MODULES / "@stoplight/prism-cli/dist/index.js"
        where = ["-h", "127.0.0.1", "-p", str(port.number)]
        command = [*node_command(), str(script), "mock", *where, "--errors", str(used)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            try:
                printed = []
                for line in process.stdout:
                    printed.append(line)
                    if LISTENING in line:
                        break
                else:
                    pytest.fail("Prism did not start: " + "".join(printed))
                yield port.url
            finally:
                process.kill()


def act(base_url: str, what: Callable[[HttpProvider], Awaitable[Any]], **changes: Any) -> Any:
    async def run() -> Any:
        async with Egress(NEARBY) as egress:
            options = make_options(base_url, **changes)
            return await what(CARRIER_TYPE.make("main", options, make_context(egress)))

    return asyncio.run(run())


# Prism reads no repeated parameter of a form as a list, so it rejects every MediaUrl: the official
# client is the judge of media in test_http_provider_requests.py.
@pytest.mark.parametrize("kind", sorted(MESSAGES.keys() - {"media"}))
def test_the_mock_accepts_each_kind_of_message(prism: str, kind: str) -> None:
    outcome = act(prism, lambda carrier: carrier.send(MESSAGES[kind]))

    assert isinstance(outcome, Accepted)
    assert [sid[:2] for sid in outcome.provider_ids] in (["SM"], ["MM"])


@pytest.mark.parametrize("kind", MESSAGES)
def test_the_description_has_each_parameter(prism: str, kind: str) -> None:
    form = build_form(MESSAGES[kind], make_options(prism), CALLBACK_URL)

    assert isinstance(form, list)
    assert {name for name, _ in form} <= read_parameters().keys()


def test_the_description_has_one_recipient_and_no_group() -> None:
    known = read_parameters()

    assert known["To"]["type"] == "string"
    assert [name for name in known if re.search("group|recipient|member", name.lower())] == []


def test_the_mock_rejects_a_malformed_account(prism: str) -> None:
    outcome = act(prism, lambda carrier: carrier.send(make_message()), account_sid="AC1")

    assert isinstance(outcome, Rejected)
    assert outcome.retry_after_seconds is None


def test_the_mock_rejects_a_malformed_service(prism: str) -> None:
    service = {"messaging_service_sid": "MG1"}

    outcome = act(prism, lambda carrier: carrier.send(make_message()), **service)

    assert isinstance(outcome, Rejected)


def test_the_mock_demands_the_credentials(prism: str) -> None:
    url = f"{prism}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"

    assert httpx.post(url, data={"To": PHONE}).status_code == 401


def test_the_check_finds_the_account(prism: str) -> None:
    assert act(prism, lambda carrier: carrier.check()) == (
        LinkState("main", is_up=True, detail="status 200"),
    )


def test_the_check_shows_a_rejected_account(prism: str) -> None:
    [state] = act(prism, lambda carrier: carrier.check(), account_sid="AC1")

    assert not state.is_up


def test_the_kinds_cover_the_channels() -> None:
    assert {message.channel for message in MESSAGES.values()} == CARRIER_TYPE.channels
