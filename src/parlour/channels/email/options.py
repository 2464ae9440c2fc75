"""The options of an e-mail carrier in the carriers file."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final, Literal

import msgspec

from parlour.vocabulary import limits
from parlour.vocabulary.redaction import Redacted

_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}\Z")
_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}\Z")
_DEFAULT_PORTS: Final = {"starttls": 587, "implicit": 465, "none": 25}

Port = Annotated[int, msgspec.Meta(ge=0, le=limits.PORT_MAX)]
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class EmailOptions(Redacted, msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The relay for outbound mail, the domains, and the listener for inbound mail.

    Without ``listen_port`` there is no listener. Files are PEM. ``allowed_networks`` are the peers
    of the listener, in CIDR notation; without any, all.
    """

    domains: Annotated[list[str], msgspec.Meta(min_length=1)]
    smtp_host: str
    smtp_port: Port | None = None
    smtp_tls: Literal["starttls", "implicit", "none"] = "starttls"
    smtp_ca_file: str | None = None
    smtp_username: str | None = None
    smtp_password: str | None = None
    hostname: str | None = None
    return_path: str = "bounces"
    listen_host: str = "127.0.0.1"
    listen_port: Port | None = None
    listen_certificate_file: str | None = None
    listen_key_file: str | None = None
    allowed_networks: list[str] = []

    @property
    def relay_port(self) -> int:
        """The port of the relay: the configured one, or the one of its kind of TLS."""
        return _DEFAULT_PORTS[self.smtp_tls] if self.smtp_port is None else self.smtp_port

    @property
    def own_hostname(self) -> str:
        """The name of this server in SMTP greetings."""
        return self.hostname or self.domains[0].lower()

    @property
    def networks(self) -> list[IpNetwork]:
        """The networks of allowed peers. Raises ValueError."""
        return [ipaddress.ip_network(each) for each in self.allowed_networks]


def check_options(options: EmailOptions) -> None:
    """Raise ValueError for options that are invalid, or do not fit together."""
    for domain in options.domains:
        if not _DOMAIN.match(domain.lower()):
            raise ValueError(f"domains: {domain!r} is not a domain name")
    if not _LOCAL_PART.match(options.return_path):
        raise ValueError("return_path must be 1 to 21 letters, digits, dots, _ or -")
    if (options.smtp_username is None) != (options.smtp_password is None):
        raise ValueError("smtp_username and smtp_password belong together")
    if options.smtp_password is not None and options.smtp_tls == "none":
        raise ValueError("smtp_password would be sent in plain text: smtp_tls is none")
    if (options.listen_certificate_file is None) != (options.listen_key_file is None):
        raise ValueError("listen_certificate_file and listen_key_file belong together")
    try:
        _ = options.networks
    except ValueError as error:
        raise ValueError(f"allowed_networks: {error}") from error
