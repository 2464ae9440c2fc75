"""The second wall before connected users and media: the tests of the first, with that one down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.security.test_media_access import (  # noqa: F401 - they run here with another server.
    medium,
    place,
    strangers,
    test_a_medium_looks_like_one_that_was_never_made,
    test_a_temporary_url_is_valid_for_its_medium_only,
    test_participants_see_it_until_they_are_none,
    test_unsent_media_are_visible_to_the_uploader_only,
)
from tests.security.test_realtime_access import (  # noqa: F401 - as above.
    conversation,
    stranger,
    test_a_subscription_fails_as_to_one_that_was_never_made,
    test_an_object_looks_like_one_that_was_never_made,
    test_no_event_of_a_conversation_is_sent_to_strangers,
    test_the_conversations_of_another_user_are_not_found,
    test_user_information_stays_in_its_service,
)
from tests.security.test_row_security import server  # noqa: F401 - without the first wall.

if TYPE_CHECKING:
    from tests.support.server import Server

pytestmark = [pytest.mark.xdist_group("row security"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def foreign_account(server: Server) -> tuple[str, str]:  # noqa: F811 - the one from above.
    """Sid and auth token of a second account."""
    return server.make_account()
