"""The servers under test: how Parlour and each baseline is started on a separate folder."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from bench.api_client import Credentials
from bench.processes import Process
from tests.support.ports import ReservedPort

if TYPE_CHECKING:
    from pathlib import Path


PROGRAM = ("-m", "parlour")


def make_credentials() -> Credentials:
    """Return an account and a token that exist for one run only."""
    return Credentials("AC" + secrets.token_hex(16), secrets.token_hex(16))


def parlour(
    folder: Path,
    credentials: Credentials,
    name: str = "parlour",
    *,
    program: tuple[str, ...] = PROGRAM,
    database: str = "",
    workers: int = 1,
) -> Process:
    """Return Parlour on the database in ``folder/name``, with every setting at its default.

    ``database``: use this one of PostgreSQL instead, with so many workers.
    """
    port = ReservedPort()
    arguments = [*program, "serve", "--port", str(port.number), "--data", str(folder / name)]
    environment = {
        "PARLOUR_ACCOUNT_SID": credentials.account_sid,
        "PARLOUR_AUTH_TOKEN": credentials.auth_token,
        "PARLOUR_DATABASE": database,
        "PARLOUR_WORKERS": str(workers),
    }
    log = folder / f"{name}.log"
    return Process(arguments, port=port, log=log, environment=environment)


def handler(folder: Path, credentials: Credentials) -> Process:
    """Baseline B: the same handler work, no store."""
    return _baseline("handler", "handler", folder, _environment(credentials))


def one_transaction(folder: Path, credentials: Credentials) -> Process:
    """Baseline C: the same handler work, one transaction for each request."""
    environment = _environment(credentials)
    environment["BENCH_DATABASE"] = str(folder / "one_transaction.sqlite")
    return _baseline("one_transaction", "one_transaction", folder, environment)


def one_transaction_postgres(folder: Path, credentials: Credentials, url: str) -> Process:
    """Baseline E: the same handler work, one transaction of five round trips on PostgreSQL."""
    environment = _environment(credentials) | {"BENCH_DATABASE": url}
    return _baseline("one_transaction_postgres", "one_transaction_postgres", folder, environment)


def constant(folder: Path, name: str, body: bytes) -> Process:
    """Baseline A: returns this body for every request."""
    body_file = folder / f"{name}.body"
    body_file.write_bytes(body)
    return _baseline("constant", name, folder, {"BENCH_BODY_FILE": str(body_file)})


def receivers(folder: Path, count: int) -> Process:
    """The webhook receivers: so many ports in one process."""
    port = ReservedPort()
    arguments = ["-m", "bench.receivers", str(port.number), str(count)]
    return Process(arguments, port=port, log=folder / "receivers.log")


def broadcaster(folder: Path, frames: bytes) -> Process:
    """Baseline D: sends these frames to every WebSocket for each POST."""
    frames_file = folder / "broadcast.frames"
    frames_file.write_bytes(frames)
    return _baseline("broadcast", "broadcast", folder, {"BENCH_FRAMES_FILE": str(frames_file)})


def _environment(credentials: Credentials) -> dict[str, str]:
    return {
        "BENCH_ACCOUNT_SID": credentials.account_sid,
        "BENCH_AUTH_TOKEN": credentials.auth_token,
    }


def _baseline(application: str, name: str, folder: Path, environment: dict[str, str]) -> Process:
    port = ReservedPort()
    arguments = ["-m", "bench.baselines.serve", application, str(port.number)]
    log = folder / f"{name}.log"
    return Process(arguments, port=port, log=log, environment=environment)
