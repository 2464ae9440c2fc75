"""Downloads of inbound media: only from the provider's host and the listed ones."""

from __future__ import annotations

from typing import Any

import pytest

from parlour.channels.carrier import CarrierUnavailable
from parlour.channels.http_provider.carrier import CARRIER_TYPE, HttpProvider
from parlour.channels.http_provider.options import HttpProviderOptions
from parlour.vocabulary import limits
from tests.carriers.http_carrier_setup import http_response, with_carrier
from tests.security.scripted_receiver import sized


def make_options(base_url: str, **changes: Any) -> HttpProviderOptions:
    values = {"base_url": base_url, "account_sid": "AC9", "auth_token": "token"}
    return HttpProviderOptions(**(values | changes))


def download(location: str, *script: Any) -> tuple[Any, list[str]]:
    """Return a medium or why there is none, and the requests.

    ``{base}`` is the API's URL, ``{host}`` its host and port.
    """

    async def act(carrier: HttpProvider) -> bytes | CarrierUnavailable:
        base_url = carrier._account_url.signed_url.partition("/2010")[0]
        try:
            host = base_url.removeprefix("http://")
            return await carrier.read_medium(location.format(base=base_url, host=host))
        except CarrierUnavailable as error:
            return error

    result, api = with_carrier(CARRIER_TYPE, make_options, act, *script)
    return result, api.heads


def test_a_medium_is_fetched_from_the_providers_host_with_credentials() -> None:
    content, [head] = download("{base}/Media/ME1", http_response(200, "bytes"))

    assert content == b"bytes"
    assert head.startswith("GET /Media/ME1 HTTP/1.1\r\n")
    assert "Authorization: Basic " in head


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/Media/ME1",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost/x",
        "https://api.example.com.evil.example/x",
        "http://user:pw@{host}/x",
        "{base}@evil.example/x",
        "file:///etc/passwd",
        "/Media/ME1",
        "",
    ],
)
def test_a_medium_at_another_place_is_not_requested(location: str) -> None:
    content, heads = download(location, http_response(200, "bytes"))

    assert isinstance(content, CarrierUnavailable)
    assert str(content).startswith("the medium")
    assert heads == []


def redirect(location: str) -> bytes:
    return http_response(307, "", Location=location)


def test_a_redirect_within_the_providers_host_is_followed_some_times() -> None:
    steps = [redirect("/b"), redirect("c"), http_response(200, "bytes")]

    assert download("{base}/a", *steps)[0] == b"bytes"
    content, heads = download("{base}/a", redirect("/a"))

    assert isinstance(content, CarrierUnavailable)
    assert len(heads) == 1 + limits.CARRIER_REDIRECTS_MAX


def test_a_redirect_to_an_unlisted_host_is_not_followed() -> None:
    content, heads = download("{base}/a", redirect("http://localhost:1/b"))

    assert isinstance(content, CarrierUnavailable)
    assert len(heads) == 1


def test_a_listed_host_gets_no_credentials() -> None:
    async def act(carrier: HttpProvider) -> bytes:
        base_url = carrier._account_url.signed_url.partition("/2010")[0]
        return await carrier.read_medium(base_url.replace("127.0.0.1", "localhost") + "/b")

    def options(base_url: str) -> HttpProviderOptions:
        host = base_url.replace("http://127.0.0.1", "localhost")
        return make_options(base_url, media_hosts=(host,))

    content, api = with_carrier(CARRIER_TYPE, options, act, http_response(200, "bytes"))

    assert content == b"bytes"
    assert "Authorization" not in api.heads[0]


@pytest.mark.parametrize("status", [404, 401, 500])
def test_a_medium_with_an_error_status_is_unavailable(status: int) -> None:
    assert isinstance(download("{base}/a", http_response(status))[0], CarrierUnavailable)


def test_a_medium_above_the_limit_is_unavailable() -> None:
    content, _ = download("{base}/a", sized(limits.INBOUND_MEDIA_BYTES_MAX + 1))

    assert isinstance(content, CarrierUnavailable)
    assert len(download("{base}/a", sized(limits.INBOUND_MEDIA_BYTES_MAX))[0]) == (
        limits.INBOUND_MEDIA_BYTES_MAX
    )
