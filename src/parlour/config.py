"""Every setting: its name, its default, and one sentence. The documentation is made from this.

A setting is given on the command line (``--public-url``) or in the environment
(``PARLOUR_PUBLIC_URL``); the command line wins.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any


def _setting(default: Any, sentence: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"sentence": sentence, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a server is started with."""

    host: str = _setting("127.0.0.1", "The address to listen on.")
    port: int = _setting(
        8080,
        "The port to listen on, for everything the server speaks; 0: a free one, see ready_file.",
    )
    workers: int = _setting(1, "Processes that serve the port together; several need PostgreSQL.")
    ready_file: str = _setting(
        "",
        "A file that is written once requests are answered: JSON with the URL, the port, the "
        "process, and the account and its secrets where the settings or this start made them; "
        "empty: none.",
    )
    data: Path = _setting(
        Path(".parlour"), "The folder of the embedded database, the key file and media."
    )
    database: str = _setting("", "The URL of the database; empty: SQLite in the data folder.")
    database_connections: int = _setting(
        16, "Connections to PostgreSQL that one process opens at most."
    )
    redis: str = _setting("", "The URL of Redis or Valkey, for several nodes; empty: none.")
    public_url: str = _setting(
        "",
        "Where clients reach the server, as it stands in the URLs of answers; "
        "empty: as the request says in its Host header.",
    )
    trusted_proxies: str = _setting(
        "127.0.0.0/8, ::1",
        "Networks of proxies whose X-Forwarded-For, X-Forwarded-Proto or Forwarded is believed, "
        "separated by commas.",
    )
    tls_cert: str = _setting(
        "", "The file of the certificate, with its chain, in PEM; empty: no TLS on the port."
    )
    tls_key: str = _setting("", "The file of that certificate's private key, in PEM.")
    media_url: str = _setting(
        "",
        "Where temporary URLs of media start, to keep what users upload on a host name of its "
        "own; empty: like all other URLs.",
    )
    account_sid: str = _setting("", "An account that exists after the start.")
    auth_token: str = _setting("", "The auth token of that account.", secret=True)
    api_key_sid: str = _setting("", "An API key of that account that exists after the start.")
    api_key_secret: str = _setting("", "The secret of that API key.", secret=True)
    request_log: str = _setting(
        "errors", "Which requests are logged: all, errors (5xx and slow ones) or none."
    )
    log_format: str = _setting("auto", "json, console, or auto: console on a terminal.")
    log_level: str = _setting("info", "The least severe messages that are logged.")
    concurrent_requests_max: int = _setting(
        1000,
        "Requests running at once in all, shared fairly between accounts; beyond it 429 or 503.",
    )
    concurrent_requests_per_account_max: int = _setting(
        500, "Requests running at once for one account, shared fairly between users; beyond it 429."
    )
    connections_max: int = _setting(
        10_000,
        "Connections that one process has at most, WebSockets included; the longest idle is closed "
        "for a new one, or that is answered 503.",
    )
    connections_per_address_max: int = _setting(
        1000, "The same from one address, unless it is a trusted proxy; more are answered 503."
    )
    buffer_bytes_max: int = _setting(
        67_108_864,
        "Bytes that one process buffers at most for all its clients, at least 16777216: requests, "
        "answers and the outboxes of sockets; uploads of media do not count.",
    )
    actions_per_second: int = _setting(
        0,
        "Changes per second of one conversation or service, as an average over 5 seconds; beyond "
        "it 429. The hosted API has 30; 0: off.",
    )
    webhook_allow_private: str = _setting(
        "auto",
        "Whether webhooks may go to loopback and private addresses: yes, no, "
        "or auto: only if the server itself listens on loopback.",
    )
    webhook_allow_list: str = _setting(
        "", "Networks and host names that webhooks may go to all the same, separated by commas."
    )
    webhook_check_certificates: bool = _setting(
        True, "Whether the certificates of https webhooks are checked."
    )
    webhook_retries: str = _setting(
        "durable",
        "How failed webhooks are retried for accounts that did not choose: durable (for a day) "
        "or hosted (as the hosted API does).",
    )
    webhook_retention_hours: int = _setting(
        72, "How long the webhook log keeps requests and answers, in hours."
    )
    webhook_overrides: bool = _setting(
        False, "Whether connection overrides in the fragments of webhook URLs count."
    )
    webhook_studio_url: str = _setting(
        "", "Where flows are started, before /v1/Accounts; empty: they are not."
    )

    @property
    def listens_on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True, slots=True)
class Described:
    """One setting as the documentation and the command line show it."""

    name: str
    flag: str
    variable: str
    default: Any
    kind: type
    sentence: str
    secret: bool


def described() -> list[Described]:
    """Every setting, in order."""
    return [
        Described(
            name=each.name,
            flag="--" + each.name.replace("_", "-"),
            variable="PARLOUR_" + each.name.upper(),
            default=each.default,
            kind=type(each.default),
            sentence=each.metadata["sentence"],
            secret=each.metadata["secret"],
        )
        for each in fields(Settings)
    ]
