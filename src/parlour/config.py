"""Every setting: its name, its default, and one sentence. The documentation is made from this.

A setting is given on the command line (``--public-url``) or in the environment
(``PARLOUR_PUBLIC_URL``); the command line wins.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from parlour import setting_checks as checks
from parlour.setting_checks import between, one_of
from parlour.vocabulary import limits, sids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.setting_checks import Check


def _setting(default: Any, description: str, check: Check, *, secret: bool = False) -> Any:
    metadata = {"description": description, "check": check, "secret": secret}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a server is started with."""

    host: str = _setting("127.0.0.1", "The address to listen on.", checks.HOST)
    port: int = _setting(
        8080,
        "The port to listen on, for everything the server speaks; 0: a free one, written to "
        "--ready-file.",
        between(0, 65535),
    )
    workers: int = _setting(
        1, "Processes that serve the port together; several need PostgreSQL.", between(1, 256)
    )
    ready_file: str = _setting(
        "",
        "A file that is written once requests are answered: JSON with the URL, the port, the "
        "process, and the account and its secrets where the settings or this start made them. A "
        "clean stop removes it. Empty: none.",
        checks.OPTIONAL_PATH,
    )
    data: Path = _setting(
        Path(".parlour"),
        "The folder of the embedded database, the key file and media.",
        checks.PATH,
    )
    database: str = _setting(
        "", "The URL of the database; empty: SQLite in the data folder.", checks.DATABASE_URL
    )
    database_connections: int = _setting(
        16, "Connections to PostgreSQL that one process opens at most.", between(1, 1000)
    )
    redis: str = _setting(
        "", "The URL of Redis or Valkey, for several nodes; empty: none.", checks.REDIS_URL
    )
    public_url: str = _setting(
        "",
        "Where clients reach the server, as it stands in the URLs of answers; "
        "empty: as the request says in its Host header.",
        checks.PUBLIC_URL,
    )
    trusted_proxies: str = _setting(
        "127.0.0.0/8, ::1",
        "Networks of proxies whose X-Forwarded-For, X-Forwarded-Proto or Forwarded is believed, "
        "separated by commas.",
        checks.NETWORKS,
    )
    tls_cert: str = _setting(
        "",
        "The file of the certificate, with its chain, in PEM; empty: no TLS on the port.",
        checks.OPTIONAL_PATH,
    )
    tls_key: str = _setting(
        "", "The file of that certificate's private key, in PEM.", checks.OPTIONAL_PATH
    )
    media_url: str = _setting(
        "",
        "Where temporary URLs of media start, to keep what users upload on a host name of its "
        "own; empty: like all other URLs.",
        checks.PUBLIC_URL,
    )
    account_sid: str = _setting(
        "", "SID of an account to create at startup.", checks.sid(sids.ACCOUNT)
    )
    auth_token: str = _setting(
        "",
        "The auth token of that account; it replaces the one of an existing account.",
        checks.SECRET,
        secret=True,
    )
    api_key_sid: str = _setting(
        "", "SID of an API key to create for that account.", checks.sid(sids.API_KEY)
    )
    api_key_secret: str = _setting("", "The secret of that API key.", checks.SECRET, secret=True)
    request_log: str = _setting(
        "errors",
        "Which requests are logged: all, errors (5xx and slow ones) or none.",
        one_of("all", "errors", "none"),
    )
    log_format: str = _setting(
        "auto", "json, console, or auto: console on a terminal.", one_of("auto", "json", "console")
    )
    log_level: str = _setting(
        "info",
        "The least severe messages that are logged.",
        one_of("debug", "info", "warning", "error", in_any_case=True),
    )
    concurrent_requests_max: int = _setting(
        1000,
        "Requests running at once in all, shared fairly between accounts; beyond it 429 or 503.",
        between(1, 1_000_000),
    )
    concurrent_requests_per_account_max: int = _setting(
        500,
        "Requests running at once for one account, shared fairly between users; beyond it 429.",
        between(1, 1_000_000),
    )
    connections_max: int = _setting(
        10_000,
        "Connections that one process has at most, WebSockets included; the longest idle is closed "
        "for a new one, or that is answered 503.",
        between(1, 10_000_000),
    )
    connections_per_address_max: int = _setting(
        1000,
        "The same from one address, unless it is a trusted proxy; more are answered 503.",
        between(1, 10_000_000),
    )
    buffer_bytes_max: int = _setting(
        67_108_864,
        "Bytes that one process buffers at most for all its clients, at least 16777216: requests, "
        "answers and the outboxes of sockets; uploads of media do not count.",
        between(limits.BUFFER_BYTES_MIN, 1 << 40),
    )
    actions_per_second: int = _setting(
        0,
        "Changes per second of one conversation or service, as an average over 5 seconds; beyond "
        "it 429. The hosted API has 30; 0: off.",
        between(0, 1_000_000),
    )
    webhook_allow_private: str = _setting(
        "auto",
        "Whether webhooks may go to loopback and private addresses: yes, no, "
        "or auto: only if the server itself listens on loopback.",
        one_of("auto", "yes", "no"),
    )
    webhook_allow_list: str = _setting(
        "",
        "Networks and host names that webhooks may go to all the same, separated by commas.",
        checks.NETWORKS_AND_NAMES,
    )
    webhook_check_certificates: bool = _setting(
        True, "Whether the certificates of https webhooks are checked.", checks.BOOLEAN
    )
    webhook_retries: str = _setting(
        "durable",
        "How failed webhooks are retried for accounts that did not choose: durable (for a day) "
        "or hosted (as the hosted API does).",
        one_of("durable", "hosted"),
    )
    webhook_retention_hours: int = _setting(
        72,
        "How long the webhook log keeps requests and answers, in hours.",
        between(1, limits.WEBHOOK_RETENTION_HOURS_MAX),
    )
    webhook_overrides: bool = _setting(
        False,
        "Whether connection overrides in the fragments of webhook URLs count.",
        checks.BOOLEAN,
    )
    webhook_studio_url: str = _setting(
        "", "Where flows are started, before /v1/Accounts; empty: they are not.", checks.URL
    )

    @property
    def listens_on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One setting as the documentation and the command line show it."""

    name: str
    flag: str
    variable: str
    default: Any
    kind: type
    description: str
    check: Check
    secret: bool


def setting_descriptions() -> list[SettingDescription]:
    """Every setting, in order."""
    return [
        SettingDescription(
            name=each.name,
            flag=_flag(each.name),
            variable=_variable(each.name),
            default=each.default,
            kind=type(each.default),
            description=each.metadata["description"],
            check=each.metadata["check"],
            secret=each.metadata["secret"],
        )
        for each in fields(Settings)
    ]


NON_SETTING_VARIABLES: Final = frozenset({"PARLOUR_URL", "PARLOUR_CRASH_AT"})
"""Variables that are no settings: clients read the first, tests of crashes set the second."""


def conflicts(settings: Settings) -> Iterator[str]:
    """What is wrong with settings that are each right for themselves, a sentence each."""
    for one, other in (
        ("account_sid", "auth_token"),
        ("api_key_sid", "api_key_secret"),
        ("tls_cert", "tls_key"),
    ):
        if bool(getattr(settings, one)) != bool(getattr(settings, other)):
            missing = other if getattr(settings, one) else one
            yield (
                f"{_both(one)} and {_both(other)} are given together: {_flag(missing)} is missing"
            )
    if settings.api_key_sid and not settings.account_sid:
        yield f"{_both('api_key_sid')} needs {_both('account_sid')}: a key belongs to an account"
    if settings.workers > 1 and not settings.database:
        yield (
            f"{_flag('workers')} {settings.workers}: several workers need PostgreSQL, "
            "--database postgresql://…"
        )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _variable(name: str) -> str:
    return "PARLOUR_" + name.upper()


def _both(name: str) -> str:
    return f"{_flag(name)} ({_variable(name)})"
