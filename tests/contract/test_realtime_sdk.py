"""The unmodified client SDK, in three versions: every public method and event, in Node.js."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.contract.sdk_runner import EVERY_VERSION, HERE, VERSIONS, run_of_topics
from tests.support.nodejs import install_packages

if TYPE_CHECKING:
    from tests.contract.sdk_runner import ProgramRun
    from tests.support.server import Server

DRIVE_SECONDS_MAX = 200
CHECKS_MIN = 150
TOPICS = (
    "bootstrap",
    "conversations",
    "participants",
    "messages",
    "contents",
    "horizon",
    "typing",
    "users",
    "media",
    "push",
    "paging",
    "reconnect",
    "tokens",
    "permissions",
    "mixed",
    "webhooks",
)

CORE_TOPICS = (
    "bootstrap",
    "conversations",
    "participants",
    "messages",
    "typing",
    "users",
    "reconnect",
)
"""The topics of a version between the oldest and the newest; all of them are for the gate."""

METHODS = {
    "Client": "getConversationBySid getConversationByUniqueName getContentTemplates"
    " getSubscribedConversations getSubscribedUsers getTemporaryContentUrlsForMedia"
    " getTemporaryContentUrlsForMediaSids getUser handlePushNotification peekConversationBySid"
    " createConversation removePushRegistrations setPushRegistrationId"
    " shutdown unsetPushRegistrationId updateToken",
    "Client static": "create parsePushNotification populateInitRegistrations",
    "Conversation": "add addNonChatParticipant advanceLastReadMessageIndex delete getAttributes"
    " getMessageRecipients getMessages getMessagesCount getParticipantByIdentity"
    " getParticipantBySid getParticipants getParticipantsCount getUnreadMessagesCount join leave"
    " prepareMessage removeParticipant sendMessage setAllMessagesRead setAllMessagesUnread"
    " setUserNotificationLevel typing updateAttributes updateFriendlyName"
    " updateLastReadMessageIndex updateUniqueName",
    "Message": "attachTemporaryUrlsFor getChannelMetadata getContentData"
    " getDetailedDeliveryReceipts getEmailBody getEmailHistory getMediaByCategories"
    " getMediaByCategory getMessageRecipients getParticipant"
    " getTemporaryContentUrlsForAttachedMedia getTemporaryContentUrlsForMedia"
    " getTemporaryContentUrlsForMediaSids remove updateAttributes updateBody",
    "MessageBuilder": "addMedia build buildAndSend setAttributes setBody setContentTemplate"
    " setEmailBody setEmailHistory setSubject",
    "UnsentMessage": "send",
    "Participant": "getUser remove updateAttributes",
    "User": "unsubscribe updateAttributes updateFriendlyName",
    "Media": "getContentTemporaryUrl",
}
EVENTS = {
    "Client": "connectionError connectionStateChanged conversationAdded conversationJoined"
    " conversationLeft conversationRemoved conversationUpdated initFailed initialized"
    " messageAdded messageRemoved messageUpdated participantJoined participantLeft"
    " participantUpdated pushNotification stateChanged tokenAboutToExpire tokenExpired"
    " typingEnded typingStarted userSubscribed userUnsubscribed userUpdated",
    "Conversation": "messageAdded messageRemoved messageUpdated participantJoined"
    " participantLeft participantUpdated removed typingEnded typingStarted updated",
    "Message": "updated",
    "Participant": "typingEnded typingStarted updated",
    "User": "updated userSubscribed userUnsubscribed",
}


def names(table: dict[str, str]) -> set[str]:
    return {f"{owner}.{name}" for owner, members in table.items() for name in members.split()}


def every_method_and_event(run: ProgramRun, version: str) -> None:
    (use,) = run.of("use")
    required = names(METHODS)
    if version == "2.4.0":
        required -= {"Conversation.getMessageRecipients", "Message.getMessageRecipients"}
    assert required - set(use["methods"]) == set()
    assert names(EVENTS) - set(use["events"]) == set()


def complete_runs() -> list[tuple[str, tuple[str, ...], list[pytest.MarkDecorator]]]:
    """Return each version with all topics; those between the oldest and the newest for the gate."""
    _, *between, _ = VERSIONS
    return [(each, TOPICS, [pytest.mark.gate] * (each in between)) for each in VERSIONS]


def short_runs() -> list[tuple[str, tuple[str, ...], list[pytest.MarkDecorator]]]:
    """Return each version between the oldest and the newest with the most important topics."""
    _, *between, _ = VERSIONS
    return [(each, CORE_TOPICS, []) for each in between]


def params(
    runs: list[tuple[str, tuple[str, ...], list[pytest.MarkDecorator]]], *, by_topic: bool = False
) -> list[object]:
    """Return the parameters of runs, each in a separate process if there are several."""
    made: list[object] = []
    for version, topics, marks in runs:
        name = version if topics == TOPICS else f"{version}-core"
        own = [*marks, pytest.mark.xdist_group(f"sdk-{name}")]
        if by_topic:
            made += [
                pytest.param(version, topics, each, marks=own, id=f"{name}-{each}")
                for each in topics
            ]
        else:
            made.append(pytest.param(version, topics, marks=own, id=name))
    return made


_runs: dict[tuple[str, tuple[str, ...]], ProgramRun] = {}


@pytest.fixture
def run(server: Server, version: str, topics: tuple[str, ...]) -> ProgramRun:
    """Return the run of some topics with a version; the first test to need it starts it."""
    if (version, topics) not in _runs:
        _runs[version, topics] = run_of_topics(server, version, topics, DRIVE_SECONDS_MAX)
    return _runs[version, topics]


EACH_TOPIC = params(complete_runs() + short_runs(), by_topic=True)


@pytest.mark.parametrize(("version", "topics", "topic"), EACH_TOPIC)
def test_a_program_written_for_the_sdk_works(run: ProgramRun, topic: str) -> None:
    assert run.failed(topic) == []
    done = [line["scene"] for line in run.checks[topic] if line["check"] == "runs to its end"]
    assert sorted(done) == sorted({line["scene"] for line in run.checks[topic]})
    assert done


@pytest.mark.parametrize(("version", "topics"), params(complete_runs() + short_runs()))
def test_sdk_has_the_expected_version(run: ProgramRun, version: str) -> None:
    assert [line["version"] for line in run.of("sdk")] == [version]


@pytest.mark.parametrize(("version", "topics"), params(complete_runs()))
def test_every_public_method_is_called_and_every_event_arrives(
    run: ProgramRun, version: str
) -> None:
    every_method_and_event(run, version)


@pytest.mark.parametrize(("version", "topics"), params(complete_runs()))
def test_number_of_checks_is_sufficient(run: ProgramRun) -> None:
    assert sum(len(lines) for lines in run.checks.values()) >= CHECKS_MIN


def test_template_content_works_on_the_other_supported_version(server: Server) -> None:
    install_packages(HERE)
    have = {
        version
        for version, name in EVERY_VERSION.items()
        if "getContentData" in (HERE / "node_modules" / name / "builds" / "lib.d.ts").read_text()
    }
    assert have == {*VERSIONS, "2.7.0"}
    run = run_of_topics(server, "2.7.0", ["contents"], DRIVE_SECONDS_MAX)
    assert run.failed("contents") == []
    assert len(run.checks["contents"]) > 50


def test_the_lock_file_holds_hashes_and_no_addresses() -> None:
    text = (HERE / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert "resolved" not in text
    assert "://" not in text
    assert all(each["integrity"] for name, each in packages.items() if name)
    locked = {name: packages[f"node_modules/{name}"]["version"] for name in VERSIONS.values()}
    assert locked == {name: version for version, name in VERSIONS.items()}
