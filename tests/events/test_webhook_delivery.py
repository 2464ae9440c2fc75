"""Post-action webhooks over the network: retried, in order, logged, replayed, resumed."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from twilio.request_validator import RequestValidator

from tests.checkers.webhook_receiver import Line, WebhookReceiver
from tests.resources.settings_setup import new_account_api
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.server import UNCHECKED, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.ports import ReservedPort

ENABLED = {"X-Twilio-Webhook-Enabled": "true"}
LOG = "/parlour/v1/WebhookAttempts"


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebhookReceiver]:
    """One receiver for the tests of this file; each test uses separate paths."""
    with WebhookReceiver(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.fixture
def own(server: Server) -> Iterator[Api]:
    """Return a new account."""
    api = new_account_api(server)
    yield api
    api.close()


def listen(api: Api, url: str, method: str = "POST") -> str:
    """Send webhooks for messages to a URL; return the sid of a conversation to write them in."""
    form = {"PostWebhookUrl": url, "Method": method, "Filters": ["onMessageAdded"]}
    api.post("/Configuration/Webhooks", form).expect(200)
    sid: str = api.post("/Conversations").expect(201)["sid"]
    return sid


def send_messages(api: Api, conversation_sid: str, *bodies: str) -> None:
    for body in bodies:
        path = f"/Conversations/{conversation_sid}/Messages"
        api.post(path, Body=body, headers=ENABLED).expect(201)


def log_of(api: Api, **filters: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(LOG, **filters).expect(200)["webhook_attempts"]
    return found


def bodies(lines: list[Line]) -> list[str]:
    return [line.parameters["Body"] for line in lines]


def arrived(receiver: WebhookReceiver, path: str, count: int, seconds: float = 10.0) -> list[Line]:
    return eventually(
        lambda: receiver.lines(path), lambda lines: len(lines) >= count, seconds=seconds
    )


# --- The request


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_request_is_signed_named_and_complete(
    own: Api, receiver: WebhookReceiver, method: str
) -> None:
    path = f"/ok/request-{method}"
    url = receiver.url(path) + "?tenant=7"
    send_messages(own, listen(own, url, method), "Grüße & 50% off")
    (line,) = arrived(receiver, path, 1)
    assert line.method == method
    assert line.headers["accept"] == "*/*"
    assert line.headers["user-agent"] == "TwilioProxy/1.1"
    assert line.retry_count == 0
    signature = line.headers["x-twilio-signature"]
    received = {name: text for name, text in line.parameters.items() if name != "tenant"}
    assert list(received) == sorted(received)
    assert received["Body"] == "Grüße & 50% off"
    if method == "POST":
        assert line.headers["content-type"] == "application/x-www-form-urlencoded; charset=utf-8"
        assert RequestValidator(own.token).validate(url, received, signature)
    else:
        assert "content-type" not in line.headers


def test_credentials_of_a_url_are_sent_and_shown_nowhere(
    own: Api, receiver: WebhookReceiver, server: Server
) -> None:
    url = receiver.url("/ok/credentials").replace("http://", "http://user:hidden-word@")
    send_messages(own, listen(own, url), "hello")
    (line,) = arrived(receiver, "/ok/credentials", 1)
    assert line.headers["authorization"].startswith("Basic ")
    (attempt,) = eventually(lambda: log_of(own), bool)
    assert attempt["request"]["url"] == receiver.url("/ok/credentials")
    assert "hidden-word" not in json.dumps(attempt)
    shown = server.command("webhooks", "list", str(own.sid))
    assert "credentials" in shown
    assert "hidden-word" not in shown


def test_a_request_without_the_header_calls_no_webhook(own: Api, receiver: WebhookReceiver) -> None:
    conversation_sid = listen(own, receiver.url("/ok/silent"))
    own.post(f"/Conversations/{conversation_sid}/Messages", Body="quiet").expect(201)
    send_messages(own, conversation_sid, "loud")
    assert bodies(arrived(receiver, "/ok/silent", 1)) == ["loud"]


# --- Failures


def test_a_failed_attempt_is_made_again_under_the_same_token(
    own: Api, receiver: WebhookReceiver
) -> None:
    path = "/fail/2/500/retried"
    send_messages(own, listen(own, receiver.url(path)), "once")
    lines = arrived(receiver, path, 3)
    assert [line.retry_count for line in lines] == [0, 1, 2]
    assert len({line.token for line in lines}) == 1
    assert lines[1].at - lines[0].at >= 1
    assert lines[2].at - lines[1].at >= 2
    attempts = eventually(lambda: log_of(own), lambda found: len(found) == 3)
    assert [each["outcome"] for each in attempts] == ["delivered", "retrying", "retrying"]
    assert [each["error_code"] for each in attempts] == [None, 50057, 50057]
    assert [each["response"]["status"] for each in attempts] == [200, 500, 500]
    assert {each["delivery_state"] for each in attempts} == {"delivered"}
    assert attempts[0]["date_next_attempt"] is None
    assert attempts[1]["date_next_attempt"] > attempts[1]["date_created"]


def test_later_messages_wait_for_an_earlier_one_and_other_conversations_do_not(
    own: Api, receiver: WebhookReceiver
) -> None:
    path = "/fail/1/503/held"
    first = listen(own, receiver.url(path))
    own.post("/Configuration/Webhooks", PostWebhookUrl=receiver.url("/ok/free")).expect(200)
    second = own.post("/Conversations").expect(201)["sid"]
    send_messages(own, second, "not held")
    assert bodies(arrived(receiver, "/ok/free", 1)) == ["not held"]
    own.post("/Configuration/Webhooks", PostWebhookUrl=receiver.url(path)).expect(200)
    send_messages(own, first, "a", "b", "c")
    lines = arrived(receiver, path, 6)
    assert bodies(lines) == ["a", "a", "b", "b", "c", "c"]


def test_a_410_stops_a_delivery_at_once(own: Api, receiver: WebhookReceiver) -> None:
    send_messages(own, listen(own, receiver.url("/status/410")), "gone")
    (attempt,) = eventually(lambda: log_of(own), bool)
    assert (attempt["outcome"], attempt["delivery_state"]) == ("stopped", "stopped")


def test_a_refusing_receiver_is_logged_and_retried_until_it_is_back(
    own: Api, refusing_port: ReservedPort
) -> None:
    send_messages(own, listen(own, f"{refusing_port.url}/nobody"), "to nobody")
    attempt = eventually(lambda: log_of(own, Outcome="retrying"), bool)[-1]
    assert (attempt["error_code"], attempt["response"]) == (11205, None)
    assert attempt["error"].startswith("connect")
    metrics = own.get("/metrics").text
    backlog = next(x for x in metrics.splitlines() if x.startswith("parlour_webhook_backlog "))
    assert float(backlog.split()[1]) >= 1
    assert 'parlour_webhook_attempts_total{outcome="retrying"}' in metrics
    assert "parlour_webhook_oldest_seconds" in metrics


def test_the_hosted_schedule_makes_one_attempt(own: Api, receiver: WebhookReceiver) -> None:
    own.post("/parlour/v1/WebhookRetries", Retries="hosted").expect(200)
    send_messages(own, listen(own, receiver.url("/status/503/hosted")), "once only")
    (attempt,) = eventually(lambda: log_of(own), bool)
    assert (attempt["outcome"], attempt["delivery_state"]) == ("failed", "failed")
    time.sleep(1.2)
    assert len(receiver.lines("/status/503/hosted")) == 1


def test_a_detached_webhook_receives_no_more_events(own: Api, receiver: WebhookReceiver) -> None:
    conversation_sid = own.post("/Conversations").expect(201)["sid"]
    path = "/status/500/detached"
    webhook = own.post(
        f"/Conversations/{conversation_sid}/Webhooks",
        {
            "Target": "webhook",
            "Configuration.Url": receiver.url(path),
            "Configuration.Filters": ["onMessageAdded"],
        },
    ).expect(201)
    send_messages(own, conversation_sid, "first", "second")
    eventually(lambda: log_of(own, Outcome="retrying"), bool)
    own.delete(f"/Conversations/{conversation_sid}/Webhooks/{webhook['sid']}").expect(204)
    stopped = eventually(lambda: log_of(own, Outcome="stopped"), lambda each: len(each) == 2)
    assert {each["webhook_sid"] for each in stopped} == {webhook["sid"]}
    count = len(receiver.lines(path))
    time.sleep(1.5)
    assert len(receiver.lines(path)) <= count + 1
    assert "second" not in bodies(receiver.lines(path))


# --- The log


def test_the_log_is_filtered_and_paged(own: Api, receiver: WebhookReceiver) -> None:
    first = listen(own, receiver.url("/ok/log"))
    filters = ["onMessageAdded", "onConversationAdded"]
    own.post("/Configuration/Webhooks", Filters=filters).expect(200)
    second = own.post("/Conversations", headers=ENABLED).expect(201)["sid"]
    send_messages(own, first, "1", "2", "3")
    send_messages(own, second, "4")
    eventually(lambda: log_of(own), lambda found: len(found) == 5)
    assert len(log_of(own, ConversationSid=first)) == 3
    assert len(log_of(own, ConversationSid=second)) == 2
    assert len(log_of(own, EventType="onConversationAdded")) == 1
    assert len(log_of(own, EventType="onMessageAdded", ConversationSid=second)) == 1
    assert len(log_of(own, Outcome="delivered")) == 5
    assert log_of(own, Outcome="failed") == []
    assert len(log_of(own, Since="2020-01-01T00:00:00Z")) == 5
    assert log_of(own, Since="2100-01-01T00:00:00Z") == []
    assert log_of(own, Until="2020-01-01T00:00:00Z") == []
    seen = []
    page = own.get(LOG, PageSize="2").expect(200)
    while True:
        seen += [each["sid"] for each in page["webhook_attempts"]]
        if page["meta"]["next_page_url"] is None:
            break
        page = own.get(page["meta"]["next_page_url"]).expect(200)
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 5
    one = own.get(f"{LOG}/{seen[0]}").expect(200)
    assert own.get(one["url"]).expect(200) == one


@pytest.mark.parametrize(
    "filters",
    [{"Outcome": "maybe"}, {"EventType": "onLunch"}, {"Since": "soon"}, {"ConversationSid": "CH"}],
    ids=str,
)
def test_a_filter_that_means_nothing_is_refused(own: Api, filters: dict[str, str]) -> None:
    own.get(LOG, filters).refuses(400, 20001)


def test_another_account_cannot_see_it(
    own: Api, receiver: WebhookReceiver, foreign_api: Api
) -> None:
    send_messages(own, listen(own, receiver.url("/ok/mine")), "mine")
    (attempt,) = eventually(lambda: log_of(own), bool)
    foreign_api.get(f"{LOG}/{attempt['sid']}").refuses(404, 20404)
    foreign_api.post(f"{LOG}/{attempt['sid']}/Replay").refuses(404, 20404)
    assert attempt["sid"] not in {each["sid"] for each in log_of(foreign_api)}


# --- Replays


def test_a_replay_makes_the_delivery_again_under_its_token(
    own: Api, receiver: WebhookReceiver
) -> None:
    send_messages(own, listen(own, receiver.url("/ok/replayed")), "again")
    (attempt,) = eventually(lambda: log_of(own), bool)
    shown = own.post(f"{LOG}/{attempt['sid']}/Replay").expect(202)
    assert shown["sid"] == attempt["sid"]
    first, second = arrived(receiver, "/ok/replayed", 2)
    assert first.parameters == second.parameters
    assert first.token == second.token
    eventually(lambda: log_of(own), lambda found: len(found) == 2)


def test_a_range_is_replayed_in_order(own: Api, receiver: WebhookReceiver, server: Server) -> None:
    conversation_sid = listen(own, receiver.url("/ok/range"))
    send_messages(own, conversation_sid, *"abcde")
    eventually(lambda: log_of(own), lambda found: len(found) == 5)
    own.post(f"{LOG}/Replay").refuses(400, 20001)
    made = own.post(f"{LOG}/Replay", Since="2020-01-01", Outcome="delivered").expect(202)
    assert (made["replayed"], made["has_more"]) == (5, False)
    assert bodies(arrived(receiver, "/ok/range", 10)) == list("abcdeabcde")
    printed = server.command(
        *("webhooks", "replay", str(own.sid), "--since", "2020-01-01"),
        *("--conversation", conversation_sid, "--json"),
    )
    assert json.loads(printed) == {"replayed": 5}
    assert bodies(arrived(receiver, "/ok/range", 15))[10:] == list("abcde")


def test_dropped_deliveries_are_delivered_by_a_replay(
    own: Api, server: Server, tmp_path: Any
) -> None:
    server.command("webhooks", "retries", str(own.sid), "hosted")
    late = WebhookReceiver(tmp_path)
    send_messages(own, listen(own, late.url("/ok/late")), "late")
    (attempt,) = eventually(lambda: log_of(own, Outcome="failed"), bool)
    with late:
        own.post(f"{LOG}/{attempt['sid']}/Replay").expect(202)
        (line,) = arrived(late, "/ok/late", 1)
    assert line.token == attempt["idempotency_token"]


# --- Over restarts


def test_pending_deliveries_resume_after_a_kill(tmp_path: Any) -> None:
    with Server(tmp_path / "data") as server, WebhookReceiver(tmp_path) as receiver:
        api = Api(server.base_url, server.account_sid, server.auth_token)
        conversation_sid = listen(api, receiver.url("/ok"))
        receiver.kill()
        send_messages(api, conversation_sid, *"abc")
        eventually(lambda: log_of(api), bool)
        server.kill()
        receiver.start()
        server.start()
        lines = arrived(receiver, "/ok", 3, seconds=20)
        assert bodies(lines) == list("abc")
        assert lines[0].retry_count >= 1
        api.close()


def test_old_attempts_are_removed_and_pending_ones_stay(tmp_path: Any) -> None:
    environment = {"PARLOUR_WEBHOOK_RETENTION_HOURS": "0"}
    with (
        Server(tmp_path / "data", env=environment, program=[UNCHECKED]) as server,
        WebhookReceiver(tmp_path) as receiver,
    ):
        api = Api(server.base_url, server.account_sid, server.auth_token)
        send_messages(api, listen(api, receiver.url("/ok")), "kept shortly")
        arrived(receiver, "/ok", 1)
        send_messages(api, listen(api, receiver.url("/status/500")), "pending")
        eventually(lambda: log_of(api, Outcome="delivered"), lambda each: not each, seconds=20)
        count = len(receiver.lines("/status/500"))
        arrived(receiver, "/status/500", count + 1, seconds=20)
        api.close()
