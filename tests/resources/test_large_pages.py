"""Pages larger than 4 MiB end early, and the pages around them continue from there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from parlour.vocabulary import limits
from tests.contract.python_client import ScenarioUrls, client_for
from tests.resources.message_setup import MessageClient

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server

# In JSON each of these characters has six bytes: 192 KiB a message, 21 of them on a page.
LARGE_BODY = "\x01" * limits.MESSAGE_BODY_BYTES_MAX
ATTRIBUTES = json.dumps({"k": "v" * (limits.MESSAGE_ATTRIBUTES_BYTES_MAX - 20)})
COUNT = 36
META_BYTES_MAX = 4096


_made: dict[str, dict[str, Any]] = {}
"""The conversation of each form of the paths: the tests do not change it."""


@pytest.fixture
def conversation(server: Server, form_api: Api) -> MessageClient:
    known = _made.get(form_api.prefix)
    if known is not None:
        return MessageClient(server, form_api, known)
    made = MessageClient.make(server, form_api)
    assert isinstance(made, MessageClient)
    for number in range(COUNT):
        # Every third one is small, so that pages end at rows of different sizes.
        body = LARGE_BODY if number % 3 else f"small {number}"
        made.post(Body=body, Attributes=ATTRIBUTES)
    _made[form_api.prefix] = made.resource
    return made


def get(conversation: MessageClient, url: str) -> dict[str, Any]:
    answer = conversation.api.get(
        url.removeprefix(conversation.api.base_url + conversation.api.prefix)
    )
    page: dict[str, Any] = answer.expect(200)
    assert len(answer.body) <= limits.PAGE_BYTES_MAX + META_BYTES_MAX
    assert page["messages"]
    return page


def walk(conversation: MessageClient, page: dict[str, Any], link: str) -> list[dict[str, Any]]:
    pages = [page]
    while (url := pages[-1]["meta"][link]) is not None:
        pages.append(get(conversation, url))
    return pages


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_of_large_messages_are_the_list_forwards_and_backwards(
    conversation: MessageClient, order: str
) -> None:
    expected = list(range(COUNT))
    if order == "desc":
        expected.reverse()
    forwards = walk(
        conversation,
        get(conversation, f"{conversation.messages}?PageSize=100&Order={order}"),
        "next_page_url",
    )
    assert len(forwards) == 2
    assert [each["index"] for page in forwards for each in page["messages"]] == expected
    assert [page["meta"]["page_size"] for page in forwards] == [100, 100]
    assert [page["meta"]["page"] for page in forwards] == [0, 1]
    backwards = walk(conversation, forwards[-1], "previous_page_url")
    indexes = [each["index"] for page in reversed(backwards) for each in page["messages"]]
    assert indexes == expected


def test_page_of_small_messages_has_the_requested_size(conversation: MessageClient) -> None:
    page = get(conversation, f"{conversation.messages}?PageSize=20")
    assert len(page["messages"]) == 20


def test_official_client_notices_nothing(conversation: MessageClient, server: Server) -> None:
    client = client_for(server, server.account_sid, server.auth_token)
    form = "short" if conversation.api.prefix == "/v1" else "service"
    place = ScenarioUrls(server, client, server.account_sid, conversation.service_sid, form)
    messages = place.resources.conversations(conversation.sid).messages
    assert [each.index for each in messages.list(page_size=100)] == list(range(COUNT))
    assert [each.index for each in messages.stream(limit=25, page_size=100)] == list(range(25))
    page = messages.page(page_size=100)
    first = [each.index for each in page]
    after = page.next_page()
    assert after is not None
    assert first + [each.index for each in after] == list(range(COUNT))
    before = [each.index for each in after.previous_page()]
    assert before == first[-len(before) :]
