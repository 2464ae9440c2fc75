"""The reports for operators: health, queues, settings and media."""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.resources.media_setup import MediaClient
from tests.resources.settings_setup import new_account_api
from tests.support.operators import make_operator
from tests.support.polling import eventually
from tests.support.server import ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.client import Api
    from tests.support.server import Server

ROOT = "/parlour/v1/Operator"


@pytest.fixture(scope="module")
def viewer(server: Server) -> Iterator[Api]:
    """Requests of an operator that may only read."""
    operator = make_operator(server, f"reports {secrets.token_hex(4)}", "view")
    with closing(operator.api(server)) as client:
        yield client


@pytest.fixture
def own(server: Server) -> Iterator[Api]:
    """A new account."""
    with closing(new_account_api(server)) as client:
        yield client


def test_health_has_checks_machine_and_the_last_hour(viewer: Api, api: Api) -> None:
    api.get("/v1/Conversations").expect(200)
    found = viewer.get(f"{ROOT}/Health").expect(200)
    states = ["ok", "warning", "error"]
    names = [each["name"] for each in found["checks"]]
    assert len(set(names)) == len(names)
    assert {"settings", "machine", "database", "operators"} <= set(names)
    assert found["state"] == max((each["state"] for each in found["checks"]), key=states.index)
    assert all(each["text"] for each in found["checks"])
    assert found["disk"]["total_bytes"] >= found["disk"]["free_bytes"] > 0
    assert found["memory"]["total_bytes"] > found["memory"]["bytes"] > 0
    assert found["certificate"] is None
    assert found["uptime_seconds"] >= 0
    assert found["requests_running"] >= 1
    dates = [each["date"] for each in found["minutes"]]
    assert (len(dates), dates) == (60, sorted(dates))
    assert dates[-1] <= found["date"]
    assert sum(each["requests"] for each in found["minutes"]) >= 1
    assert max(each["p99_ms"] or 0 for each in found["minutes"]) > 0


def test_health_shows_the_last_backup(server: Server, viewer: Api, tmp_path: Path) -> None:
    def last() -> str | None:
        found: str | None = viewer.get(f"{ROOT}/Health").expect(200)["date_last_backup"]
        return found

    before = last() or ""
    if server.database:
        server.command("backup", "--record")
    else:
        server.command("backup", str(tmp_path / "backup"))
    first = last()
    assert first is not None
    assert first > before
    server.command("backup", "--record")
    second = last()
    assert second is not None
    assert second > first
    for arguments in ((), ("--record", str(tmp_path / "both"))):
        with pytest.raises(ServerError, match="either TARGET or --record"):
            server.command("backup", *arguments)


def test_the_lag_of_the_event_loop_is_measured(viewer: Api) -> None:
    def lags() -> list[float]:
        minutes = viewer.get(f"{ROOT}/Health").expect(200)["minutes"]
        return [each["lag_ms"] for each in minutes if each["lag_ms"] is not None]

    assert all(lag >= 0 for lag in eventually(lags, bool))


def test_checks_are_run_once_for_several_requests(viewer: Api) -> None:
    dates = {viewer.get(f"{ROOT}/Health").expect(200)["date_checked"] for _ in range(5)}
    assert len(dates) <= 2


def test_queues_show_waiting_webhooks_without_passwords(viewer: Api, own: Api) -> None:
    sid = own.post("/v1/Conversations").expect(201)["sid"]
    own.post(
        f"/v1/Conversations/{sid}/Webhooks",
        {
            "Target": "webhook",
            "Configuration.Url": "http://user:password@127.0.0.1:9/",
            "Configuration.Filters": "onMessageAdded",
        },
    ).expect(201)
    headers = {"x-twilio-webhook-enabled": "true"}
    own.post(f"/v1/Conversations/{sid}/Messages", {"Body": "one"}, headers=headers).expect(201)

    def waiting() -> list[dict[str, object]]:
        answer = viewer.get(f"{ROOT}/Queues")
        assert b"password" not in answer.body
        rows = answer.expect(200)["webhooks"]
        return [each for each in rows if each["account_sid"] == own.sid]

    (row,) = eventually(waiting, bool)
    assert row["url"] == "http://127.0.0.1:9/"
    assert row["waiting"] == row["lanes"] == {"count": 1, "at_least": False}
    assert row["date_oldest"] is not None
    assert row["date_next_attempt"] is not None


def test_queues_show_sinks_carriers_jobs_and_the_inbox(viewer: Api, own: Api) -> None:
    own.post("/v1/Conversations").expect(201)
    found = viewer.get(f"{ROOT}/Queues").expect(200)
    assert found["newest_event"] > 0
    (sink,) = found["sinks"]
    assert sink["is_local"] is True
    if viewer.get(f"{ROOT}/Health").expect(200)["engine"] == "postgresql":
        owners = {each["name"]: each["owner"] for each in found["leases"]}
        assert owners[f"sink {sink['name']}"] == sink["owner"] == found["node"]
    else:
        assert (sink["owner"], found["leases"]) == (None, [])
    assert sink["position"] + sink["behind"] >= found["newest_event"]
    assert found["carriers"][0]["name"] == ""
    assert [each["name"] for each in found["carriers"]][1:] == ["virtual"]
    assert found["inbox"] == {"waiting": {"count": 0, "at_least": False}, "date_oldest": None}
    jobs = {each["name"]: each for each in found["jobs"]}
    assert jobs["purge"]["is_upkeep"] is True
    assert {"timers", "media_sweep"} <= set(jobs)
    assert found["has_more_removals"] is found["has_more_webhooks"] is False


def test_settings_have_their_sources_and_no_secrets(viewer: Api, server: Server) -> None:
    answer = viewer.get(f"{ROOT}/Settings")
    rows = {each["name"]: each for each in answer.expect(200)["settings"]}
    assert rows["port"]["option"] == "--port"
    assert rows["port"]["variable"] == "PARLOUR_PORT"
    assert {each["source"] for each in rows.values()} <= {"default", "environment", "option"}
    assert rows["data"]["source"] != "default"
    assert rows["workers"]["value"] == "1"
    for name in ("auth_token", "api_key_secret"):
        assert rows[name]["is_secret"] is True
        assert rows[name]["value"] is None
    assert server.auth_token.encode() not in answer.body


def test_media_are_counted_by_account(viewer: Api, server: Server, own: Api) -> None:
    service = own.get("/v1/Configuration").expect(200)["default_chat_service_sid"]
    before = viewer.get(f"{ROOT}/Media").expect(200)
    MediaClient.of_account(server, own, service).add(b"hello")
    found = viewer.get(f"{ROOT}/Media").expect(200)
    row = next(each for each in found["accounts"] if each["account_sid"] == own.sid)
    assert (row["count"], row["bytes"], row["at_least"]) == (1, 5, False)
    assert found["unattached"]["count"] > before["unattached"]["count"]
    assert found["date_oldest_unattached"] is not None
    assert found["removed"]["at_least"] is False
    assert found["disk"]["free_bytes"] > 0
