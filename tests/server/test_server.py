"""The process as a whole: start, health, metrics, logs, limits, stop."""

from __future__ import annotations

import json
import os
import signal
import stat
import threading
import time

import pytest

from tests.support.client import Api
from tests.support.server import Server, ServerError


def _api(server: Server) -> Api:
    return Api(server.base_url, server.account_sid, server.auth_token)


def test_health_and_metrics_need_no_credentials_and_reveal_no_account(server: Server) -> None:
    api = _api(server)
    api.post("/Conversations", FriendlyName="counted").expect(201)
    anonymous = api.signed(None, None)
    assert anonymous.get("/healthz").expect(200) == {"status": "ok"}
    figures = anonymous.get("/metrics")
    for name in ("requests_in_work", "requests_in_work_max", "refusals_held"):
        assert f"\nparlour_{name} " in figures.text
    assert figures.status == 200
    assert figures.headers["Content-Type"].startswith("text/plain")
    line = 'parlour_requests_total{operation_id="CreateConversation",status="201"}'
    assert line in figures.text
    assert server.account_sid not in figures.text
    anonymous.post("/healthz").refuses(401, 20003)


def test_every_response_has_a_unique_request_id(api: Api) -> None:
    answers = [api.get("/Conversations"), api.get("/nowhere"), api.get("/healthz")]
    ids = {answer.headers["Twilio-Request-Id"] for answer in answers}
    assert len(ids) == len(answers)
    assert all(each.startswith("RQ") and len(each) == 34 for each in ids)
    assert all(answer.headers["Access-Control-Allow-Origin"] == "*" for answer in answers)


def test_the_log_has_requests_without_message_texts(tmp_path: os.PathLike[str]) -> None:
    settings = {"PARLOUR_REQUEST_LOG": "all", "PARLOUR_LOG_FORMAT": "json"}
    with Server(env=settings) as server:
        api = _api(server)
        answer = api.post("/Conversations", FriendlyName="canary-name", Attributes='{"c":"canary"}')
        answer.expect(201)
        api.signed(server.account_sid, "canary-secret").get("/Conversations").refuses(401, 20003)
        server.stop()
        text = server.log_path.read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    logged = [line for line in lines if line["event"] == "request_completed"]
    assert answer.headers["Twilio-Request-Id"] in {line["request_sid"] for line in logged}
    assert {line["status"] for line in logged} >= {201, 401}
    assert "canary" not in text
    assert server.auth_token not in text


def test_a_stop_lets_accepted_requests_finish() -> None:
    with Server() as server:
        answers: list[int] = []

        def write() -> None:
            api = _api(server)
            for number in range(2000):
                try:
                    answers.append(api.post("/Conversations", FriendlyName=str(number)).status)
                except OSError:
                    return

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        began = time.monotonic()
        status = server.stop()
        seconds = time.monotonic() - began
        for thread in threads:
            thread.join()
        assert status == 0
        assert seconds < 10
        assert answers
        assert set(answers) == {201}
        server.restart()
        stored = 0
        api = _api(server)
        page = api.get("/Conversations", PageSize="100").expect(200)
        while True:
            stored += len(page["conversations"])
            if page["meta"]["next_page_url"] is None:
                break
            page = api.get(page["meta"]["next_page_url"]).expect(200)
        assert stored >= len(answers)


def test_ctrl_c_stops_too() -> None:
    with Server() as server:
        os.kill(server.pid, signal.SIGINT)
        assert server.process is not None
        assert server.process.wait(10) == 0


def test_a_key_file_that_others_can_read_is_refused() -> None:
    with Server() as server:
        server.stop()
        key = server.data_dir / "parlour.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        key.chmod(0o644)
        with pytest.raises(ServerError, match="can be read by others"):
            server.restart()


@pytest.mark.promise("--concurrent-requests-per-account-max", 429)
def test_requests_beyond_the_capacity_are_rejected_with_a_retry_after() -> None:
    with Server(env={"PARLOUR_CONCURRENT_REQUESTS_PER_ACCOUNT_MAX": "1"}) as server:
        refused = []

        def send_requests() -> None:
            api = _api(server)
            for _ in range(150):
                answer = api.post("/Conversations")
                if answer.status != 201:
                    refused.append(answer)

        threads = [threading.Thread(target=send_requests) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert refused
        for answer in refused:
            answer.refuses(429, 20429)
            assert int(answer.headers["Retry-After"]) >= 1


def test_the_first_start_creates_an_account_and_prints_its_login() -> None:
    server = Server()
    environment = server.environment()
    for name in ("PARLOUR_ACCOUNT_SID", "PARLOUR_AUTH_TOKEN"):
        environment.pop(name)
    server.environment = lambda: environment  # type: ignore[method-assign]
    with server:
        text = server.log_path.read_text()
        words = dict(word.split("=", 1) for word in text.split() if word.count("=") == 1)
        api = Api(words["PARLOUR_URL"], words["ACCOUNT_SID"], words["AUTH_TOKEN"])
        api.post("/Conversations").expect(201)
        server.stop()
        server.restart()
        assert server.log_path.read_text().count("AUTH_TOKEN=") == 1
        api.get("/Conversations").expect(200)


def test_an_account_and_a_key_of_the_settings_exist_after_the_start() -> None:
    key = "SK" + "0" * 31 + "1"
    settings = {"PARLOUR_API_KEY_SID": key, "PARLOUR_API_KEY_SECRET": "of-the-settings"}
    with Server(env=settings) as server:
        api = _api(server)
        made = api.post("/Conversations").expect(201)
        by_key = api.signed(key, "of-the-settings")
        assert by_key.get(f"/Conversations/{made['sid']}").expect(200) == made
        server.stop()
        server.auth_token = "another-token-for-the-same-account"
        server.restart()
        api.get("/Conversations").refuses(401, 20003)
        _api(server).get(f"/Conversations/{made['sid']}").expect(200)


def test_a_key_revoked_by_the_command_line_stops_within_its_second() -> None:
    with Server() as server:
        sid, secret = server.make_key(server.account_sid)
        by_key = _api(server).signed(sid, secret)
        by_key.get("/Conversations").expect(200)
        server.command("key", "revoke", server.account_sid, sid)
        deadline = time.monotonic() + 3
        while by_key.get("/Conversations").status != 401:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert sid not in server.command("key", "list", server.account_sid)


def test_a_suspended_account_gets_a_specific_error() -> None:
    with Server() as server:
        sid, token = server.make_account()
        api = Api(server.base_url, sid, token)
        api.get("/Conversations").expect(200)
        server.command("account", "status", sid, "suspended")
        deadline = time.monotonic() + 3
        while (answer := api.get("/Conversations")).status == 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        answer.refuses(403, 20005)


def test_urls_in_responses_start_with_the_public_url() -> None:
    with Server(args=("--public-url", "https://chat.example.net/")) as server:
        made = _api(server).post("/Conversations").expect(201)
        assert made["url"] == f"https://chat.example.net/v1/Conversations/{made['sid']}"
        page = _api(server).get("/Conversations").expect(200)
        assert page["meta"]["url"].startswith("https://chat.example.net/v1/Conversations?")
