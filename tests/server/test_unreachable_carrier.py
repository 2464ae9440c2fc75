"""A server with a carriers file whose carrier is at a closed port, and a number with a webhook."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.ports import ReservedPort

pytestmark = pytest.mark.xdist_group("unreachable-carrier")

NUMBER, PHONE = "+15550100001", "+15550100002"
VIRTUAL_NUMBER = "+15550100003"
FILE = """
[carriers.gateway]
type = "kannel"
sendsms_url = "http://127.0.0.1:{port}/cgi-bin/sendsms"
username = "parlour"
password = {{ env = "KANNEL_PASSWORD" }}
callback_token = {{ env = "KANNEL_TOKEN" }}

[[routes]]
sender = "{number}"
carrier = "gateway"

[[routes]]
channel = "*"
carrier = "virtual"

[[numbers]]
address = "{number}"
account = "{owner}"

[[numbers]]
address = "{virtual_number}"
account = "{owner}"
incoming_url = "http://127.0.0.1:{port}/incoming"
"""
SECRETS = {"KANNEL_PASSWORD": "hush", "KANNEL_TOKEN": "0123456789abcdef0123456789abcdef"}
LINK = r'parlour_carrier_link_up\{carrier="gateway",link="[^"]+"\}'
QUEUE = r'parlour_carrier_queue\{carrier="gateway"\}'


@pytest.fixture(scope="module")
def unreachable(
    tmp_path_factory: pytest.TempPathFactory, refusing_port: ReservedPort
) -> Iterator[Server]:
    """A server whose first number is routed to a gateway that refuses connections."""
    path = tmp_path_factory.mktemp("unreachable") / "carriers.toml"
    made = Server(args=("--carriers", str(path)), env=SECRETS)
    path.write_text(
        FILE.format(
            port=refusing_port.number,
            number=NUMBER,
            virtual_number=VIRTUAL_NUMBER,
            owner=made.account_sid,
        )
    )
    with made:
        yield made


@pytest.fixture
def owner(unreachable: Server) -> Iterator[Api]:
    """The account that owns the numbers."""
    api = Api(unreachable.base_url, unreachable.account_sid, unreachable.auth_token)
    yield api
    api.close()


def metric(api: Api, pattern: str) -> float:
    """Return the value of the only sample of `/metrics` that matches."""
    text = api.signed(None, None).get("/metrics").body.decode()
    (value,) = re.findall(rf"^{pattern} (\S+)$", text, re.MULTILINE)
    return float(value)


def test_metrics_show_the_broken_link_and_the_message_that_waits_for_it(
    unreachable: Server, owner: Api
) -> None:
    assert (metric(owner, QUEUE), metric(owner, LINK)) == (0, 1)
    sid = owner.post("/v1/Conversations").expect(201)["sid"]
    binding = {"MessagingBinding.Address": PHONE, "MessagingBinding.ProxyAddress": NUMBER}
    owner.post(f"/v1/Conversations/{sid}/Participants", binding).expect(201)
    owner.post(f"/v1/Conversations/{sid}/Messages", Body="Hello").expect(201)
    eventually(lambda: metric(owner, LINK), lambda value: value == 0)
    # The queues are measured at the start of a term, and then only every few seconds.
    unreachable.restart()
    eventually(lambda: metric(owner, QUEUE), lambda value: value == 1)


def test_a_text_to_a_number_with_a_webhook_has_the_outcome_plain_webhook(owner: Api) -> None:
    path = f"/parlour/v1/VirtualPhones/{PHONE}/Messages"
    sent = owner.post(path, To=VIRTUAL_NUMBER, Body="Hi").expect(201)
    assert sent["outcome"] == "plain_webhook"
    placed = [sent[f"{name}_sid"] for name in ("conversation", "message", "participant")]
    assert placed == [None, None, None]
    assert f"no open conversation has {PHONE} with {VIRTUAL_NUMBER}" in sent["reason"]
    assert owner.get(path).expect(200)["messages"] == [sent]
