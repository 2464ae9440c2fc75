"""Lists that wait for rows: `Wait` and `MinCount`, on the messages of virtual phones."""

from __future__ import annotations

import base64
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from parlour.vocabulary import limits
from tests.resources.settings_setup import new_account_api
from tests.support.polling import eventually, readable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.server import Server

OWN = "+15005550006"
PHONE = "+15558675310"
MESSAGES = f"/VirtualPhones/{PHONE}/Messages"
LONG = limits.LIST_WAIT_SECONDS_MAX


@pytest.fixture
def own(server: Server) -> Iterator[Api]:
    """An account with its phones, below Parlour's own version."""
    api = new_account_api(server)
    yield api.under("/parlour/v1")
    api.close()


def send(own: Api, body: str = "Hi") -> None:
    own.post(MESSAGES, To=OWN, Body=body).expect(201)


def bodies(page: dict[str, Any]) -> list[str]:
    return [each["body"] for each in page["messages"]]


def open_waiting_list(api: Api) -> socket.socket:
    """Send a request that waits, and return its connection."""
    address = urlsplit(api.base_url)
    assert address.port is not None
    opened = socket.create_connection((address.hostname, address.port), timeout=30)
    login = base64.b64encode(f"{api.sid}:{api.token}".encode()).decode()
    opened.sendall(
        f"GET /parlour/v1{MESSAGES}?Wait={LONG} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Basic {login}\r\n\r\n".encode()
    )
    return opened


def test_a_list_without_wait_has_no_member_complete(own: Api) -> None:
    send(own)
    assert "complete" not in own.get(MESSAGES).expect(200)


def test_a_list_with_enough_rows_answers_at_once(own: Api) -> None:
    send(own)
    page = own.get(MESSAGES, Wait=LONG).expect(200)
    assert (bodies(page), page["complete"]) == (["Hi"], True)
    assert list(page) == ["meta", "messages", "complete"]
    # The wait is no filter of the list.
    assert "Wait" not in page["meta"]["url"]


def test_a_list_answers_as_soon_as_the_last_wanted_row_is_there(own: Api) -> None:
    send(own, "1")
    started = time.monotonic()
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(own.get, MESSAGES, Wait=LONG, MinCount=3)
        send(own, "2")
        send(own, "3")
        page = waiting.result().expect(200)
    assert (bodies(page), page["complete"]) == (["1", "2", "3"], True)
    assert time.monotonic() - started < LONG / 2


def test_a_list_waits_for_the_rows_that_match_its_filters(own: Api) -> None:
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(own.get, MESSAGES, Wait=1, Direction="received")
        send(own)
        page = waiting.result().expect(200)
    assert (bodies(page), page["complete"]) == ([], False)


def test_a_list_answers_with_fewer_rows_after_its_time(own: Api) -> None:
    send(own)
    started = time.monotonic()
    page = own.get(MESSAGES, Wait=1, MinCount=2).expect(200)
    assert (bodies(page), page["complete"]) == (["Hi"], False)
    assert 1 <= time.monotonic() - started < LONG / 2


def test_a_list_with_a_wait_of_no_time_shows_whether_it_is_complete(own: Api) -> None:
    page = own.get(MESSAGES, Wait=0).expect(200)
    assert (page["messages"], page["complete"]) == ([], False)


def test_a_page_after_the_last_one_waits_for_new_rows(own: Api) -> None:
    for body in ("1", "2"):
        send(own, body)
    first = own.get(MESSAGES, PageSize=1).expect(200)
    following = own.get(f"{first['meta']['next_page_url']}&Wait=0").expect(200)
    assert (bodies(following), following["complete"]) == (["2"], True)


def test_the_messages_of_another_account_do_not_end_a_wait(own: Api, server: Server) -> None:
    other = new_account_api(server).under("/parlour/v1")
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(own.get, MESSAGES, Wait=1)
        send(other)
        page = waiting.result().expect(200)
    assert (page["messages"], page["complete"]) == ([], False)
    other.close()


@pytest.mark.parametrize(
    "query",
    [
        {"Wait": LONG + 1},
        {"Wait": -1},
        {"Wait": "long"},
        {"Wait": 1, "MinCount": 0},
        {"Wait": 1, "MinCount": 101},
        {"Wait": 1, "MinCount": 3, "PageSize": 2},
    ],
)
def test_an_invalid_wait_is_refused(own: Api, query: dict[str, Any]) -> None:
    own.get(MESSAGES, query).refuses(400, 20001)


def test_other_lists_ignore_wait(own: Api) -> None:
    page = own.get("/VirtualPhones", Wait=LONG).expect(200)
    assert "complete" not in page


@pytest.mark.promise("how-to/play-a-phone.md", "a further one is answered with 429")
def test_waiting_lists_of_an_account_are_bounded_and_end_with_their_clients(
    own: Api, server: Server
) -> None:
    with ExitStack() as stack:
        waiting = [
            stack.enter_context(open_waiting_list(own))
            for _ in range(limits.LIST_WAITS_PER_ACCOUNT_MAX)
        ]

        def is_refused() -> bool:
            answer = own.get(MESSAGES, Wait=0)
            if answer.status == 429:
                answer.refuses(429, 20429)
                assert answer.headers["retry-after"] == "1"
                return True
            # The list above has a slot while it is read: it can cost a waiting one its slot.
            for each in readable(waiting, 0):
                waiting.remove(each)
                waiting.append(stack.enter_context(open_waiting_list(own)))
            return False

        eventually(is_refused, bool)
        # Others of the account, and other accounts, are served.
        own.post(MESSAGES, To=OWN, Body="").refuses(400, 20001)
        other = new_account_api(server).under("/parlour/v1")
        other.get(MESSAGES, Wait=0).expect(200)
        other.close()
    eventually(lambda: own.get(MESSAGES, Wait=0).status, lambda status: status == 200)
