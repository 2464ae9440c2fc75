"""All settings: name, default, allowed values and description.

The command line options and docs/reference/settings.md are generated from them.

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


# Settings whose URL may have a password; ``repr`` leaves them out, as it does secrets.
_WITH_CREDENTIALS: Final = (checks.DATABASE_URL, checks.REDIS_URL)


# Well known, and accepted in test mode only. Not shaped like real secrets, so that scanners of
# secrets do not report them.
TEST_ACCOUNT_SID: Final = f"{sids.ACCOUNT}{'0' * 32}"
TEST_AUTH_TOKEN: Final = "parlour-test-auth-token"  # noqa: S105 - it is public.
TEST_API_KEY_SID: Final = f"{sids.API_KEY}{'0' * 32}"
TEST_API_KEY_SECRET: Final = "parlour-test-api-key-secret"  # noqa: S105 - as above.


def _setting(default: Any, description: str, check: Check, *, secret: bool = False) -> Any:
    """Declare a setting; one whose default is an empty tuple can be given several times."""
    metadata = {"description": description, "check": check, "secret": secret}
    return field(
        default=default, repr=not secret and check not in _WITH_CREDENTIALS, metadata=metadata
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a server. The generated reference and the options are made from them."""

    host: str = _setting("127.0.0.1", "Address to listen on.", checks.HOST)
    port: int = _setting(
        8080,
        "TCP port for all protocols; 0 selects a free one, which is written to --ready-file.",
        between(0, 65535),
    )
    workers: int = _setting(
        1, "Worker processes that share the port; several need PostgreSQL.", between(1, 256)
    )
    ready_file: str = _setting(
        "",
        "File that is written once the server accepts requests: JSON with URL, port, process ID, "
        "and the account with the secrets that the settings or this start created. A clean stop "
        "removes it. Empty: none.",
        checks.OPTIONAL_PATH,
    )
    data: Path = _setting(
        Path(".parlour"), "Folder of the embedded database, the key file and media.", checks.PATH
    )
    database: str = _setting(
        "", "URL of the PostgreSQL database; empty: SQLite in the data folder.", checks.DATABASE_URL
    )
    database_connections: int = _setting(
        16, "Size of one process's pool of PostgreSQL connections.", between(1, 1000)
    )
    redis: str = _setting(
        "",
        "URL of Redis or Valkey, through which several nodes wake each other; empty: none.",
        checks.REDIS_URL,
    )
    public_url: str = _setting(
        "",
        "Base URL of the server in responses; empty: from the Host header of each request.",
        checks.PUBLIC_URL,
    )
    trusted_proxies: str = _setting(
        "127.0.0.0/8, ::1",
        "Networks of proxies whose X-Forwarded-For, X-Forwarded-Proto or Forwarded header is "
        "trusted, separated by commas.",
        checks.NETWORKS,
    )
    tls_cert: str = _setting(
        "", "PEM file of the TLS certificate with its chain; empty: no TLS.", checks.OPTIONAL_PATH
    )
    tls_key: str = _setting(
        "", "PEM file of the private key of that certificate.", checks.OPTIONAL_PATH
    )
    media_url: str = _setting(
        "",
        "Base URL of temporary media URLs, to serve uploaded files from a separate host name; "
        "empty: as all other URLs.",
        checks.PUBLIC_URL,
    )
    carriers: str = _setting(
        "",
        "File of the carriers, their routes and numbers, in TOML; empty: all messages to phones go "
        "to virtual phones.",
        checks.OPTIONAL_PATH,
    )
    account_sid: str = _setting(
        "", "SID of an account to create at startup.", checks.sid(sids.ACCOUNT)
    )
    auth_token: str = _setting(
        "",
        "Auth token of that account; replaces the token of an existing account.",
        checks.SECRET,
        secret=True,
    )
    api_key_sid: str = _setting(
        "", "SID of an API key to create for that account.", checks.sid(sids.API_KEY)
    )
    api_key_secret: str = _setting("", "Secret of that API key.", checks.SECRET, secret=True)
    request_log: str = _setting(
        "errors",
        "Requests that are logged: all, errors (5xx and slow ones) or none.",
        one_of("all", "errors", "none"),
    )
    log_format: str = _setting(
        "auto",
        "Log format: json, console, or auto (console on a terminal).",
        one_of("auto", "json", "console"),
    )
    log_level: str = _setting(
        "info",
        "Minimum severity of log messages.",
        one_of("debug", "info", "warning", "error", in_any_case=True),
    )
    concurrent_requests_max: int = _setting(
        1000,
        "Concurrent requests in total, shared fairly between accounts; beyond it 429 or 503.",
        between(1, 1_000_000),
    )
    concurrent_requests_per_account_max: int = _setting(
        500,
        "Concurrent requests of one account, shared fairly between users; beyond it 429.",
        between(1, 1_000_000),
    )
    connections_max: int = _setting(
        10_000,
        "Connections of one process, WebSockets included; beyond it the longest idle one is closed "
        "or the new one gets 503.",
        between(1, 10_000_000),
    )
    connections_per_address_max: int = _setting(
        1000,
        "Connections of one process from one address, trusted proxies excepted; beyond it 503.",
        between(1, 10_000_000),
    )
    buffer_bytes_max: int = _setting(
        67_108_864,
        "Size of one process's buffer pool for all clients in bytes, at least 16777216: requests, "
        "responses and outboxes of WebSockets; media uploads are not counted.",
        between(limits.BUFFER_BYTES_MIN, 1 << 40),
    )
    actions_per_second: int = _setting(
        0,
        "Rate limit of changes to one conversation or service, averaged over 5 seconds; beyond it "
        "429. The hosted API has 30; 0 disables it.",
        between(0, 1_000_000),
    )
    webhook_allow_private: str = _setting(
        "auto",
        "Whether webhooks may be sent to loopback and private addresses: yes, no, or auto (only if "
        "the server itself listens on loopback, or is in test mode).",
        one_of("auto", "yes", "no"),
    )
    webhook_allow_list: str = _setting(
        "",
        "Networks and host names to which webhooks may be sent in any case, separated by commas.",
        checks.NETWORKS_AND_NAMES,
    )
    webhook_check_certificates: bool = _setting(
        True, "Whether the TLS certificates of webhook receivers are verified.", checks.BOOLEAN
    )
    webhook_retries: str = _setting(
        "durable",
        "Default retry schedule of failed webhooks: durable (for a day) or hosted (that of the "
        "hosted API). An account can choose another.",
        one_of("durable", "hosted"),
    )
    webhook_retention_hours: int = _setting(
        72,
        "Retention of requests and responses in the webhook log, in hours.",
        between(1, limits.WEBHOOK_RETENTION_HOURS_MAX),
    )
    webhook_overrides: bool = _setting(
        False,
        "Whether connection overrides in the fragment of webhook URLs are applied.",
        checks.BOOLEAN,
    )
    webhook_studio_url: str = _setting(
        "",
        "Base URL for starting Studio flows, before /v1/Accounts; empty: flows are not started.",
        checks.URL,
    )

    console: bool = _setting(
        True,
        "Whether the server has a console, a page for browsers below /parlour/console/.",
        checks.BOOLEAN,
    )
    console_hosts: str = _setting(
        "",
        "Host names and addresses under which the console is served, in addition to the one of "
        "--public-url and to loopback, separated by commas.",
        checks.HOSTS,
    )
    console_bodies: bool = _setting(
        True,
        "Whether operators see bodies of messages, attributes, media and parameters in the "
        "console; accounts see their own in any case.",
        checks.BOOLEAN,
    )
    template_approval: str = _setting(
        "auto",
        "Whether content templates are approved at once when a program requests their approval, or "
        "by hand.",
        one_of("auto", "manual"),
    )

    test: bool = _setting(
        False,
        "Test mode: test functions such as the clock, reset and faults are available. The data is "
        "temporary unless --data names a folder, which is then marked as test data.",
        checks.BOOLEAN,
    )
    seed: tuple[Path, ...] = _setting(
        (),
        "Seed document that is loaded at startup, JSON or YAML; can be given several times, and "
        "the variable separates paths by colons. Test mode only.",
        checks.PATH,
    )
    export_on_exit: str = _setting(
        "",
        "File to which the first account is exported as a seed document at the end; an existing "
        "one is overwritten. Test mode only.",
        checks.OPTIONAL_PATH,
    )
    random_seed: int = _setting(
        0,
        "Seed of random SIDs and delays, so that they repeat from run to run; 0: not repeatable. "
        "Test mode only.",
        between(0, (1 << 53) - 1),
    )
    strict: bool = _setting(
        False,
        "Whether unknown parameters are refused, with the nearest name; an account can choose. "
        "Test mode only.",
        checks.BOOLEAN,
    )
    open_accounts: bool = _setting(
        False,
        "Whether an unknown account SID with any auth token becomes an account at its first "
        "request. Test mode only.",
        checks.BOOLEAN,
    )
    allow_origin: str = _setting(
        "",
        "Origins of browsers that are served in test mode, in addition to local ones, separated "
        "by commas: https://shop.example.net.",
        checks.ORIGINS,
    )
    exit_with_parent: bool = _setting(
        False,
        "Whether the server stops when its standard input, a pipe, is closed: so it ends with the "
        "program that started it.",
        checks.BOOLEAN,
    )

    @property
    def listens_on_loopback(self) -> bool:
        """Return whether only local clients can reach the server."""
        return self.host in {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One setting as the documentation and the command line present it."""

    name: str
    flag: str
    variable: str
    default: Any
    kind: type
    description: str
    check: Check
    secret: bool


def setting_descriptions() -> list[SettingDescription]:
    """Return all settings in the order of their declaration."""
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


NON_SETTING_VARIABLES: Final = frozenset(
    {
        "PARLOUR_URL",
        "PARLOUR_WS_URL",
        "PARLOUR_SERVICE_SID",
        "PARLOUR_COMMAND",
        "PARLOUR_WAIT_MS",
        "PARLOUR_CRASH_AT",
    }
)
"""Variables with the prefix that are not settings: of clients, test kits and crash tests."""


def conflicts(settings: Settings) -> Iterator[str]:
    """Yield an error message for each combination of settings that is not allowed."""
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
    if settings.workers > 1 and not settings.database and not settings.test:
        yield (
            f"{_flag('workers')} {settings.workers}: several workers need PostgreSQL, "
            "--database postgresql://…"
        )
    yield from _test_conflicts(settings)


_ONLY_IN_TEST_MODE: Final = (
    "seed",
    "export_on_exit",
    "random_seed",
    "strict",
    "open_accounts",
    "allow_origin",
)
_NOT_IN_TEST_MODE: Final = (
    ("database", "test mode has its own embedded database"),
    ("redis", "test mode has one node"),
    ("workers", "test mode has one process, since it steers time"),
    ("tls_cert", "test mode is not for the network: anybody could delete its data"),
)


def _test_conflicts(settings: Settings) -> Iterator[str]:
    """Yield an error message for each setting that does not fit test mode, or needs it."""
    defaults = Settings()
    if not settings.test:
        for name in _ONLY_IN_TEST_MODE:
            if getattr(settings, name) != getattr(defaults, name):
                yield f"{_both(name)} needs {_both('test')}"
        for name, known in (
            ("auth_token", TEST_AUTH_TOKEN),
            ("api_key_secret", TEST_API_KEY_SECRET),
        ):
            if getattr(settings, name) == known:
                yield f"{_both(name)} is publicly known and accepted with {_flag('test')} only"
        return
    for name, reason in _NOT_IN_TEST_MODE:
        if getattr(settings, name) != getattr(defaults, name):
            yield f"{_both(name)} cannot be combined with {_flag('test')}: {reason}"
    if settings.public_url and not checks.is_loopback_url(settings.public_url):
        yield (
            f"{_both('public_url')} must be on loopback with {_flag('test')}: test mode is not for "
            "the network"
        )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _variable(name: str) -> str:
    return "PARLOUR_" + name.upper()


def _both(name: str) -> str:
    return f"{_flag(name)} ({_variable(name)})"
