"""The notification settings of a service: settings that were never set are not shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.resources.settings_setup import changes, logged_events, new_service_api, refuses

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server

PATH = "/Configuration/Notifications"
OFF = {"enabled": False}
KINDS = {
    "NewMessage": "new_message",
    "AddedToConversation": "added_to_conversation",
    "RemovedFromConversation": "removed_from_conversation",
}


@pytest.fixture
def service(api: Api) -> Api:
    return new_service_api(api)


def test_a_new_service_pushes_nothing(service: Api) -> None:
    assert service.get(PATH).expect(200) == {
        "account_sid": service.sid,
        "chat_service_sid": service.prefix.rpartition("/")[2],
        "log_enabled": False,
        "added_to_conversation": OFF,
        "new_message": OFF,
        "removed_from_conversation": OFF,
        "url": f"{service.base_url}{service.prefix}/Configuration/Notifications",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_a_switch_a_template_and_a_sound(service: Api, kind: str) -> None:
    key = KINDS[kind]
    form = {f"{kind}.Enabled": "true", f"{kind}.Template": "${PARTICIPANT}: ${MESSAGE}"}
    one = {"enabled": True, "template": "${PARTICIPANT}: ${MESSAGE}"}
    changes(service, PATH, form, **{key: one})
    changes(service, PATH, {f"{kind}.Sound": "ring"}, **{key: {**one, "sound": "ring"}})
    changes(
        service,
        PATH,
        {f"{kind}.Template": "", f"{kind}.Enabled": "False"},
        **{key: {"enabled": False, "sound": "ring"}},
    )
    changes(service, PATH, {f"{kind}.Sound": ""}, **{key: OFF})


def test_new_messages_have_a_badge_and_a_notice_for_media(service: Api, server: Server) -> None:
    changes(
        service,
        PATH,
        {"NewMessage.BadgeCountEnabled": "false"},
        new_message={"enabled": False, "badge_count_enabled": False},
    )
    sid = service.prefix.rpartition("/")[2]
    assert logged_events(server, str(service.sid))[-1] == ("serviceChanged", sid)
    shown = changes(
        service,
        PATH,
        {
            "NewMessage.WithMedia.Template": "${MEDIA}",
            "NewMessage.Template": "${MESSAGE}",
            "NewMessage.Sound": "ring",
            "NewMessage.BadgeCountEnabled": "true",
        },
        new_message={
            "enabled": False,
            "template": "${MESSAGE}",
            "badge_count_enabled": True,
            "sound": "ring",
            "with_media": {"enabled": False, "template": "${MEDIA}"},
        },
    )["new_message"]
    assert list(shown) == ["enabled", "template", "badge_count_enabled", "sound", "with_media"]
    changes(
        service,
        PATH,
        {"NewMessage.WithMedia.Enabled": "true", "NewMessage.WithMedia.Template": ""},
        new_message={**shown, "with_media": {"enabled": True}},
    )


def test_the_log_is_a_switch(service: Api) -> None:
    changes(service, PATH, {"LogEnabled": "true"}, log_enabled=True)
    changes(service, PATH, {})
    changes(service, PATH, {"LogEnabled": "false"}, log_enabled=False)


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("LogEnabled", "yes", 20001),
        ("NewMessage.Enabled", "", 20001),
        ("NewMessage.Template", "x" * 513, 50058),
        ("NewMessage.WithMedia.Template", "x" * 513, 50058),
        ("AddedToConversation.Template", "x" * 513, 50058),
        ("RemovedFromConversation.Sound", "x" * 129, 50059),
    ],
)
def test_a_bad_value_is_refused(
    service: Api, server: Server, name: str, text: str, code: int
) -> None:
    refuses(server, service, PATH, {"LogEnabled": "true", name: text}, code)


def test_the_longest_texts_are_accepted(service: Api) -> None:
    form = {"NewMessage.Template": "ü" * 512, "NewMessage.Sound": "ü" * 128}
    shown = service.post(PATH, form).expect(200)["new_message"]
    assert shown == {"enabled": False, "template": "ü" * 512, "sound": "ü" * 128}


def test_it_belongs_to_a_service(service: Api, foreign_api: Api) -> None:
    foreign_api.under(service.prefix).get(PATH).refuses(404, 20404)
    service.delete(PATH).refuses(405, 20004)
