"""``parlour doctor``: each unsafe setting is found, and a safe server has no findings."""

from __future__ import annotations

import asyncio
import json
import resource
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parlour.config import Settings
from parlour.http import open_files
from parlour.inspection import checks as inspection_checks
from parlour.inspection import checks_database as inspection_checks_database
from parlour.protocol import certificates
from parlour.store.engines import DATABASE_NAME
from parlour.store.postgres.settings import DatabaseSettings
from parlour.vocabulary import limits
from tests.support.operators import make_operator
from tests.support.postgres_server import shared
from tests.support.preloaded_servers import template
from tests.support.server import Server
from tests.support.server_database import connect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.inspection.checks import Finding

STRONG = "0123456789abcdef" * 2
OPEN = {"host": "0.0.0.0", "public_url": "https://chat.example.net"}  # noqa: S104 - as intended.


def _unsafe(found: Iterable[Finding]) -> list[str]:
    return [each.what for each in found if each.is_unsafe]


def _run(server: Server, *arguments: str) -> tuple[int, list[dict[str, object]]]:
    command = ["doctor", "--json", *arguments]
    done = template().run(command, server.environment(), Path.cwd(), seconds_max=30)
    assert not done.stderr, done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_fresh_install_is_safe() -> None:
    server = Server()
    server.data_dir.mkdir(mode=0o700)
    status, found = _run(server, "--data", str(server.data_dir))
    server.close()
    assert (status, [each for each in found if each["unsafe"]]) == (0, [])


def test_unsafe_settings_are_reported_with_a_remedy_and_the_exit_status() -> None:
    server = Server()
    status, found = _run(server, "--host", "0.0.0.0")  # noqa: S104 - as intended.
    server.close()
    assert status == 1
    without_tls = next(each for each in found if "without TLS" in str(each["what"]))
    assert "--tls-cert" in str(without_tls["do"])


def test_defaults_are_safe() -> None:
    assert _unsafe(inspection_checks.check_settings(Settings())) == []
    assert _unsafe(inspection_checks.check_settings(Settings(**OPEN))) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"host": "0.0.0.0"}, "without TLS"),  # noqa: S104 - as intended.
        (OPEN | {"public_url": "http://chat.example.net"}, "without TLS"),
        (OPEN | {"webhook_allow_private": "yes"}, "private addresses"),
        ({"webhook_allow_list": "10.0.0.1, 0.0.0.0/0"}, "every address"),
        ({"webhook_check_certificates": False}, "are not checked"),
        ({"log_level": "debug"}, "Debug messages"),
        (OPEN | {"auth_token": "secret"}, "auth token in the settings has 6 characters"),
        (OPEN | {"api_key_secret": "secret"}, "API key secret in the settings has 6"),
        ({"tls_cert": "/absent", "tls_key": "/absent"}, "cannot read /absent"),
        (OPEN | {"test": True}, "Test mode listens on 0.0.0.0"),
    ],
)
def test_each_unsafe_setting_is_found_alone(settings: dict[str, object], message: str) -> None:
    (found,) = _unsafe(inspection_checks.check_settings(Settings(**settings)))
    assert message in found


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"host": "0.0.0.0"}, "over plain HTTP"),  # noqa: S104 - as intended.
        ({"host": "0.0.0.0", "console": False}, ""),  # noqa: S104 - as intended.
        (OPEN, ""),
        ({"test": True}, ""),
        ({"test": True, "trusted_proxies": "10.0.0.0/8"}, "name a proxy"),
        ({"test": True, "public_url": "http://localhost:8080"}, "name a proxy"),
        ({"trusted_proxies": "10.0.0.0/8"}, ""),
    ],
)
def test_an_exposed_console_is_a_warning(settings: dict[str, object], message: str) -> None:
    every = list(inspection_checks.check_settings(Settings(**settings)))
    found = [each for each in every if "console" in each.what]
    assert [each.is_unsafe for each in found] == ([False] if message else [])
    assert all(message in each.what for each in found)


def test_secrets_of_full_length_and_a_server_for_this_machine_alone_are_fine() -> None:
    assert _unsafe(inspection_checks.check_settings(Settings(**OPEN, auth_token=STRONG))) == []
    assert _unsafe(inspection_checks.check_settings(Settings(auth_token="test"))) == []
    assert _unsafe(inspection_checks.check_settings(Settings(test=True))) == []


@pytest.mark.parametrize(
    ("url", "is_reported"),
    [
        ("postgresql://parlour@db.example.net/parlour", True),
        ("postgresql://parlour@db.example.net/parlour?sslmode=verify-full", False),
        ("postgresql://parlour@127.0.0.1/parlour", False),
    ],
)
def test_a_far_database_without_encryption_is_a_warning(url: str, *, is_reported: bool) -> None:
    found = [each.what for each in inspection_checks.check_settings(Settings(database=url))]
    assert any("is encrypted" in each for each in found) == is_reported
    assert not any("parlour@" in each for each in found)


