"""Wrong logins are throttled by address and name, without rejecting a correct one."""

from __future__ import annotations

import contextlib
import json
import resource
import secrets
import statistics
import threading
import time
from collections import Counter
from http.client import HTTPResponse
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary import limits
from tests.attacks.attack_traffic import connect, request_in_turn
from tests.attacks.harness import basic, request
from tests.support.background_threads import BackgroundThreads
from tests.support.client import Api, ApiResponse
from tests.support.offline_writes import OfflineWrites
from tests.support.polling import eventually
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

DELAY_SECONDS = limits.LOGIN_DELAY_MS / 1000
FREE = limits.LOGIN_FAILURES_MAX
PATH = "/v1/Conversations"


STORM_SECONDS_MAX = 300.0
GUESSES = 20_000
FILES = 8_192
SECONDS_MAX = 10.0
"""How long a single right login may take where the machine may be busy with other tests."""


@pytest.fixture(scope="module")
def many_files() -> Iterator[None]:
    """Let this process, and the servers that it starts, open as many files as storms need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def server(many_files: None) -> Iterator[Server]:
    del many_files
    with Server() as running:
        yield running


def send_request(
    server: Server, name: str, secret: str, **headers: str
) -> tuple[ApiResponse, float]:
    """Return a response, and the seconds that it took."""
    api = Api(server.base_url, name, secret)
    began = time.monotonic()
    try:
        answer = api.get(PATH, headers=headers)
    finally:
        api.close()
    return answer, time.monotonic() - began


def guess(server: Server, name: str, peer: str = "") -> float:
    """The seconds that a wrong login took, which must be answered as always."""
    headers = {"X-Forwarded-For": peer} if peer else {}
    answer, seconds = send_request(server, name, secrets.token_hex(16), **headers)
    answer.refuses(401, 20003)
    return seconds


def figure(server: Server, name: str) -> float:
    """Return one value of the metrics."""
    text = Api(server.base_url, None, None).get("/metrics").text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


class Storm(BackgroundThreads):
    """Guesses without end on many connections, as fast as they are answered."""

    def __init__(self, server: Server, connections: int, guesses: list[bytes]) -> None:
        super().__init__((server, connections, guesses))
        self.statuses: Counter[str] = Counter()

    def _run(self, server: Server, connections: int, guesses: list[bytes]) -> None:
        self.statuses = request_in_turn(
            server, guesses, seconds=STORM_SECONDS_MAX, connections=connections, stop=self._stop
        )


def guess_of(name: str, peer: str) -> bytes:
    """The request of a guess from an address."""
    login = basic(name, secrets.token_hex(16))
    return request("GET", PATH, f"Authorization: {login}", f"X-Forwarded-For: {peer}")


def test_the_guesses_after_ten_are_delayed_and_a_proven_login_is_not(server: Server) -> None:
    sid, token = server.make_account()
    send_request(server, sid, token)[0].expect(200)

    taken = [guess(server, sid) for _ in range(FREE + 2)]

    assert max(taken[:FREE]) < DELAY_SECONDS
    assert min(taken[FREE:]) >= DELAY_SECONDS
    # The second of the cache has passed: it is read again, and not held.
    answer, seconds = send_request(server, sid, token)
    answer.expect(200)
    assert seconds < DELAY_SECONDS


def test_an_unknown_account_is_delayed_as_a_known_one_is(server: Server) -> None:
    sid, _ = server.make_account()
    key_sid, _ = server.make_key(sid)
    for name in (key_sid, f"AC{secrets.token_hex(16)}"):
        taken = [guess(server, name) for _ in range(FREE + 1)]
        assert max(taken[:FREE]) < DELAY_SECONDS <= taken[FREE] < DELAY_SECONDS + 1, name


def test_another_account_and_another_address_are_not_delayed(server: Server) -> None:
    (sid, token), (other_sid, other_token) = server.make_account(), server.make_account()
    for _ in range(FREE + 1):
        guess(server, sid, peer="192.0.2.1")

    assert guess(server, sid, peer="192.0.2.1") >= DELAY_SECONDS
    assert guess(server, sid, peer="192.0.2.2") < DELAY_SECONDS
    assert guess(server, other_sid, peer="192.0.2.1") < DELAY_SECONDS
    for name, secret, peer in (
        (sid, token, "192.0.2.2"),
        (other_sid, other_token, "192.0.2.1"),
    ):
        answer, seconds = send_request(server, name, secret, **{"X-Forwarded-For": peer})
        answer.expect(200)
        assert seconds < DELAY_SECONDS


def test_forwarded_headers_of_an_untrusted_peer_are_ignored() -> None:
    with Server(args=("--trusted-proxies", "192.0.2.0/24")) as server:
        sid, _ = server.make_account()
        taken = [guess(server, sid, peer=f"198.51.100.{number}") for number in range(FREE + 1)]
        assert taken[FREE] >= DELAY_SECONDS


@pytest.mark.parametrize("guessers", [24, 500])
@pytest.mark.parametrize("others", [False, True], ids=["same-address", "other-addresses"])
def test_a_right_key_gets_in_during_a_storm_of_guesses(
    server: Server, others: bool, guessers: int
) -> None:
    sid, _ = server.make_account()
    key_sid, secret = server.make_key(sid)
    numbers = [number % guessers if others else 1 for number in range(GUESSES)]
    peers = [f"198.18.{number // 250}.{number % 250}" for number in numbers]
    storm = Storm(server, guessers, [guess_of(key_sid, peer) for peer in peers])
    storm.start()
    try:
        # As many of them are delayed as may be for one pair, or nearly so.
        held = min(guessers, limits.LOGINS_HELD_PER_PAIR_MAX) * 0.75
        eventually(lambda: figure(server, "parlour_logins_held"), lambda now: now >= held)
        reads = figure(server, "parlour_login_reads_total")
        refused = figure(server, "parlour_logins_refused_total")
        began = time.monotonic()
        answer, seconds = send_request(server, key_sid, secret, **{"X-Forwarded-For": "198.18.0.1"})
        answer.expect(200)
        again, seconds_again = send_request(
            server, key_sid, secret, **{"X-Forwarded-For": "198.18.0.1"}
        )
        again.expect(200)
        passed = time.monotonic() - began
        reads = figure(server, "parlour_login_reads_total") - reads
        refused = figure(server, "parlour_logins_refused_total") - refused
    finally:
        storm.stop()
    eventually(lambda: figure(server, "parlour_logins_held"), lambda now: now == 0)
    assert seconds < 2
    assert seconds_again < DELAY_SECONDS
    assert refused > 10
    # One for each second and name, and for the correct key once it is verified.
    assert reads <= 2 * (passed + 2)
    assert storm.statuses.keys() <= {"401", "429"}


@pytest.fixture
def own_server(many_files: None) -> Iterator[Server]:
    """Return a server whose lookups continue after the test."""
    del many_files
    with Server() as running:
        yield running


def test_correct_keys_are_accepted_during_guesses_of_unknown_names_from_one_address(
    own_server: Server,
) -> None:
    sid, _ = own_server.make_account()
    keys = [own_server.make_key(sid) for _ in range(12)]
    guessers, peer = 1_500, "192.0.2.1"
    names = [f"AC{secrets.token_hex(16)}" for _ in range(GUESSES)]
    storm = Storm(own_server, guessers, [guess_of(name, peer) for name in names])
    storm.start()
    taken = []
    try:
        # Most of them have a response already, so as many names wait as there are connections.
        eventually(
            lambda: figure(own_server, "parlour_logins_refused_total"),
            lambda refused: refused > 2 * guessers,
        )
        for key_sid, secret in keys:
            answer, seconds = send_request(own_server, key_sid, secret, **{"X-Forwarded-For": peer})
            answer.expect(200)
            taken.append(seconds)
    finally:
        storm.stop()
    assert statistics.median(taken) < 2
    assert max(taken) < SECONDS_MAX
    assert storm.statuses.keys() == {"401"}


@pytest.mark.promise("reference/quirks.md", "wrong ones are answered 429")
@pytest.mark.promise("reference/quirks.md", "before they are verified, and are answered 401")
def test_guesses_beyond_the_queue_get_429_at_once(server: Server) -> None:
    sid, token = server.make_account()
    for _ in range(FREE):
        guess(server, sid)
    more = 8
    sent = request("GET", PATH, account=(sid, "wrong"))
    with contextlib.ExitStack() as stack:
        opened = [
            stack.enter_context(connect(server))
            for _ in range(limits.LOGINS_HELD_PER_PAIR_MAX + more)
        ]
        began = time.monotonic()
        for each in opened:
            each.sendall(sent)
        answers = [HTTPResponse(each) for each in reversed(opened)]
        for number, each in enumerate(answers):
            each.begin()
            if number == 0:
                # Those that were too many are answered while the others are held.
                assert time.monotonic() - began < DELAY_SECONDS, "The machine is too slow."
                send_request(server, sid, token)[0].expect(200)
        early = [each for each in answers if each.status == 429]
        assert len(early) == more
        assert {each.headers["Retry-After"] for each in early} == {str(limits.RETRY_AFTER_SECONDS)}
        assert json.loads(early[0].read())["code"] == 20429
        assert {each.status for each in answers} == {401, 429}
    assert figure(server, "parlour_logins_held") == 0


@pytest.mark.promise("LOGINS_HELD_PER_PAIR_MAX", 429)
def test_a_flooded_login_causes_no_lookup(server: Server) -> None:
    sid, _ = server.make_account()
    for _ in range(FREE):
        guess(server, sid)
    time.sleep(limits.LOGIN_CACHE_MS_MAX / 1000 + 0.1)
    reads = figure(server, "parlour_login_reads_total")
    sent = request("GET", PATH, account=(sid, "wrong"))
    with contextlib.ExitStack() as stack:
        for _ in range(limits.LOGINS_HELD_PER_PAIR_MAX):
            stack.enter_context(connect(server)).sendall(sent)
        began = time.monotonic()
        answer, _ = send_request(server, sid, "also wrong")
        answer.refuses(429, 20429)
        reads_after = figure(server, "parlour_login_reads_total")
        assert time.monotonic() - began < DELAY_SECONDS, "The machine is too slow."
        assert reads_after == reads


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.promise("WRONG_LOGINS_CACHED_MAX", 401)
@pytest.mark.promise("reference/quirks.md", "repeated within a second is answered 401")
@pytest.mark.promise("explanation/overload.md", "second is answered with a prepared 401")
def test_a_repeated_wrong_login_is_rejected_at_once_without_a_lookup(
    server: Server, known: bool
) -> None:
    sid = server.make_account()[0] if known else f"AC{secrets.token_hex(16)}"
    for _ in range(FREE):
        guess(server, sid)
    reads = figure(server, "parlour_login_reads_total")

    answers = [send_request(server, sid, "wrong") for _ in range(20)]

    for answer, _ in answers:
        answer.refuses(401, 20003)
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="Twilio API"'
        assert sorted(answer.headers) == sorted(answers[0][0].headers)
    # The cache lasts for a second, so one or two of them are looked up, after a delay.
    assert sum(seconds >= DELAY_SECONDS for _, seconds in answers) <= 3
    assert figure(server, "parlour_login_reads_total") - reads <= 3


@pytest.mark.promise("LOGIN_NAME_CHARS_MAX", 401)
def test_a_name_that_is_too_long_is_rejected_without_a_lookup(server: Server) -> None:
    reads = figure(server, "parlour_login_reads_total")
    for _ in range(3):
        name = f"AC{secrets.token_hex(16)}".ljust(limits.LOGIN_NAME_CHARS_MAX + 1, "0")
        send_request(server, name, "wrong")[0].refuses(401, 20003)
    assert figure(server, "parlour_login_reads_total") == reads


def test_a_wrong_login_that_becomes_right_gets_in_within_a_second(server: Server) -> None:
    sid, _ = server.make_account()
    send_request(server, sid, "0" * 32)[0].refuses(401, 20003)
    send_request(server, sid, "0" * 32)[0].refuses(401, 20003)
    OfflineWrites(server.data_dir, server.database).set_auth_token(sid, "0" * 32)
    began = time.monotonic()
    while send_request(server, sid, "0" * 32)[0].status != 200:
        assert time.monotonic() - began < limits.LOGIN_CACHE_MS_MAX / 1000 + 0.5
        time.sleep(0.05)


def test_a_wrong_login_is_not_refused_where_no_login_is_needed(server: Server) -> None:
    for _ in range(2):
        send_request(server, server.account_sid, "wrong")[0].refuses(401, 20003)
    api = Api(server.base_url, server.account_sid, "wrong")
    assert api.get("/healthz").status == 200
    assert api.get("/metrics").status == 200
    assert api.request("OPTIONS", PATH).status == 204
    api.close()


def test_guesses_of_many_names_share_few_reads(server: Server) -> None:
    began = time.monotonic()
    before = figure(server, "parlour_login_reads_total")
    names = [f"AC{secrets.token_hex(16)}" for _ in range(200)]
    parts = [names[start::20] for start in range(20)]
    threads = [
        threading.Thread(target=lambda part=part: [guess(server, name) for name in part])
        for part in parts
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    passed = time.monotonic() - began
    reads = figure(server, "parlour_login_reads_total") - before
    assert reads <= passed * 1000 / limits.LOGIN_LOOKUP_PAUSE_MS + 2


@pytest.mark.parametrize("text", ["10.0.0.0/99", "proxy.example.com", "127.0.0.1;::1"])
def test_an_invalid_network_ends_the_start_with_an_error(
    server: Server, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    import subprocess  # noqa: PLC0415 - used here only.
    import sys  # noqa: PLC0415

    done = subprocess.run(
        [sys.executable, "-m", "parlour", "serve", "--port", "0", "--trusted-proxies", text],
        env=server.environment(),
        cwd=server.data_dir.parent,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2
    assert f"--trusted-proxies {text}: {text} is not a network or an address" in done.stderr
