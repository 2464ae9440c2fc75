"""Webhook requests of the server, as received, pass both official signature validators."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from twilio.request_validator import RequestValidator

from parlour.protocol.signatures import prepare_json_url, prepare_url, sign
from tests.contract import test_every_operation_npm as by_node
from tests.events.in_process_server import ALICE, AUTH_TOKEN, WITH_HEADER, InProcessServer
from tests.events.webhook_backend import WebhookBackend
from tests.support.nodejs import node_command

if TYPE_CHECKING:
    from tests.events.webhook_backend import WebhookRequest

# Both run Node.js; one process should do it.
pytestmark = pytest.mark.xdist_group("npm-client")

installed_node_packages = by_node.installed_node_packages

SECONDS_MAX = 60
PATHS = [
    "/hook",
    "/hook/",
    "",
    "/",
    "/hook?tenant=7",
    "?tenant=7",
    "/hook?",
    "/hook?a=1&a=2&b",
    "/hook?q=a+b%20c&q2=%2B",
    "/hook?u=http://example.com/?x=y",
    "/hook#fragment",
    "/hook?a=b#rc=2&rp=all",
    "/hook/%7Euser/%41",
    "/hook/it's(ok)!*",
    "/hook;v=1/a=b,c",
    "/höök/ü?k=ß",
    "//double//slash",
    "/hook/../up/./here",
    "/hook?bodySHA256x=1",
    "/a%2Fb?c=%26",
    "/hook?pipe=%7C&caret=%5E",
    "/HOOK/CamelCase?Tenant=A",
]
USERS = ["", "user:pass@", "user@", "us%40er:p%3Ass@"]
BODIES = [
    "Grüße & 50% off = 1+1",
    "line one\nline two\r\n\ttabbed",
    "😀 \N{ZERO WIDTH JOINER} \u202e",
    " spaces around ",
    "\"quotes\" 'and' <tags>",
    "a" * 3000,
]


@dataclass(frozen=True)
class Received:
    """One request as its receiver sees it: its URL has the Host header and the target."""

    configured: str
    method: str
    url: str
    signature: str
    parameters: dict[str, str]
    json_body: str | None = None


def received(configured: str, request: WebhookRequest) -> Received:
    parameters = request.values if request.method == "POST" else {}
    url = f"http://{request.headers['host']}{request.target}"
    signature = request.headers["x-twilio-signature"]
    return Received(configured, request.method, url, signature, parameters)


async def collect(folder: Path) -> list[Received]:
    """Return the server's webhook requests about messages in every form, at every odd URL."""
    async with WebhookBackend() as hooks, InProcessServer(folder) as instance:
        sid = (await instance.do("CreateConversation")).sid
        found: list[Received] = []

        async def trigger_webhooks(configured: str, method: str, body: str) -> None:
            form: Any = {
                "PreWebhookUrl": configured,
                "PostWebhookUrl": configured,
                "Method": method,
                "Filters": ["onMessageAdd", "onMessageAdded"],
            }
            await instance.do("UpdateConfigurationWebhook", form)
            hooks.requests.clear()
            await instance.send_message(sid, body, ALICE, Attributes='{"k": "v"}')
            await instance.wait_until_idle()
            assert [request.event for request in hooks.requests] == [
                "onMessageAdd",
                "onMessageAdded",
            ]
            found.extend(received(configured, request) for request in hooks.requests)

        for method in ("POST", "GET"):
            for path in PATHS:
                await trigger_webhooks(hooks.url(path), method, "said")
            for user in USERS[1:]:
                await trigger_webhooks(hooks.url("/hook?a=b", user), method, "said")
            for body in BODIES:
                await trigger_webhooks(hooks.url("/hook?a=b"), method, body)
            for host in ("localhost", "LocalHost", "127.1", "0x7f000001"):
                await trigger_webhooks(f"HTTP://{host}:{hooks.port}/hook", method, "said")
        await instance.do("UpdateConfigurationWebhook", {"PostWebhookUrl": "", "PreWebhookUrl": ""})
        await instance.attach(sid, Url=hooks.url("/s?a=b"), Filters="onMessageAdded", Method="GET")
        await instance.attach(sid, "trigger", Url=hooks.url("/t?a=b"), Triggers="said")
        hooks.requests.clear()
        await instance.send_message(sid, "said", WITH_HEADER)
        await instance.wait_until_idle()
        assert len(hooks.requests) == 2
        return found + [received(request.path, request) for request in hooks.requests]


@pytest.fixture(scope="module")
def requests() -> list[Received]:
    with TemporaryDirectory(prefix="parlour-signatures-") as folder:
        return asyncio.run(collect(Path(folder) / "data"))


