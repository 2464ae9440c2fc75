"""Signed URLs of media, for carriers and for programs of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.protocol.media_urls import MediaLink, new_link
from parlour.vocabulary import limits
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.config import Settings
    from parlour.protocol.media_urls import MediaUrls
    from parlour.resources.media.store import Media
    from parlour.vocabulary.clock import Clock


class MediaLinks:
    """Makes the URLs, below the root of media in the settings."""

    def __init__(self, settings: Settings, urls: MediaUrls, clock: Clock) -> None:
        self._public = (settings.media_url or settings.public_url).rstrip("/")
        self._local = f"http://{settings.host}:{settings.port}"
        self._urls = urls
        self._clock = clock

    def of_carrier(self, scope: Scope, sid: str) -> str:
        """Return the URL from which a carrier reads an outbound medium, within an hour.

        Empty without a public URL: no carrier could read it.
        """
        if not self._public:
            return ""
        expires = self._clock.now_ms() // 1000 + limits.CARRIER_MEDIA_URL_SECONDS
        return self._public + self._urls.sign(MediaLink(scope, sid, "", expires))

    def of_program(self, medium: Media) -> str:
        """Return a temporary URL of a medium, for programs of its account."""
        scope = Scope(medium.account_sid, medium.service_sid)
        link = new_link(scope, medium.sid, "", self._clock.now_ms())
        return (self._public or self._local) + self._urls.sign(link)
