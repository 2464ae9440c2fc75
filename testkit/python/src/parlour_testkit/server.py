"""A server in test mode: a process of this one, or one that runs elsewhere."""

from __future__ import annotations

import os
import re
import warnings
from typing import Any, Self
from urllib.parse import quote

from parlour_testkit import __version__
from parlour_testkit.account import Account
from parlour_testkit.clock import Clock
from parlour_testkit.connection import FUNCTIONS, Connection
from parlour_testkit.errors import ApiError, TestKitError, VersionMismatch
from parlour_testkit.process import ServerProcess, default_command, start_process

CONSOLE = "/parlour/console/"
# The account that a server in test mode has unless it is given another one.
_ACCOUNT_SID = "AC" + "0" * 32
_AUTH_TOKEN = "parlour-test-auth-token"  # noqa: S105 - publicly known, accepted in test mode only.
_UNAUTHORIZED = 401
_VERSION = re.compile(r"(\d+)\.(\d+)")


class Server:
    """A server in test mode.

    Attributes:
        url: its base URL, without a slash at the end.
        ws_url: the URL of its socket, for client SDKs.
        version: its version.
        clock: its clock, which all accounts share.
    """

    def __init__(
        self, url: str, account_sid: str, auth_token: str, process: ServerProcess | None = None
    ) -> None:
        """``account_sid`` and ``auth_token`` are of any account; ``process`` is ended by `stop`.

        Raises ServerUnreachable, ApiError, VersionMismatch, and TestKitError for a server that is
        not in test mode.
        """
        self._process = process
        self.connection = Connection(url.rstrip("/"), account_sid, auth_token)
        found = _server_of(self.connection)
        if not found["test"]:
            raise TestKitError(f"The server at {url} is not in test mode: start it with --test.")
        self.url = self.connection.url
        self.ws_url: str = found["ws_url"]
        self.version: str = found["version"]
        compare_versions(self.version)
        self.clock = Clock(self.connection)

    def __repr__(self) -> str:
        """Return the URL and the version."""
        return f"Server({self.url!r}, version={self.version!r})"

    def __enter__(self) -> Self:
        """Return the server."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the process."""
        self.stop()

    @property
    def is_own(self) -> bool:
        """Whether the server is a process of this one."""
        return self._process is not None

    @property
    def console_url(self) -> str | None:
        """The address of the server's console, for a browser; None if it has none."""
        try:
            self.connection.send("GET", CONSOLE)
        except ApiError:
            return None
        return f"{self.url}{CONSOLE}"

    @property
    def first_account(self) -> Account:
        """The account whose login the kit uses; tests should create their own."""
        ready = self._process.ready if self._process else {}
        connection = self.connection
        return Account(
            connection.url,
            sid=connection.login,
            auth_token=connection.secret,
            api_key_sid=ready.get("api_key_sid") or "SK" + "0" * 32,
            api_key_secret=ready.get("api_key_secret") or "parlour-test-api-key-secret",
            service_sid=ready.get("service_sid") or _default_service(connection),
        )

    def create_account(
        self,
        friendly_name: str | None = None,
        *,
        sid: str | None = None,
        auth_token: str | None = None,
    ) -> Account:
        """Create an account with an API key and a default service. Raises ApiError."""
        made = self.connection.post(
            f"{FUNCTIONS}/Accounts", friendly_name=friendly_name, sid=sid, auth_token=auth_token
        )
        names = ("sid", "auth_token", "api_key_sid", "api_key_secret", "service_sid")
        return Account(self.url, server=self.connection, **{name: made[name] for name in names})

    def reset(self, *, random_seed: int | None = None, seed: str | None = None) -> None:
        """Remove all accounts' data; the clock returns to system time.

        ``random_seed`` restarts the sequences of SIDs. ``seed="start"`` loads the seed of the
        start again. After the return, no earlier webhook, frame or message is sent. Raises
        ApiError.
        """
        self.connection.post(
            f"{FUNCTIONS}/Reset", scope="server", random_seed=random_seed, seed=seed
        )

    def snapshot(self, name: str) -> None:
        """Save the state of all accounts and of the clock, in memory.

        Raises ApiError with 409 if the name is taken, and for more than 16 snapshots or 256 MiB.
        """
        self.connection.post(f"{FUNCTIONS}/Snapshots", name=name, scope="server")

    def restore(self, name: str) -> None:
        """Return to a snapshot. Raises ApiError with 404 for an unknown name."""
        self.connection.post(f"{FUNCTIONS}/Snapshots/{quote(name, safe='')}/Restore")

    def log_tail(self) -> str:
        """Return the end of the log of a process that this one started; else an empty text."""
        return self._process.log_tail() if self._process is not None else ""

    def stop(self) -> None:
        """End the process; a server that this process did not start continues."""
        if self._process is not None:
            self._process.stop()


