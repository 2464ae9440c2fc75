"""The pytest plugin: options, marks and fixtures. Everything else is imported on first use.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from twilio.rest import Client

    from parlour_testkit.account import Account, TokenMaker
    from parlour_testkit.clock import Clock
    from parlour_testkit.faults import Faults
    from parlour_testkit.journal import RequestJournal
    from parlour_testkit.phones import Phones
    from parlour_testkit.server import Server
    from parlour_testkit.webhooks import Webhooks

_MARK = (
    "parlour(seed=FILE, strict=True, clock=DATE, actions_per_second=N, retries='hosted'): "
    "what the Parlour account of the test begins with"
)
_MARK_NAMES = frozenset({"seed", "strict", "clock", "actions_per_second", "retries"})
_ACCOUNT = pytest.StashKey["Account"]()
_WEBHOOKS = pytest.StashKey["Webhooks"]()
_CLOCK_IS_SHARED = (
    "parlour_clock moves the time of all tests that use the server at {url}: with {count} xdist "
    "workers they would disturb each other. Let each worker start its own server (unset "
    "PARLOUR_URL and parlour_url), use -n 0, or set parlour_clock_shared = true."
)
_CLOCK_IS_HELD = (
    "The clock cannot return to system time after the test: an account that outlives the test has "
    "conversations, messages or users. Delete the account before, or use parlour_account, which is "
    "removed first; parlour_server.reset() removes all data."
)
_BAD_REQUEST = 400


# --- Options --------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the command line and of the ini file."""
    parser.getgroup("parlour").addoption(
        "--parlour-keep",
        action="store_true",
        help="After a failed test keep the server and the test's data until Enter is pressed.",
    )
    parser.addini("parlour_command", "The command of the server (default: parlour).")
    parser.addini("parlour_url", "The URL of a running server; PARLOUR_URL takes precedence.")
    parser.addini("parlour_strict", "Refuse unknown parameters in all tests.", "bool", False)
    parser.addini("parlour_clock_shared", "Allow one clock for all xdist workers.", "bool", False)
    parser.addini(
        "parlour_report", "When reports have a section parlour: failures, always or never."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark, and check the options."""
    config.addinivalue_line("markers", _MARK)
    if _report_of(config) not in {"failures", "always", "never"}:
        raise pytest.UsageError("parlour_report is one of failures, always and never.")
    if config.getoption("parlour_keep") and _worker_count(config) > 1:
        raise pytest.UsageError("--parlour-keep reads from the terminal: use it with -n 0.")


def _report_of(config: pytest.Config) -> str:
    return str(config.getini("parlour_report") or "failures")


def _worker_count(config: pytest.Config) -> int:
    """Return the number of xdist workers, as far as this process knows it; 1 without xdist."""
    of_worker = getattr(config, "workerinput", {}).get("workercount")
    of_controller = getattr(config.option, "numprocesses", None)
    count = of_worker or of_controller or 1
    return count if isinstance(count, int) else 2


# --- Hooks ----------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test whose webhooks had a wrong signature."""
    result = yield
    webhooks = item.stash.get(_WEBHOOKS, None)
    if webhooks is not None:
        webhooks.check_signatures()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the section "parlour"; with --parlour-keep wait before the test's data is removed."""
    report = yield
    server = getattr(item, "funcargs", {}).get("parlour_server")
    if server is None or call.when == "teardown":
        return report
    when = _report_of(item.config)
    failed = report.failed
    if when != "never" and (failed or (when == "always" and call.when == "call")):
        from parlour_testkit.report import describe

        text = describe(server, item.stash.get(_ACCOUNT, None))
        report.sections.append(("parlour", text))
    if failed and item.config.getoption("parlour_keep"):
        _wait_for_enter(item, server)
    return report


def _wait_for_enter(item: pytest.Item, server: Server) -> None:
    account = item.stash.get(_ACCOUNT, None) or server.first_account
    capture = item.config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.suspend(in_=True)
    try:
        print(f"\n{item.nodeid} failed. The server stays up: {server.console_url or server.url}")
        print(f"  account {account.sid}, auth token {account.auth_token}")
        input("Press Enter to remove its data and continue ")
    except EOFError:
        print("\n(the standard input is closed: it continues)")
    finally:
        if capture is not None:
            capture.resume()


# --- Fixtures -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def parlour_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server in test mode: one for each xdist worker, or the one of PARLOUR_URL."""
    import os

    from parlour_testkit.errors import TestKitError
    from parlour_testkit.process import default_command
    from parlour_testkit.server import connect, start

    config = request.config
    url = os.environ.get("PARLOUR_URL") or config.getini("parlour_url")
    try:
        if url:
            server = connect(url)
        else:
            server = start(command=config.getini("parlour_command") or default_command())
    except TestKitError as error:
        reason = str(error)
    else:
        with server:
            yield server
        return
    # Each test that needs the server fails: tracebacks into the kit would hide the reason.
    pytest.fail(reason, pytrace=False)


@pytest.fixture
def parlour_account(request: pytest.FixtureRequest, parlour_server: Server) -> Account:
    """A fresh account with what the mark ``parlour`` asks for; it is removed afterwards."""
    marked = _marked(request)
    # Before the account: a clock goes back only while there is no data.
    if "parlour_clock" in request.fixturenames or marked.get("clock") is not None:
        request.getfixturevalue("parlour_clock")
    account = parlour_server.create_account(friendly_name=request.node.name[:200])
    request.node.stash[_ACCOUNT] = account
    # A finalizer also runs after an error below, and not before the report of it.
    request.addfinalizer(account.delete)  # noqa: PT021 - as above.
    _prepare(account, request, marked)
    return account


@pytest.fixture
def parlour_client(parlour_account: Account) -> Client:
    """The official ``twilio.rest.Client``, pointed at the server."""
    pytest.importorskip(
        "twilio.rest", reason="parlour_client needs the package twilio: pip install twilio"
    )
    return parlour_account.client()


@pytest.fixture
def parlour_token(parlour_account: Account) -> TokenMaker:
    """Make access tokens: ``parlour_token(identity, ttl=3600, service_sid=None)``."""
    return parlour_account.token


@pytest.fixture
def parlour_clock(request: pytest.FixtureRequest, parlour_server: Server) -> Iterator[Clock]:
    """The server's clock; it returns to system time after the test."""
    count = _worker_count(request.config)
    shared = request.config.getini("parlour_clock_shared")
    if count > 1 and not parlour_server.is_own and not shared:
        pytest.fail(_CLOCK_IS_SHARED.format(url=parlour_server.url, count=count), pytrace=False)
    clock = parlour_server.clock
    try:
        at = _marked(request).get("clock")
        if at is not None:
            clock.freeze(at)
        yield clock
    finally:
        if clock.was_moved:
            _return_to_system_time(clock)


def _return_to_system_time(clock: Clock) -> None:
    from parlour_testkit.errors import ApiError, TestKitError

    try:
        clock.system()
    except ApiError as error:
        if error.status != _BAD_REQUEST:
            raise
        raise TestKitError(_CLOCK_IS_HELD) from error


@pytest.fixture
def parlour_phones(parlour_account: Account) -> Phones:
    """Virtual phones, by address: ``parlour_phones["+15550100"]``."""
    return parlour_account.phones


@pytest.fixture
def parlour_faults(parlour_account: Account) -> Faults:
    """Faults on demand; they end with the test's account."""
    return parlour_account.faults


@pytest.fixture
def parlour_requests(parlour_account: Account) -> RequestJournal:
    """The calls that the server received for the test's account."""
    return parlour_account.requests


@pytest.fixture
def parlour_webhooks(
    request: pytest.FixtureRequest, parlour_account: Account
) -> Iterator[Webhooks]:
    """A receiver of webhooks on loopback; a wrong signature fails the test."""
    with parlour_account.receive_webhooks() as webhooks:
        request.node.stash[_WEBHOOKS] = webhooks
        yield webhooks


@pytest.fixture
def parlour_env(
    parlour_server: Server, parlour_account: Account, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Set ``TWILIO_*`` and ``PARLOUR_*`` for the test; return the variables."""
    variables = {**parlour_account.environment(), "PARLOUR_WS_URL": parlour_server.ws_url}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


# --- The mark -------------------------------------------------------------------------------------


def _marked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the arguments of all marks ``parlour``; the nearest one takes precedence."""
    found: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers("parlour"))):
        unknown = sorted(mark.kwargs.keys() - _MARK_NAMES)
        if mark.args or unknown:
            wrong = ", ".join(unknown) or "a positional argument"
            pytest.fail(f"pytest.mark.parlour has no {wrong}. It is: {_MARK}", pytrace=False)
        found |= mark.kwargs
    return found


def _prepare(account: Account, request: pytest.FixtureRequest, marked: dict[str, Any]) -> None:
    if marked.get("retries") not in (None, "hosted", "durable"):
        wrong = f"{marked['retries']!r}; it is 'hosted' or 'durable'"
        pytest.fail(f"pytest.mark.parlour has retries={wrong}.", pytrace=False)
    strict = marked.get("strict", request.config.getini("parlour_strict") or None)
    values = {None: None, True: "refuse", False: "ignore"}
    rate, retries = marked.get("actions_per_second"), marked.get("retries")
    if (strict, rate, retries) != (None, None, None):
        account.emulate(
            unknown_parameters=values[strict], actions_per_second=rate, webhook_retries=retries
        )
    seed = marked.get("seed")
    if isinstance(seed, str | Path):
        seed = _path_of(seed, request)
    if seed is not None:
        account.seed(seed)


def _path_of(seed: str | Path, request: pytest.FixtureRequest) -> Path:
    """Return the path of a seed: relative to the file of the test, else to the root folder."""
    beside = request.path.parent / seed
    return beside if beside.exists() else request.config.rootpath / seed
