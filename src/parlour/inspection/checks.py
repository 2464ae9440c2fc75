"""The doctor's checks of settings, files and the machine. Each finding includes a remedy."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from parlour.config import Settings
from parlour.http.tls import Tls, TlsFilesError
from parlour.inspection.exposed_files import chmod_command, exposed_paths
from parlour.protocol.certificates import expires_ms
from parlour.store.engines import DATABASE_NAME
from parlour.store.key_file import KEY_NAME, UnsafeKeyFileError, read_vault
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock, SystemRandom

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY_MS: Final = 24 * 60 * 60 * 1000
_ANY_ADDRESS: Final = frozenset({"0.0.0.0/0", "::/0"})
_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_OF_THE_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"})
_MOUNTS: Final = Path("/proc/self/mounts")


class Finding(NamedTuple):
    """A result of a check: the problem, its remedy, and whether it is an error or a warning."""

    what: str
    do: str
    is_unsafe: bool = True


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Yield the findings about the settings alone."""
    if settings.test and not settings.listens_on_loopback:
        yield Finding(
            f"Test mode listens on {settings.host}: its credentials are publicly known.",
            "Let nobody else reach it: a firewall, a container network, or --host 127.0.0.1.",
        )
    yield from _reached(settings)
    yield from _console(settings)
    yield from _webhooks(settings)
    yield from _secrets(settings)
    if settings.log_level.lower() == "debug":
        yield Finding(
            "Debug messages are logged, which contain more of requests than other users may read.",
            "Leave --log-level at info.",
        )


def _reached(settings: Settings) -> Iterator[Finding]:
    is_public = not settings.listens_on_loopback
    is_https = settings.public_url.startswith("https://")
    if is_public and not settings.tls_cert and not is_https:
        yield Finding(
            f"{settings.host} is open to the network without TLS: credentials can be read on it.",
            "Give --tls-cert and --tls-key, or put a proxy with TLS in front and name its address "
            "with --public-url https://….",
        )
    elif is_public and not settings.tls_cert:
        yield Finding(
            f"TLS ends before this server, which listens on {settings.host}.",
            "See that only the proxy reaches it: a firewall, or --host 127.0.0.1.",
            is_unsafe=False,
        )
    if is_public and not settings.public_url:
        yield Finding(
            "URLs in responses are derived from the Host header of each request.",
            "Name the address with --public-url.",
            is_unsafe=False,
        )
    if settings.tls_cert and settings.tls_key:
        yield from _certificate(settings)


def _console(settings: Settings) -> Iterator[Finding]:
    if not settings.console:
        return
    is_https = settings.tls_cert or settings.public_url.startswith("https://")
    if not settings.listens_on_loopback and not is_https:
        yield Finding(
            "The console is reached over plain HTTP: its cookie and sign-ins can be read on the "
            "network.",
            "Use TLS, as for the API, or --console off.",
            is_unsafe=False,
        )
    is_behind_proxy = settings.public_url or settings.trusted_proxies != Settings().trusted_proxies
    if settings.test and settings.listens_on_loopback and is_behind_proxy:
        yield Finding(
            "The console needs no sign-in on this machine, and the settings name a proxy: if it "
            "adds no X-Forwarded-For header, others may reach the console.",
            "See that the proxy adds the header, or give --console off.",
            is_unsafe=False,
        )