def start(
    *arguments: str,
    command: str | None = None,
    seed: str | None = None,
    random_seed: int | None = None,
    strict: bool = False,
) -> Server:
    """Start a server as a separate process: ``with parlour_testkit.start() as server:``.

    Args:
        arguments: further options of ``parlour serve``.
        command: the server's command, in a shell's notation: ``/opt/parlour/bin/parlour``. By
            default the ``parlour`` next to this Python, else the one in PATH.
        seed: the path of a seed file, which is loaded at the start.
        random_seed: repeats SIDs from run to run.
        strict: refuse unknown parameters (400, code 20001) in all accounts.

    Raises ServerStartFailed, VersionMismatch.
    """
    options: list[str] = []
    if seed is not None:
        options += ["--seed", seed]
    if random_seed is not None:
        options += ["--random-seed", str(random_seed)]
    if strict:
        options += ["--strict"]
    process = start_process(command or default_command(), [*options, *arguments])
    ready = process.ready
    try:
        return Server(ready["url"], ready["account_sid"], ready["auth_token"], process)
    except BaseException:
        process.stop()
        raise


def connect(
    url: str | None = None, *, account_sid: str | None = None, auth_token: str | None = None
) -> Server:
    """Return a server that runs already.

    Without arguments: ``PARLOUR_URL``, ``PARLOUR_ACCOUNT_SID`` and ``PARLOUR_AUTH_TOKEN``, else the
    well-known account of test mode. Raises ServerUnreachable, ApiError, VersionMismatch.
    """
    address = url or os.environ.get("PARLOUR_URL")
    if not address:
        raise TestKitError("There is no URL: pass one, or set PARLOUR_URL.")
    sid = account_sid or os.environ.get("PARLOUR_ACCOUNT_SID") or _ACCOUNT_SID
    token = auth_token or os.environ.get("PARLOUR_AUTH_TOKEN") or _AUTH_TOKEN
    return Server(address, sid, token)


def compare_versions(server: str, kit: str = __version__) -> None:
    """Warn if the minor versions differ; raise VersionMismatch if the major ones do."""
    theirs, ours = _VERSION.match(server), _VERSION.match(kit)
    if theirs is None or ours is None or theirs[1] != ours[1]:
        raise VersionMismatch(
            f"The server has version {server}, parlour-testkit has {kit}: "
            "install both from the same release."
        )
    if theirs[2] != ours[2]:
        text = f"The server has version {server}, parlour-testkit has {kit}: some calls may differ."
        warnings.warn(text, stacklevel=4)


def _server_of(connection: Connection) -> dict[str, Any]:
    try:
        found: dict[str, Any] = connection.get(f"{FUNCTIONS}/Server")
    except ApiError as error:
        if error.status != _UNAUTHORIZED:
            raise
        hint = (
            f"{error.message}. The server at {connection.url} has no account {connection.login} "
            "with this auth token: check PARLOUR_ACCOUNT_SID and PARLOUR_AUTH_TOKEN"
        )
        raise ApiError(f"GET {FUNCTIONS}/Server", error.status, error.code, hint) from error
    return found


def _default_service(connection: Connection) -> str:
    found: dict[str, Any] = connection.get("/v1/Configuration")
    return str(found["default_chat_service_sid"])