def in_python(requests: list[Received], token: str = AUTH_TOKEN) -> list[bool]:
    validator = RequestValidator(token)
    return [
        validator.validate(
            each.url, each.parameters if each.json_body is None else each.json_body, each.signature
        )
        for each in requests
    ]


def in_node(requests: list[Received], token: str = AUTH_TOKEN) -> list[bool]:
    lines = [json.dumps(_for_node(each, token)) for each in requests]
    done = subprocess.run(
        [*node_command(), "verify_signatures.mjs"],
        cwd=by_node.HERE,
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _for_node(each: Received, token: str) -> dict[str, Any]:
    shown = {"token": token, "signature": each.signature, "url": each.url}
    if each.json_body is not None:
        return {**shown, "body": each.json_body}
    return {**shown, "parameters": each.parameters}


def test_number_of_requests_is_sufficient(requests: list[Received]) -> None:
    per_method = len(PATHS) + len(USERS) - 1 + len(BODIES) + 4
    assert len(requests) == 2 * 2 * per_method + 2
    assert not any("@" in each.url.partition("/hook")[0] for each in requests)
    assert not any("#" in each.url for each in requests)


def test_python_validator_accepts_all_requests(requests: list[Received]) -> None:
    verdicts = zip(requests, in_python(requests), strict=True)
    assert [each for each, is_valid in verdicts if not is_valid] == []


def test_node_validator_accepts_all_requests(
    requests: list[Received], installed_node_packages: None
) -> None:
    verdicts = zip(requests, in_node(requests), strict=True)
    assert [each for each, is_valid in verdicts if not is_valid] == []


def forged(requests: list[Received]) -> list[Received]:
    """Return each request with one change."""
    changed = []
    for each in requests:
        if each.parameters:
            body = each.parameters["Body"]
            changed.append(replace(each, parameters={**each.parameters, "Body": body + "!"}))
            fewer = {**each.parameters}
            del fewer["Source"]
            changed.append(replace(each, parameters=fewer))
        changed.append(replace(each, url=each.url + "x"))
        changed.append(replace(each, signature=each.signature.swapcase()))
    return changed


def test_forged_requests_fail_both_validators(
    requests: list[Received], installed_node_packages: None
) -> None:
    false = forged(requests)
    assert [each for each, ok in zip(false, in_python(false), strict=True) if ok] == []
    assert [each for each, ok in zip(false, in_node(false), strict=True) if ok] == []
    other = AUTH_TOKEN + "x"
    assert not any(in_python(requests, other))
    assert not any(in_node(requests, other))


# --- Generated requests -----------------------------------------------------------------

GENERATED = 500
NAMES = ["Body", "Author", "a", "A", "MessagingBinding.Type", "Z9", "isOnline", "Attributes"]
LETTERS = "abcXYZ019 -._~!$'()*,=:@/%+&?\"<>äß€😀\n\t"


def generated(seed: int) -> list[Received]:
    """Return requests of every kind with odd URLs and values, signed by the server's code."""
    dice = random.Random(seed)

    def text(letters: str, most: int) -> str:
        return "".join(dice.choices(letters, k=dice.randrange(most + 1)))

    def url() -> str:
        host = dice.choice(["h.test", "H.Test", "127.0.0.1", "bücher.example", "[::1]"])
        port = dice.choice(["", ":80", ":443", ":8443"])
        path = dice.choice(["", "/", "/hook", "/" + text("abc/%.~'(,=:@+äß", 10)])
        query = dice.choice(["", "?a=1&b=2", "?q=" + text("ab&=%20+/äß", 10)])
        return dice.choice(["http", "https"]) + "://" + host + port + path + query

    made = []
    for number in range(GENERATED):
        configured = url()
        pairs = {name: text(LETTERS, 12) for name in dice.sample(NAMES, dice.randrange(1, 6))}
        kind = ("form", "get", "json")[number % 3]
        body, parameters = None, {}
        if kind == "form":
            prepared, parameters = prepare_url(configured), pairs
        elif kind == "get":
            prepared = prepare_url(configured, sorted(pairs.items()))
        else:
            body = json.dumps([pairs])
            prepared = prepare_json_url(configured, body.encode())
        signature = sign(AUTH_TOKEN, prepared.signed_url, list(parameters.items()))
        made.append(Received(configured, kind, prepared.signed_url, signature, parameters, body))
    return made


def test_five_hundred_generated_requests_pass_both_validators(
    installed_node_packages: None,
) -> None:
    made = generated(20_261_125)
    assert [each for each, ok in zip(made, in_python(made), strict=True) if not ok] == []
    assert [each for each, ok in zip(made, in_node(made), strict=True) if not ok] == []
    altered = [replace(each, json_body=each.json_body + " ") for each in made if each.json_body]
    assert len(altered) == GENERATED // 3
    assert not any(in_python(altered))
    assert not any(in_node(altered))