def _certificate(settings: Settings) -> Iterator[Finding]:
    try:
        Tls(Path(settings.tls_cert), Path(settings.tls_key))
    except TlsFilesError as error:
        yield Finding(f"The certificate cannot be used: {error}.", "The server would not start.")
        return
    left_ms = expires_ms(Path(settings.tls_cert).read_bytes()) - SystemClock().now_ms()
    days = int(left_ms // DAY_MS)
    if days < limits.CERTIFICATE_WARNED_DAYS:
        yield Finding(
            f"The certificate expires in {days} days."
            if days >= 0
            else "The certificate has expired.",
            "Renew it, and send the server SIGHUP.",
            is_unsafe=days < 0,
        )


def _webhooks(settings: Settings) -> Iterator[Finding]:
    is_public = not settings.listens_on_loopback
    if is_public and settings.webhook_allow_private == "yes":
        yield Finding(
            "Webhooks may be sent to private addresses: an account can access this network.",
            "Leave --webhook-allow-private at auto; list intended targets in --webhook-allow-list.",
        )
    allowed = {each.strip() for each in settings.webhook_allow_list.split(",")}
    if allowed & _ANY_ADDRESS:
        yield Finding(
            "The list of allowed webhook networks contains every address.",
            "List the intended ones only in --webhook-allow-list.",
        )
    if not settings.webhook_check_certificates:
        yield Finding(
            "Certificates of webhook receivers are not checked: requests can be intercepted.",
            "Leave --webhook-check-certificates on.",
        )


def _secrets(settings: Settings) -> Iterator[Finding]:
    for name, secret in (
        ("auth token", settings.auth_token),
        ("API key secret", settings.api_key_secret),
    ):
        if secret and len(secret) < limits.SECRET_CHARS_MIN:
            yield Finding(
                f"The {name} in the settings has {len(secret)} characters: it can be guessed.",
                "Use 32 random hexadecimal digits, as `parlour account create` does.",
                is_unsafe=not settings.listens_on_loopback,
            )
    for name, url in (("database", settings.database), ("Redis", settings.redis)):
        parts = urlsplit(url)
        is_near = parts.hostname in {None, "localhost", "127.0.0.1", "::1"}
        is_sealed = "sslmode=verify-full" in parts.query or parts.scheme == "rediss"
        if url and not is_near and not is_sealed:
            yield Finding(
                f"It is unknown whether the connection to {name} on {parts.hostname} is encrypted.",
                "Add sslmode=verify-full to a PostgreSQL URL, or use rediss://, unless the "
                "network between them is your own.",
                is_unsafe=False,
            )


def check_machine(settings: Settings) -> Iterator[Finding]:
    """Yield the findings about the files, the disk and the process."""
    try:
        yield from _folder(settings)
        yield from _disk(settings)
    except OSError as error:
        yield Finding(
            f"{error.filename or settings.data} cannot be read: {error.strerror}.",
            "Run this as the user that the server runs as.",
        )
    yield from _process(settings)


def _folder(settings: Settings) -> Iterator[Finding]:
    has_key = (settings.data / KEY_NAME).exists()
    has_database = not settings.database and (settings.data / DATABASE_NAME).exists()
    if not has_key and not has_database:
        yield Finding(
            f"There is no store in {settings.data.absolute()}.",
            "The first start creates one; if there is one elsewhere, name its folder with --data.",
            is_unsafe=False,
        )
    if settings.data.exists():
        yield from _files(settings.data)


def _files(data: Path) -> Iterator[Finding]:
    for path in exposed_paths(data):
        yield Finding(f"{path} is open to other users.", chmod_command(path))
    key = data / KEY_NAME
    if key.exists():
        try:
            read_vault(key, SystemRandom())
        except UnsafeKeyFileError as error:
            yield Finding(f"The key file: {error}.", "The server would not start.")


def _disk(settings: Settings) -> Iterator[Finding]:
    place = settings.data.absolute()
    while not place.exists():
        place = place.parent
    kind = _file_system(place)
    if kind in _MEMORY:
        yield Finding(
            f"{place} is in memory ({kind}): stored data is lost when the machine stops.",
            "Choose a folder on a disk with --data.",
            is_unsafe=not settings.database,
        )
    if kind in _OF_THE_NETWORK and not settings.database:
        yield Finding(
            f"{place} is on the network ({kind}): its file locks are not safe for SQLite.",
            "Keep the embedded database on a local disk, or use PostgreSQL.",
        )
    free = shutil.disk_usage(place).free
    if free < limits.DISK_FREE_BYTES_MIN:
        yield Finding(
            f"{free // 2**20} MiB are free on the disk of {place}.",
            "Changes fail on a full disk: free some space.",
        )


def _file_system(place: Path) -> str:
    """Return the type of a folder's file system; empty if it cannot be determined."""
    if not _MOUNTS.exists():
        return ""
    found = ("", "")
    for line in _MOUNTS.read_text().splitlines():
        _, point, kind, *_ = line.split()
        if place.is_relative_to(point) and len(point) >= len(found[0]):
            found = (point, kind)
    return found[1]


def _process(settings: Settings) -> Iterator[Finding]:
    if os.geteuid() == 0:
        yield Finding(
            "The process runs as root, which the server does not need.",
            "Run it as a dedicated user; that user can be allowed to bind port 443.",
            is_unsafe=not settings.listens_on_loopback,
        )
    from parlour.http import open_files  # noqa: PLC0415 - it works on Unix only.

    allowed, needed = open_files.open_files_max(), open_files.open_files_needed(settings)
    if allowed < needed:
        yield Finding(
            f"A process may have {allowed} files open, so {open_files.connections_max(settings)} "
            f"clients can connect, and not {settings.connections_max}.",
            f"Raise the limit to {needed} or more (LimitNOFILE=, ulimit -n), or lower "
            "--connections-max.",
            is_unsafe=False,
        )
