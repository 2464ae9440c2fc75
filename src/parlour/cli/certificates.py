"""``parlour certificates``: a local authority, and a certificate for the hosted service's names."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

import click

from parlour.protocol import certificates
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock, SystemRandom

if TYPE_CHECKING:
    from parlour.protocol.certificates import CertificatePair

_LABEL: Final = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = re.compile(rf"({_LABEL}\.)*{_LABEL}")
_FOR_ALL: Final = 0o644
_SERIAL_BYTES: Final = 16


class _Folder:
    """The folder of both pairs. Clients need to read the authority's certificate only."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.mkdir(parents=True)
            path.chmod(0o755)  # Regardless of the umask: clients run as other users.
        self.authority = path / "authority.pem"
        self.authority_key = path / "authority.key"
        self.server = path / "server.pem"
        self.server_key = path / "server.key"

    def found_authority(self) -> CertificatePair | None:
        """Return the existing authority, if there is one."""
        if not self.authority.exists():
            return None
        try:
            return certificates.parse_pair(
                self.authority.read_bytes(), self.authority_key.read_bytes()
            )
        except (OSError, ValueError) as error:
            text = f"{self.authority} and {self.authority_key} cannot be used: {error}"
            raise click.ClickException(text) from error

    def found_server(self) -> CertificatePair | None:
        """Return the existing server certificate, if it can be used."""
        try:
            return certificates.parse_pair(self.server.read_bytes(), self.server_key.read_bytes())
        except (OSError, ValueError):
            return None

    def keep_authority(self, made: CertificatePair) -> None:
        """Write the authority; the certificate last, since its existence marks a complete pair."""
        _write(self.authority_key, made.key_pem)
        _write(self.authority, made.certificate_pem, mode=_FOR_ALL)

    def keep_server(self, made: CertificatePair, authority: CertificatePair) -> None:
        """Write the server's key and its certificate with the chain."""
        _write(self.server_key, made.key_pem)
        _write(self.server, made.certificate_pem + authority.certificate_pem)


def _write(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file atomically; by default only its owner can read it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        unfinished.unlink()
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    unfinished.replace(path)


@click.command("certificates")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder; an existing authority in it is reused.",
)
@click.option(
    "--name",
    "more_names",
    multiple=True,
    help="Another host name or address, in addition to those of the hosted service and this "
    "machine.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(*, out: Path, more_names: tuple[str, ...], as_json: bool) -> None:
    """Create a local authority, and a certificate for the names of the hosted service.

    A repeated run reuses valid certificates and renews those that expire soon.
    """
    names = _names(more_names)
    try:
        folder = _Folder(out)
        authority = _authority(folder, names)
        server = _server(folder, authority, names)
    except OSError as error:
        raise click.ClickException(str(error)) from error
    shown: dict[str, Any] = {
        "authority": str(folder.authority),
        "authority_sha256": authority.fingerprint,
        "authority_expires": authority.expires.isoformat(),
        "tls_cert": str(folder.server),
        "tls_key": str(folder.server_key),
        "expires": server.expires.isoformat(),
        "names": names,
    }
    click.echo(json.dumps(shown) if as_json else _explained(shown))


def _names(more: tuple[str, ...]) -> list[str]:
    names = [*certificates.HOSTED_NAMES, *certificates.LOCAL_NAMES]
    return list(dict.fromkeys([*names, *map(_checked, more)]))


def _checked(text: str) -> str:
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(text))
    name = text.lower()
    if len(name) > limits.HOST_NAME_CHARS_MAX or not _NAME.fullmatch(name):
        raise click.BadParameter(f"{text} is not a host name or address", param_hint="--name")
    return name


def _authority(folder: _Folder, names: list[str]) -> CertificatePair:
    now_ms = SystemClock().now_ms()
    found = folder.found_authority()
    if found is None:
        made = certificates.make_authority(names, now_ms, SystemRandom().token(_SERIAL_BYTES))
        folder.keep_authority(made)
        return made
    folder.authority.chmod(_FOR_ALL)  # Earlier versions wrote it unreadable for clients.
    place = folder.authority.parent
    if certificates.is_expiring(found, now_ms):
        raise click.ClickException(
            f"the authority in {place} expires on {found.expires:%Y-%m-%d}: "
            "remove it, repeat the command, and let the clients trust the new one"
        )
    if not certificates.permits_names(found, names):
        raise click.ClickException(
            f"the authority in {place} was not made for all of these names: "
            "choose another folder, and let the clients trust its authority"
        )
    return found


def _server(folder: _Folder, authority: CertificatePair, names: list[str]) -> CertificatePair:
    now_ms = SystemClock().now_ms()
    found = folder.found_server()
    if found is not None and certificates.is_valid_for(found, authority, names, now_ms):
        return found
    serial = SystemRandom().token(_SERIAL_BYTES)
    made = certificates.make_certificate(authority, names, now_ms, serial)
    folder.keep_server(made, authority)
    return made


def _explained(shown: dict[str, Any]) -> str:
    files = f"--tls-cert {quote(shown['tls_cert'])} --tls-key {quote(shown['tls_key'])}"
    days = limits.CERTIFICATE_RENEWED_DAYS
    lines = [
        f"The authority is {shown['authority']}, valid until {shown['authority_expires']};",
        f"its SHA-256 fingerprint is {shown['authority_sha256']}.",
        f"The server's certificate is valid until {shown['expires']};",
        f"repeat the command in its last {days} days, and send the server SIGHUP.",
        f"  parlour serve --port 443 {files}",
        f"Clients trust {shown['authority']}: Node.js by NODE_EXTRA_CA_CERTS, Python by",
        "REQUESTS_CA_BUNDLE and SSL_CERT_FILE, browsers and systems as an authority.",
    ]
    return "\n".join(lines)