@pytest.mark.parametrize(("days", "message"), [(-2, "has expired"), (5, "expires in 4 days")])
def test_a_certificate_that_ends_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, days: int, message: str
) -> None:
    then = datetime.now(UTC) + timedelta(days=days)
    monkeypatch.setattr(certificates.limits, "CERTIFICATE_DAYS", 1)
    made_ms = int((then - timedelta(days=1)).timestamp() * 1000)
    authority = certificates.make_authority(["localhost"], made_ms, b"\x01" * 16)
    pair = certificates.make_certificate(authority, ["localhost"], made_ms, b"\x02" * 16)
    key = tmp_path / "server.key"
    key.touch(mode=0o600)
    key.write_bytes(pair.key_pem)
    (tmp_path / "server.pem").write_bytes(pair.certificate_pem)
    settings = Settings(tls_cert=str(tmp_path / "server.pem"), tls_key=str(key))
    (found,) = inspection_checks.check_settings(settings)
    assert message in found.what
    assert found.is_unsafe == (days < 0)


def test_files_that_others_can_read_are_found(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    database, key = data / DATABASE_NAME, data / inspection_checks.KEY_NAME
    database.touch(mode=0o644)
    key.touch(mode=0o640)
    key.write_text("0" * 64)
    found = _unsafe(inspection_checks.check_machine(Settings(data=data)))
    for each in (data, database):
        assert f"{each} is open to other users." in found
    assert any("The key file" in what and "chmod 600" in what for what in found)


@pytest.mark.parametrize(
    ("connections", "files", "is_found"),
    [
        (10_000, 8_192, True),
        (10_000, 13_333, True),
        (10_000, 13_334, False),
        (1_000, 1_024, True),
        (1_000, 2_800, True),  # Outgoing requests and media have no fewer.
        (1_000, 3_000, False),
    ],
)
def test_too_few_files_for_the_connections_of_the_settings_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, connections: int, files: int, is_found: bool
) -> None:
    # The first one, the soft limit, applies.
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, 1 << 20))
    settings = Settings(data=tmp_path, connections_max=connections)
    found = [
        each for each in inspection_checks.check_machine(settings) if "files open" in each.what
    ]
    assert len(found) == is_found
    assert not any(each.is_unsafe for each in found)


def test_the_files_that_are_needed_are_enough_for_every_socket() -> None:
    settings = Settings()
    outgoing = limits.OUTBOUND_REQUESTS_MAX + limits.OUTBOUND_AWAITED_REQUESTS_MAX
    media = limits.UPLOADS_MAX + limits.DOWNLOADS_MAX
    assert open_files.open_files_needed(settings) >= settings.connections_max + outgoing + media


@pytest.mark.parametrize(("kind", "message"), [("tmpfs", "in memory"), ("nfs4", "on the network")])
def test_a_disk_that_cannot_keep_the_database_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, message: str
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"root / ext4 rw 0 0\nother {tmp_path} {kind} rw 0 0\n")
    monkeypatch.setattr(inspection_checks, "_MOUNTS", mounts)
    found = _unsafe(inspection_checks.check_machine(Settings(data=tmp_path / "new" / "data")))
    assert any(message in what for what in found)
    elsewhere = inspection_checks.check_machine(
        Settings(data=tmp_path / "new", database="postgresql:///x")
    )
    assert not any(message in what for what in _unsafe(elsewhere))


def test_a_database_that_loses_commits_is_found() -> None:
    server = Server()
    url = shared().make_database()
    _, found = _run(server, "--database", url, "--data", str(server.data_dir))
    assert not any("a crash loses" in str(each["what"]) for each in found)
    shared().sql("CREATE DATABASE careless")
    shared().sql("ALTER DATABASE careless SET synchronous_commit = off")
    status, found = _run(
        server, "--database", shared().url("careless"), "--data", str(server.data_dir)
    )
    assert status == 1
    assert any("a crash loses changes that were answered" in str(each["what"]) for each in found)
    # The tests' role is a superuser, to which no policy applies.
    assert any("row-level security" in str(each["what"]) for each in found)
    server.close()


def test_a_careful_database_has_nothing_unsafe() -> None:
    on = dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit"), "on")
    careful = DatabaseSettings(on, passes_policies=False)
    (standby,) = inspection_checks_database._findings(careful)
    assert not standby.is_unsafe


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_operator_keys_without_use_are_found(engine: str) -> None:
    env = {"PARLOUR_DATABASE": shared().make_migrated_database()} if engine == "postgres" else {}
    with Server(env=env) as server:
        old, revoked, new = (make_operator(server, name).sid for name in ("old", "revoked", "new"))
        server.command("operator", "revoke", "revoked")
        with closing(connect(server)) as connection, connection:
            for sid in (old, revoked):
                connection.execute("UPDATE operator SET date_created = 1 WHERE sid = ?", (sid,))
        _, found = _run(server, "--data", str(server.data_dir))
    named = [each for each in found if "operator" in str(each["what"])]
    assert [each["unsafe"] for each in named] == [False]
    assert "old was not used for 90 days" in str(named[0]["what"])
    assert str(named[0]["do"]).endswith(f"parlour operator revoke {old}")
    assert new not in str(found)


def test_a_missing_database_is_reported() -> None:
    server = Server()
    status, found = _run(server, "--database", "postgresql://x@127.0.0.1:1/x")
    assert status == 1
    assert any("cannot be queried" in str(each["what"]) for each in found)
    server.close()
    (found_alone,) = asyncio.run(inspection_checks_database.check_database("mysql://x", Path()))
    assert "not a PostgreSQL URL" in found_alone.what
