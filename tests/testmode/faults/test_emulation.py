"""The emulation of an account: rates, strict parameters, latency, retries, the clock of tokens."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from parlour.protocol.access_tokens import UnverifiedToken
from tests.events.in_process_server import ACCOUNT_SID, WITH_HEADER
from tests.support.client import Api
from tests.support.server import Server
from tests.testmode.faults.in_process import FaultyServer, run_with_faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.events.webhook_backend import WebhookBackend
    from tests.testmode.faults.conftest import FaultAccount

DEFAULTS = {
    "actions_per_second": 0,
    "unknown_parameters": "ignore",
    "webhook_retries": "durable",
    "token_clock": "auto",
    "latency_ms": 0,
}


def _emulate(account: FaultAccount, **form: Any) -> dict[str, Any]:
    found: dict[str, Any] = account.own("POST", "/Emulation", **form)
    return {name: found[name] for name in DEFAULTS}


@pytest.fixture(autouse=True)
def _defaults_again(account: FaultAccount) -> Iterator[None]:
    yield
    account.own(
        "POST",
        "/Emulation",
        ActionsPerSecond="",
        UnknownParameters="ignore",
        WebhookRetries="",
        TokenClock="auto",
        LatencyMs=0,
    )


def test_an_emulation_is_changed_in_parts_and_for_one_account(
    account: FaultAccount, other: FaultAccount
) -> None:
    assert _emulate(account) == DEFAULTS

    changed = _emulate(account, LatencyMs=1, WebhookRetries="hosted")
    assert changed == DEFAULTS | {"latency_ms": 1, "webhook_retries": "hosted"}
    changed = _emulate(account, TokenClock="system", ActionsPerSecond=7)
    assert changed == {
        "actions_per_second": 7,
        "unknown_parameters": "ignore",
        "webhook_retries": "hosted",
        "token_clock": "system",
        "latency_ms": 1,
    }
    fetched = account.own("GET", "/Emulation")
    assert fetched == {"account_sid": account.sid, **changed, "url": fetched["url"]}
    assert account.own("GET", "/WebhookRetries")["retries"] == "hosted"
    assert _emulate(other) == DEFAULTS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LatencyMs", "5001"),
        ("ActionsPerSecond", "-1"),
        ("UnknownParameters", "warn"),
        ("WebhookRetries", "never"),
        ("TokenClock", "real"),
    ],
)
def test_a_wrong_value_is_refused(account: FaultAccount, name: str, value: str) -> None:
    refused = account.own("POST", "/Emulation", status=400, **{name: value})

    assert (refused["code"], refused["message"]) == (20001, f"Invalid {name}.")


def test_changes_above_the_rate_are_refused_for_this_account_alone(
    account: FaultAccount, other: FaultAccount
) -> None:
    _emulate(account, ActionsPerSecond=1)

    statuses = [account.api.post("/Users", Identity=f"user {n}").status for n in range(7)]
    assert statuses[:5] == [201] * 5
    assert 429 in statuses
    account.api.post("/Users", Identity="one more").refuses(429, 50063)
    assert {other.api.post("/Users", Identity=f"user {n}").status for n in range(7)} == {201}

    _emulate(account, ActionsPerSecond=0)
    account.api.post("/Users", Identity="and another").expect(201)


def test_every_answer_has_the_latency_of_its_account(
    account: FaultAccount, other: FaultAccount
) -> None:
    _emulate(account, LatencyMs=70)

    assert _seconds(account.api, "/Users") >= 0.07
    assert _seconds(account.api, "/Users/nobody", status=404) >= 0.07
    assert _seconds(other.api, "/Users") < 0.07 or _seconds(other.api, "/Users") < 0.07


def _seconds(api: Api, path: str, status: int = 200) -> float:
    began = time.monotonic()
    api.get(path).expect(status)
    return time.monotonic() - began


def test_another_retry_schedule_applies_to_the_next_attempt(tmp_path: Path) -> None:
    async def scenario(server: FaultyServer, backend: WebhookBackend) -> None:
        await server.enable_webhooks(backend, PreWebhookUrl="", Filters=["onUserAdded"])
        await server.do("CreateUser", {"Identity": "a"}, origin=WITH_HEADER)
        await server.settle()

        await server.own("UpdateEmulation", {"WebhookRetries": "hosted"})
        server.fault(Target="webhook", Status=503)
        await server.do("CreateUser", {"Identity": "b"}, origin=WITH_HEADER)
        await server.settle()

        outcomes = [outcome for outcome, *_ in await server.attempts("onUserAdded")]
        assert outcomes == ["delivered", "failed"]

    run_with_faults(tmp_path, scenario)


def test_the_dates_of_tokens_follow_the_emulated_clock(tmp_path: Path) -> None:
    token = UnverifiedToken("SK", ACCOUNT_SID, {}, "HS256", b"", b"a signature")

    async def scenario(server: FaultyServer, _hooks: WebhookBackend) -> None:
        ahead_ms = 3 * 24 * 3600 * 1000
        await server.advance(ahead_ms)
        shifts = {}
        for rule in ("auto", "virtual", "system"):
            await server.own("UpdateEmulation", {"TokenClock": rule})
            shifts[rule] = server.mode.token_dates.shift_ms(token)

        assert shifts["auto"] == shifts["virtual"] == 0
        assert ahead_ms - 60_000 < shifts["system"] <= ahead_ms

    run_with_faults(tmp_path, scenario)


STRICT = [
    ("POST", "/Users", {"Identiy": "a"}, "parameter Identiy in CreateUser; did you mean Identity?"),
    ("POST", "/Users", {"Identity": "a", "Colour": "b"}, "parameter Colour in CreateUser."),
    ("POST", "/Users?Identity=a", {}, "query parameter Identity in CreateUser: it belongs in"),
    ("GET", "/Users?PageSise=3", None, "query parameter PageSise in ListUser; did you mean Page"),
    ("DELETE", "/Users/a?Force=true", None, "query parameter Force in DeleteUser."),
]


@pytest.mark.promise("strict", 400)
@pytest.mark.parametrize(("method", "path", "form", "message"), STRICT)
def test_strict_requests_name_the_unknown_parameter_and_the_nearest_one(
    account: FaultAccount, method: str, path: str, form: Any, message: str
) -> None:
    _emulate(account, UnknownParameters="refuse")

    more = {} if form is None else {"form": form}
    refused = account.api.request(method, path, **more).refuses(400, 20001)

    assert refused["message"].startswith(f"Unknown {message}")


@pytest.mark.parametrize(
    ("path", "form", "message"),
    [
        ("Faults", {"Target": "request", "Operaton": "ListUser", "Status": "500"}, "Operation"),
        ("Emulation", {"UnknownParameter": "refuse"}, "UnknownParameters"),
    ],
)
def test_test_functions_refuse_unknown_parameters_of_accounts_that_are_not_strict(
    account: FaultAccount, path: str, form: dict[str, str], message: str
) -> None:
    refused = account.own("POST", f"/{path}", status=400, **form)

    assert refused["message"].endswith(f"; did you mean {message}?")
    assert account.own("GET", "/Faults")["faults"] == []
    account.api.get("/Users?Unknown=1").expect(200)


def test_strict_requests_refuse_an_unexpected_body(account: FaultAccount) -> None:
    account.api.post("/Users", Identity="a reader").expect(201)
    _emulate(account, UnknownParameters="refuse")

    for method, name in (("GET", "FetchUser"), ("DELETE", "DeleteUser")):
        refused = account.api.request(method, "/Users/a%20reader", body="x").refuses(400, 20001)
        assert refused["message"] == f"{name} takes no body."
    account.api.get("/Users/a%20reader").expect(200)


def test_strict_requests_take_every_known_parameter(account: FaultAccount, server: Server) -> None:
    _emulate(account, UnknownParameters="refuse")
    service_sid = account.api.get("/Configuration").expect(200)["default_chat_service_sid"]

    made = account.api.post("/Conversations", {"Timers.Closed": "PT1H", "FriendlyName": "a"})
    sid = made.expect(201)["sid"]
    account.api.get("/Conversations?PageSize=1&State=active").expect(200)
    account.api.get(f"/Conversations/{sid}/Messages?Order=desc&PageSize=2").expect(200)
    account.api.delete(f"/Conversations/{sid}").expect(204)
    account.own("GET", "/WebhookAttempts?Wait=0&MinCount=1&PageSize=5")
    url = f"{server.base_url}/v1/Services/{service_sid}/Media"
    text = {"Content-Type": "text/plain"}
    account.api.post(f"{url}?Filename=a.txt", body=b"1", headers=text).expect(201)
    refused = account.api.post(f"{url}?File=a.txt", body=b"1", headers=text).refuses(400, 20001)
    assert "did you mean Filename?" in refused["message"]
    refused = account.own("POST", "/Faults", status=400, Target="request", Statu=500)
    assert refused["message"] == "Unknown parameter Statu in CreateFault; did you mean Status?"


def test_a_strict_server_refuses_unknown_parameters_of_all_accounts(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    data = tmp_path_factory.mktemp("strict") / "data"
    with Server(data, {"PARLOUR_DATABASE": ""}, args=("--test", "--strict")) as strict:
        api = Api(strict.base_url, strict.account_sid, strict.auth_token)
        api.post("/Users", Identiy="a").refuses(400, 20001)
        api.post(f"{strict.base_url}/parlour/v1/Emulation", UnknownParameters="ignore").expect(200)
        api.post("/Users", Identity="a", Colour="b").expect(201)
