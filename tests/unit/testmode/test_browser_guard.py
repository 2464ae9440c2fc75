"""Which browsers test mode serves: those on local pages, and those on pages that are allowed."""

from __future__ import annotations

import pytest

from parlour.protocol.header_block import HeaderBlock
from parlour.testmode.browser_guard import BrowserGuard
from parlour.vocabulary.errors import ApiError

GUARD = BrowserGuard("https://shop.example.net, http://other.example.net:8443/")
HOST = "localhost:8080"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def is_served(path: str = "/v1/Services", *, guard: BrowserGuard = GUARD, **headers: str) -> bool:
    """Whether a request with these headers is served."""
    fields = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    refusals = []
    try:
        guard.check(HeaderBlock(fields), path)
    except ApiError as error:
        refusals.append((error.code, error.status))
    assert refusals in ([], [(20403, 403)])
    return not refusals


@pytest.mark.parametrize("host", ["shop.example.net", "rebound.example.net:8080", "", "[::1"])
def test_a_program_that_is_no_browser_is_not_asked(host: str) -> None:
    assert is_served(host=host)
    assert is_served(host=host, user_agent="twilio-python/9.0")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8080",
        "127.0.0.1:8080",
        "[::1]:8080",
        "192.168.1.7",
        "parlour:8080",
        "api.localhost",
        "chat.test",
        "build.internal",
        "LOCALHOST",
    ],
)
def test_a_page_of_a_local_host_is_served_at_a_local_host(host: str) -> None:
    assert is_served(host=host, origin=f"http://{host}")
    assert is_served(host=host, origin="http://localhost:3000", sec_fetch_site="cross-site")
    assert is_served(host=host, sec_fetch_site="same-origin")
    assert is_served(host=host, sec_fetch_site="none")
    assert is_served(host=host, user_agent=BROWSER)


@pytest.mark.parametrize(
    "host", ["rebound.example.net", "rebound.example.net:8080", "127.0.0.1.example.net", "", "[::1"]
)
def test_no_page_is_served_at_a_name_that_is_not_local(host: str) -> None:
    assert not is_served(host=host, origin="http://localhost:3000")
    assert not is_served(host=host, origin=f"http://{host}")
    assert not is_served(host=host, sec_fetch_site="same-origin")
    assert not is_served(host=host, origin="https://shop.example.net")
    assert not is_served(host=host, user_agent=BROWSER)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.net",
        "null",
        "",
        "https://shop.example.net.evil.example.net",
        "https://localhost.example.net",
        "http://shop.example.net",
        "https://shop.example.net:8443",
        "file://",
        "http://[::1",
        "http://8.8.8.8",
        "http://[2001:4860:4860::8888]:3000",
        "http://[::ffff:8.8.8.8]",
    ],
)
def test_a_foreign_page_is_refused(origin: str) -> None:
    assert not is_served(host=HOST, origin=origin)


@pytest.mark.parametrize(
    "origin",
    ["https://shop.example.net", "http://other.example.net:8443", "HTTPS://SHOP.example.net"],
)
def test_a_page_of_an_allowed_origin_is_served(origin: str) -> None:
    assert is_served(host=HOST, origin=origin)
    assert not is_served(host=HOST, origin=origin, guard=BrowserGuard(""))


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "unknown"])
def test_a_link_or_image_on_a_foreign_page_is_refused(site: str) -> None:
    assert not is_served(host=HOST, sec_fetch_site=site)


def test_a_signed_link_to_a_medium_is_served_on_any_page() -> None:
    path = "/media-direct/AC/IS/ME"
    assert is_served(path, host="rebound.example.net", origin="https://evil.example.net")
    assert not is_served("/v1/media-direct/", host=HOST, origin="https://evil.example.net")


def test_a_page_at_the_public_address_of_the_server_is_served() -> None:
    assert is_served(host="8.8.8.8:8080", origin="http://8.8.8.8:3000")
    assert not is_served(host="8.8.4.4:8080", origin="http://8.8.8.8:3000")


@pytest.mark.parametrize("address", ["10.1.2.3", "172.17.0.1", "192.168.1.7", "[fe80::1]", "[::1]"])
def test_a_page_at_a_private_address_is_served(address: str) -> None:
    assert is_served(host=HOST, origin=f"http://{address}:3000")
