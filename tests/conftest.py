"""Fixtures and rules of all tests: a server to talk to, and no way off this machine."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
import structlog
from _pytest.nodeid import coerce_node_id
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, settings

from tests.support import network_guard
from tests.support.client import Api
from tests.support.ports import ReservedPort, port_for_good
from tests.support.server import ENGINE_VARIABLE, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

network_guard.install()

# How long an example takes, or its making, says more about what else the machine does.
settings.register_profile("parlour", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("parlour")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what shows whether a test counts on another one."""
    parser.addoption(
        "--alone",
        action="store_true",
        help="Give each test fixtures of its own, those of modules and of the session as well.",
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Print the seed of the order, which pytest-randomly prints only in a longer header."""
    seed = getattr(session.config.option, "randomly_seed", None)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if seed is not None and reporter is not None and not hasattr(session.config, "workerinput"):
        reporter.write_line(f"The order of the tests: --randomly-seed={seed}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """With `--alone`, run a test as if it were the last one: every fixture ends after it."""
    if not item.config.getoption("alone"):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    runtestprotocol(item, nextitem=None)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect no garbage while tests are collected, nor look for it in them afterwards."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep groups together, and on PostgreSQL leave out what is about the embedded engine."""
    if getattr(config.option, "loadgroup", False):
        _name_groups(items)
    if os.environ.get(ENGINE_VARIABLE, "sqlite") == "sqlite":
        return
    about_embedded = [item for item in items if item.get_closest_marker("embedded")]
    config.hook.pytest_deselected(items=about_embedded)
    items[:] = [item for item in items if not item.get_closest_marker("embedded")]


def _name_groups(items: list[pytest.Item]) -> None:
    """Put each test's group behind its name, where the distribution over processes looks for it.

    pytest-xdist 3.8 means to do that itself, by an attribute that pytest 9.2 does not read.
    """
    for item in items:
        groups = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
        if groups and "@" not in item.nodeid.rpartition("]")[2]:
            item._id = coerce_node_id(f"{item.nodeid}@{'_'.join(groups)}")


@pytest.fixture(autouse=True)
def _only_loopback() -> Iterator[None]:
    network_guard.take_attempts()
    yield
    attempts = network_guard.take_attempts()
    assert not attempts, network_guard.describe(attempts)


@pytest.fixture(autouse=True)
def _process_settings_unchanged() -> Iterator[None]:
    """A server that a test runs in this process would change how later tests log, for example."""
    before = structlog.get_config(), gc.isenabled()
    yield
    assert (structlog.get_config(), gc.isenabled()) == before, "start a process of its own for this"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests of this process that do not stop or configure it."""
    with Server() as running:
        yield running


@pytest.fixture(scope="session")
def refusing_port() -> ReservedPort:
    """A port that refuses every connection."""
    return port_for_good()


@pytest.fixture
def fresh_server() -> Iterator[Server]:
    """A server of its own for one test."""
    with Server() as running:
        yield running


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    """The first account of the shared server, in the short form of the paths."""
    client = Api(server.base_url, server.account_sid, server.auth_token)
    yield client
    client.close()


@pytest.fixture(scope="session")
def service_sid(server: Server) -> str:
    """A service of the first account that is not its default service."""
    client = Api(server.base_url, server.account_sid, server.auth_token)
    made = client.post("/Services", FriendlyName="Another service").expect(201)
    client.close()
    sid: str = made["sid"]
    return sid


@pytest.fixture
def service_api(api: Api, service_sid: str) -> Iterator[Api]:
    """The first account, in the service form of a service that is not the default."""
    client = api.service(service_sid)
    yield client
    client.close()


@pytest.fixture(params=["short", "service"])
def form_api(request: pytest.FixtureRequest) -> Api:
    """Both forms of the paths, one after the other: a test that uses it runs twice."""
    name = {"short": "api", "service": "service_api"}[request.param]
    client: Api = request.getfixturevalue(name)
    return client


@pytest.fixture(scope="session")
def foreign_account(server: Server) -> tuple[str, str]:
    """Sid and auth token of a second account on the shared server."""
    return server.make_account()


@pytest.fixture
def foreign_api(server: Server, foreign_account: tuple[str, str]) -> Iterator[Api]:
    """The second account of the shared server, in the short form of the paths."""
    client = Api(server.base_url, *foreign_account)
    yield client
    client.close()
