"""Which connections egress reuses, shares, limits and closes; TLS; the system's resolver."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from parlour.egress.client import Egress, EgressFailed, make_tls_context
from parlour.vocabulary import limits
from tests.security.scripted_receiver import (
    NEARBY,
    OK,
    ScriptedReceiver,
    close,
    post,
    sized,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


# --- Connections ------------------------------------------------------------------------


def test_a_connection_is_used_again(run: Any) -> None:
    async def ask() -> None:
        async with ScriptedReceiver(OK) as receiver, Egress(NEARBY) as egress:
            for _ in range(5):
                assert (await post(egress, receiver.url)).body_start == b"ok"
            assert (receiver.connections, len(receiver.heads)) == (1, 5)

    run(ask())


@pytest.mark.parametrize(
    "first",
    [
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmu",
        OK + b"HTTP/1.1 2",
        OK + b"x",
        sized(30_000),
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_a_connection_is_not_used_again_if_its_state_is_unclear(run: Any, first: bytes) -> None:
    second = b"HTTP/1.1 201 OK\r\nContent-Length: 5\r\n\r\nright"

    async def ask() -> None:
        async with ScriptedReceiver(first, second) as receiver, Egress(NEARBY) as egress:
            assert (await post(egress, receiver.url)).status == 200
            answer = await post(egress, receiver.url)
            assert (answer.status, answer.body_start) == (201, b"right")
            assert receiver.connections == 2

    run(ask())


def test_unsolicited_bytes_close_an_idle_connection(run: Any) -> None:
    async def ask() -> None:
        async with ScriptedReceiver(OK) as receiver, Egress(NEARBY) as egress:
            await post(egress, receiver.url)
            receiver.writers[0].write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled")
            await asyncio.sleep(0.05)
            assert (await post(egress, receiver.url)).body_start == b"ok"
            assert receiver.connections == 2

    run(ask())


def test_a_closed_idle_connection_is_replaced(run: Any) -> None:
    async def ask() -> None:
        async with ScriptedReceiver(OK) as receiver, Egress(NEARBY) as egress:
            await post(egress, receiver.url)
            receiver.writers[0].close()
            await asyncio.sleep(0.05)
            assert (await post(egress, receiver.url)).status == 200
            assert (receiver.connections, len(receiver.heads)) == (2, 2)

    run(ask())


def test_a_reused_connection_closed_during_a_request_is_replaced_once(run: Any) -> None:
    async def ask() -> None:
        async with ScriptedReceiver(OK, close, OK) as receiver, Egress(NEARBY) as egress:
            await post(egress, receiver.url)
            assert (await post(egress, receiver.url)).status == 200
            assert (receiver.connections, len(receiver.heads)) == (2, 3)
            # The same bytes were sent twice: the receiver detects that by the same token.
            assert receiver.heads[1] == receiver.heads[2]
        async with ScriptedReceiver(OK, close, close) as receiver, Egress(NEARBY) as egress:
            await post(egress, receiver.url)
            with pytest.raises(EgressFailed):
                await post(egress, receiver.url)
            assert len(receiver.heads) == 3

    run(ask())


def test_connections_are_closed_when_idle_or_old(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "IDLE_CONNECTION_MS_MAX", 50)

    async def idle() -> None:
        async with ScriptedReceiver(OK) as receiver, Egress(NEARBY) as egress:
            await post(egress, receiver.url)
            assert len(egress._open) == 1
            await asyncio.sleep(0.3)
            assert (len(egress._open), egress._idle_count, egress._targets) == (0, 0, {})
            await post(egress, receiver.url)
            assert receiver.connections == 2

    async def old() -> None:
        monkeypatch.setattr(limits, "CONNECTION_AGE_MS_MAX", 1)
        async with ScriptedReceiver(OK) as receiver, Egress(NEARBY) as egress:
            await post(egress, receiver.url)
            await asyncio.sleep(0.01)
            await post(egress, receiver.url)
            assert receiver.connections == 2

    run(idle())
    run(old())


def test_idle_connections_are_counted(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "IDLE_CONNECTIONS_MAX", 3)

    async def ask() -> None:
        async with ScriptedReceiver(OK) as receiver, Egress(NEARBY) as egress:
            await asyncio.gather(*(post(egress, receiver.url) for _ in range(10)))
            await asyncio.sleep(0.05)
            assert (len(egress._open), egress._idle_count) == (3, 3)
        assert egress._open == set()

    run(ask())


def test_an_account_with_many_hosts_leaves_idle_connections_to_others(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "IDLE_CONNECTIONS_MAX", 3)

    async def ask() -> None:
        async with AsyncExitStack() as stack:
            egress = await stack.enter_async_context(Egress(NEARBY))
            receivers = [await stack.enter_async_context(ScriptedReceiver(OK)) for _ in range(6)]
            for receiver in receivers[:5]:
                await post(egress, receiver.url, account_sid="A")
            for _ in range(3):
                await post(egress, receivers[5].url, account_sid="B")
            assert receivers[5].connections == 1
            assert egress._idle_of == {"A": 2, "B": 1}
            # The account with the most gets no more in exchange for a smaller one's.
            await post(egress, receivers[0].url, account_sid="A")
            await post(egress, receivers[4].url, account_sid="A")
            assert egress._idle_of == {"A": 2, "B": 1}
            await asyncio.sleep(0.05)
            assert (len(egress._open), egress._idle_count) == (3, 3)

    run(ask())


def test_the_next_address_is_tried_when_the_first_does_not_respond(run: Any) -> None:
    async def resolve(name: str) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.3", "127.0.0.1"]

    async def ask() -> None:
        async with ScriptedReceiver(OK) as receiver, Egress(NEARBY, resolve=resolve) as egress:
            assert (await post(egress, f"http://many.test:{receiver.port}/")).status == 200
            assert receiver.heads[0].split("\r\n")[1] == f"Host: many.test:{receiver.port}"

    run(ask())


def test_a_connection_to_another_address_than_the_judged_one_is_a_bug() -> None:
    async def ask() -> None:
        async with ScriptedReceiver(OK) as receiver:

            async def astray(
                factory: Any, address: str, port: int, tls: Any, server_name: Any
            ) -> Any:
                loop = asyncio.get_running_loop()
                return await loop.create_connection(factory, "127.0.0.1", receiver.port)

            async with Egress(NEARBY, connect=astray) as egress:
                with pytest.raises(AssertionError, match="another address"):
                    await post(egress, "http://127.0.0.2/")
            assert receiver.heads == []

    asyncio.run(ask())


# --- The system's resolver --------------------------------------------------------------


def test_localhost_is_resolved_by_the_system(run: Any) -> None:
    async def ask() -> None:
        async with ScriptedReceiver(OK) as receiver, Egress(NEARBY) as egress:
            answer = await post(egress, f"http://localhost:{receiver.port}/")
            assert answer.status == 200

    run(ask())


# --- TLS --------------------------------------------------------------------------------

YESTERDAY, TOMORROW = -1, 1


class Authority:
    """Issues certificates, which clients do not trust unless configured to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        self.certificate = self._issue(self.name, self.key, [], TOMORROW, is_authority=True)

    def _issue(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, names: list[x509.GeneralName],
        until_days: int, *, is_authority: bool,
    ) -> x509.Certificate:  # fmt: skip
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=9))
            .not_valid_after(now + dt.timedelta(days=until_days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def server(self, *names: str, until_days: int = TOMORROW) -> ssl.SSLContext:
        """A server's TLS context with a certificate for these names or addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._issue(
            x509.Name([]), key, [_general_name(name) for name in names], until_days,
            is_authority=False,
        )  # fmt: skip
        path = self.folder / "server.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def trusted(self) -> ssl.SSLContext:
        """A client's TLS context that trusts this authority."""
        context = make_tls_context()
        context.load_verify_locations(
            cadata=self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        )
        return context


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


async def resolve_here(name: str) -> Sequence[str]:
    return ["127.0.0.1"]


async def post_securely(
    server: ssl.SSLContext, client: Callable[[], ssl.SSLContext], host: str = "hooks.test"
) -> int:
    """Return the status of a request over TLS."""
    async with (
        ScriptedReceiver(OK, tls=server) as receiver,
        Egress(NEARBY, resolve=resolve_here, tls=client) as egress,
    ):
        url = f"https://{host}:{receiver.port}/"
        await post(egress, url)
        status = (await post(egress, url)).status
        assert receiver.connections == 1
        return status


def test_a_certificate_is_checked_against_the_name_in_the_url(run: Any, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = authority.server("hooks.test", "127.0.0.1")
    asked_for: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    assert run(post_securely(server, authority.trusted)) == 200
    assert run(post_securely(server, authority.trusted, "Hooks.Test.")) == 200
    # An address is validated too, without a lookup.
    assert run(post_securely(server, authority.trusted, "127.0.0.1")) == 200
    assert asked_for == ["hooks.test", "hooks.test", None]


@pytest.mark.parametrize(
    ("name", "until_days", "is_trusted", "code"),
    [
        ("other.test", TOMORROW, True, 11235),
        ("127.0.0.1", TOMORROW, True, 11235),
        ("hooks.test", YESTERDAY, True, 11236),
        ("hooks.test", TOMORROW, False, 11237),
    ],
)
def test_a_bad_certificate_has_its_own_code(
    tmp_path: Path, name: str, until_days: int, is_trusted: bool, code: int
) -> None:
    authority = Authority(tmp_path)
    server = authority.server(name, until_days=until_days)
    client = authority.trusted if is_trusted else make_tls_context
    for run in (asyncio.run, uvloop.run):
        with pytest.raises(EgressFailed) as caught:
            run(post_securely(server, client))
        assert (caught.value.kind, caught.value.code) == ("tls", code)


def test_certificates_are_not_verified_if_the_operator_disables_it(
    run: Any, tmp_path: Path
) -> None:
    server = Authority(tmp_path).server("other.test", until_days=YESTERDAY)
    assert run(post_securely(server, lambda: make_tls_context(checks_certificates=False))) == 200


def test_a_port_without_tls_is_a_tls_failure(run: Any) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test ESMTP\r\n")
        writer.close()

    async def ask() -> EgressFailed:
        plain = await asyncio.start_server(greet, "127.0.0.1", 0)
        port = plain.sockets[0].getsockname()[1]
        async with Egress(NEARBY) as egress:
            with pytest.raises(EgressFailed) as caught:
                await post(egress, f"https://127.0.0.1:{port}/")
        plain.close()
        return caught.value

    failure = run(ask())
    assert (failure.kind, failure.code) == ("tls", 11220)
