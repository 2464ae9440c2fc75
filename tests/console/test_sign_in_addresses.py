"""Throttling of sign-ins by the address of the client: behind proxies, and on several nodes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary import limits
from tests.console.console_page import SESSION, ConsolePage, run_scene, two_nodes
from tests.console.test_sign_in import RIGHT, WRONG

if TYPE_CHECKING:
    from pathlib import Path

    from tests.events.in_process_server import InProcessServer
    from tests.support.in_process_api import InProcessResponse

Headers = dict[bytes, bytes | None]
STRANGER = "192.0.2.1"


async def sign_in(page: ConsolePage, form: dict[str, str], **headers: str) -> InProcessResponse:
    """Sign in with these headers; a name has ``_`` in place of ``-``."""
    sent: Headers = {
        name.replace("_", "-").encode(): value.encode() for name, value in headers.items()
    }
    return await page.send("POST", SESSION, form, headers=sent)


async def guess(page: ConsolePage, **headers: str) -> None:
    """Guess wrongly until further guesses are refused."""
    for _ in range(limits.SIGN_IN_FAILURES_MAX):
        (await sign_in(page, WRONG, **headers)).refuses(401, 20003)
    (await sign_in(page, RIGHT, **headers)).refuses(429, 20429)


def test_failures_of_many_addresses_do_not_block_a_name(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        for number in range(1, 41):
            await guess(ConsolePage(instance.app, peer=f"192.0.2.{number}"))
        (await sign_in(ConsolePage(instance.app, peer="198.51.100.1"), RIGHT)).expect(201)

    run_scene(tmp_path / "data", scene)


def test_clients_behind_a_trusted_proxy_are_counted_by_the_address_it_adds(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        proxy = ConsolePage(instance.app, peer="10.0.0.1")
        await guess(proxy, x_forwarded_for=STRANGER)
        # The client has sent the first address itself.
        spoofed = f"198.51.100.1, {STRANGER}"
        (await sign_in(proxy, RIGHT, x_forwarded_for=spoofed)).refuses(429, 20429)
        forwarded = {"forwarded": f"for={STRANGER}"}
        (await sign_in(proxy, RIGHT, **forwarded)).refuses(429, 20429)
        for other in ("192.0.2.2", f"{STRANGER}, 192.0.2.3"):
            (await sign_in(proxy, RIGHT, x_forwarded_for=other)).expect(201)

    run_scene(tmp_path / "data", scene, trusted_proxies="10.0.0.0/8")


def test_headers_of_an_untrusted_client_do_not_change_its_address(tmp_path: Path) -> None:
    async def scene(instance: InProcessServer) -> None:
        stranger = ConsolePage(instance.app, peer=STRANGER)
        await guess(stranger)
        for header in ({"x_forwarded_for": "198.51.100.1"}, {"forwarded": "for=198.51.100.2"}):
            (await sign_in(stranger, RIGHT, **header)).refuses(429, 20429)

    run_scene(tmp_path / "data", scene, trusted_proxies="10.0.0.0/8")


@pytest.mark.parametrize(
    ("address", "is_same"),
    [("2001:db8:1:2:ffff::9", True), ("2001:db8:1:3::1", False)],
)
def test_a_network_of_ipv6_is_one_client(tmp_path: Path, address: str, *, is_same: bool) -> None:
    async def scene(instance: InProcessServer) -> None:
        await guess(ConsolePage(instance.app, peer="2001:db8:1:2::1"))
        found = await sign_in(ConsolePage(instance.app, peer=address), RIGHT)
        assert found.status == (429 if is_same else 201)

    run_scene(tmp_path / "data", scene)


def test_each_node_counts_its_own_failures_and_locks_no_name_out(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as nodes:
            here, there = (ConsolePage(each.app, peer=STRANGER) for each in nodes)
            await guess(here)
            # The limit is of a process: the second node has its own.
            await guess(there)
            for node in nodes:
                owner = ConsolePage(node.app, peer="192.0.2.2")
                (await sign_in(owner, RIGHT)).expect(201)

    asyncio.run(run())
