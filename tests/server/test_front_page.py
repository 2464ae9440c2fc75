"""``GET /``: HTML for browsers, the API's response for programs; and paths in the request log."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from parlour.http.front_page import accepts_html, front_page
from parlour.http.logged_paths import logged_path
from tests.support.client import Api
from tests.support.server import Server

if TYPE_CHECKING:
    import os

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_a_browser_gets_a_page_and_no_password_dialogue(api: Api) -> None:
    page = api.signed(None, None).under("").request("GET", "/", headers=BROWSER)
    assert page.status == 200
    assert "WWW-Authenticate" not in page.headers
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f"Parlour {version('parlour')}" in page.text
    assert '<a href="https://www.twilio.com/docs/conversations/api">' in page.text
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "script" not in page.text
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Vary"] == "Accept"
    head = api.signed(None, None).under("").request("HEAD", "/", headers=BROWSER)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(page.body))


def test_the_page_links_to_the_console_where_there_is_one(api: Api) -> None:
    page = api.signed(None, None).under("").request("GET", "/", headers=BROWSER)
    assert '<a href="/parlour/console/">' in page.text
    without = front_page(has_console=False).body.decode()
    assert "/parlour/console/" not in without
    assert "nothing to log in to" in without
    assert "{console}" not in page.text + without


def test_the_page_has_its_style_in_light_and_dark(api: Api) -> None:
    page = api.signed(None, None).under("").request("GET", "/", headers=BROWSER)
    (style,) = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
    # A browser applies a style only if its digest is in the policy.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page.headers["Content-Security-Policy"]
    assert "color-scheme:light dark" in style
    assert "@media(prefers-color-scheme:dark)" in style
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page.text


def test_a_program_gets_the_api_response(api: Api) -> None:
    anonymous = api.signed(None, None).under("")
    for accept in ("application/json", "*/*", "text/html;q=0, */*"):
        anonymous.request("GET", "/", headers={"Accept": accept}).refuses(401, 20003)
        api.under("").request("GET", "/", headers={"Accept": accept}).refuses(404, 20404)
    anonymous.request("POST", "/", headers=BROWSER).refuses(401, 20003)
    anonymous.request("GET", "/v1/Conversations", headers=BROWSER).refuses(401, 20003)


@pytest.mark.parametrize(
    ("accept", "does"),
    [
        (None, False),
        ("", False),
        ("text/html", True),
        ("TEXT/HTML ; q=0.5", True),
        ("application/json, text/html;level=1", True),
        ("text/html;q=0.0", False),
        ("text/htmlx, */*", False),
    ],
)
def test_html_is_accepted_by_name(accept: str | None, *, does: bool) -> None:
    assert accepts_html(accept) is does


def test_the_log_has_the_template_of_a_path_and_no_value(tmp_path: os.PathLike[str]) -> None:
    del tmp_path
    sid = "CH" + "0" * 32
    requested = {
        f"/v1/Conversations/{sid}/Messages": "/v1/Conversations/{ConversationSid}/Messages",
        "/v1/Users/alice%40example.com": "/v1/Users/{Sid}",
        "/v1/Users/alice/Nothing/x1": "/v1/Users/{Sid}/Nothing/*",
        "/v2/Nowhere": "/v2/Nowhere",
        "/v2/%1b%5B31m/0123456789abcdef0123456789abcdef": "/v2/*/*",
        "/" + "x" * 5000: "/*",
        "/healthz": "/healthz",
        "/": "/",
        f"/v1/Services/{sid}/Media/ME1": "/v1/Services/{ChatServiceSid}/Media/{Sid}",
    }
    settings = {"PARLOUR_REQUEST_LOG": "all", "PARLOUR_LOG_FORMAT": "json"}
    with Server(env=settings) as server:
        api = Api(server.base_url, server.account_sid, server.auth_token).under("")
        ids = {api.get(path).headers["Twilio-Request-Id"]: path for path in requested}
        api.close()
        server.stop()
        lines = [json.loads(x) for x in server.log_path.read_text().splitlines() if x[:1] == "{"]
    logged = {ids[x["request_sid"]]: x["path"] for x in lines if x.get("request_sid") in ids}
    expected = {path: re.sub(r"\{\w+\}", "{}", template) for path, template in requested.items()}
    assert {
        path: re.sub(r"\{\w+\}", "{}", template) for path, template in logged.items()
    } == expected


def test_a_long_path_is_looked_up_a_bounded_number_of_times() -> None:
    requested: list[str] = []

    def none(path: str) -> None:
        requested.append(path)

    assert len(logged_path("/a" * 10_000, none)) < 100
    assert len(requested) <= 11
