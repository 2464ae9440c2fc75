import subprocess
import sys
import time
import warnings

import pytest

import parlour_testkit
from parlour_testkit.process import default_command
from parlour_testkit.report import describe
from parlour_testkit.server import compare_versions


def test_another_minor_version_warns_and_another_major_one_is_an_error():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare_versions("1.2.0", "1.2.9")
    with pytest.warns(UserWarning, match=r"version 1\.3\.0, parlour-testkit has 1\.2\.0"):
        compare_versions("1.3.0", "1.2.0")
    for server in ("2.2.0", "0.2.0", "unknown"):
        with pytest.raises(parlour_testkit.VersionMismatch, match="same release"):
            compare_versions(server, "1.2.0")


def test_the_kit_has_the_version_of_the_server(parlour_server):
    assert parlour_server.version == parlour_testkit.__version__
    assert parlour_server.is_own
    assert parlour_server.ws_url.startswith("ws://127.0.0.1:")


def test_a_missing_command_is_named():
    with pytest.raises(parlour_testkit.ServerStartFailed) as raised:
        parlour_testkit.start(command="no-such-command --x")
    assert "'no-such-command' cannot be started" in str(raised.value)
    assert "parlour_command" in str(raised.value)


def test_the_command_next_to_this_python_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "my env" / "python"))
    assert default_command() == "parlour"
    program = tmp_path / "my env" / "parlour"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(parlour_testkit.ServerStartFailed, match="ended with status 3"):
        parlour_testkit.start()


def test_a_wrong_login_names_the_account_and_the_variables(parlour_server):
    with pytest.raises(parlour_testkit.ApiError) as raised:
        parlour_testkit.connect(parlour_server.url, auth_token="wrong")
    assert raised.value.status == 401
    assert f"{parlour_server.url} has no account AC0000" in str(raised.value)
    assert "PARLOUR_AUTH_TOKEN" in str(raised.value)


def test_a_failed_start_shows_the_log(parlour_server, pytestconfig):
    with pytest.raises(parlour_testkit.ServerStartFailed) as raised:
        parlour_testkit.start("--workers", "2", command=pytestconfig.getini("parlour_command"))
    assert "ended with status 2" in str(raised.value)
    assert "cannot be combined with --test" in str(raised.value)


def test_an_unreachable_server_is_named():
    with pytest.raises(parlour_testkit.ServerUnreachable, match="no answer from the Parlour"):
        parlour_testkit.connect("http://127.0.0.1:1")


def test_a_server_is_stopped_with_its_block(pytestconfig):
    command = pytestconfig.getini("parlour_command")
    with parlour_testkit.start(command=command, random_seed=7) as server:
        first = server.create_account().client().conversations.v1.conversations.create().sid
        server.reset(random_seed=7)
        again = server.create_account().client().conversations.v1.conversations.create().sid
        assert again == first
        assert parlour_testkit.connect(server.url).is_own is False
    with pytest.raises(parlour_testkit.ServerUnreachable):
        parlour_testkit.connect(server.url)


KILLED = """
import sys, parlour_testkit
server = parlour_testkit.start(command=sys.argv[1])
print(server.url, flush=True)
sys.stdin.read()
"""


def _is_reachable(url):
    try:
        parlour_testkit.connect(url)
    except parlour_testkit.ServerUnreachable:
        return False
    return True


def test_a_killed_run_leaves_no_server(pytestconfig):
    command = [sys.executable, "-c", KILLED, pytestconfig.getini("parlour_command")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        url = run.stdout.readline().strip()
        assert _is_reachable(url)
        run.kill()
    steps = range(600)
    assert any(not _is_reachable(url) or time.sleep(0.05) for _ in steps)


def test_a_report_of_a_dead_server_has_its_log(pytestconfig):
    server = parlour_testkit.start(command=pytestconfig.getini("parlour_command"))
    server._process.process.kill()
    server._process.process.wait()
    text = describe(server, None)
    server.stop()
    assert "no answer from the Parlour server" in text
    assert "Test mode: data can be wiped" in text


def test_every_public_name_is_there():
    for name in parlour_testkit.__all__:
        assert getattr(parlour_testkit, name).__doc__, name
    with pytest.raises(AttributeError):
        _ = parlour_testkit.nothing
