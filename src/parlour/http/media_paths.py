"""The paths of media: asked of each request before anything else is done for it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from parlour.protocol.media_urls import PREFIX

_SERVICE: Final = r"/v1/Services/(?P<service>[^/]+)"
_SHOWN: Final = "/v1/Services/{ChatServiceSid}"
_READING: Final = ("GET", "HEAD")


class MediaRoute(NamedTuple):
    """One path: what is done there, by which methods."""

    path: re.Pattern[str]
    operation_id: str
    methods: tuple[str, ...]
    template: str
    """How the log shows it: without the signature of a temporary URL."""


_PLACES: Final = (
    MediaRoute(re.compile(rf"{_SERVICE}/Media\Z"), "CreateMedia", ("POST",), f"{_SHOWN}/Media"),
    MediaRoute(
        re.compile(rf"{_SERVICE}/MediaSet\Z"), "FetchMediaSet", ("POST",), f"{_SHOWN}/MediaSet"
    ),
    MediaRoute(
        re.compile(rf"{_SERVICE}/Media/(?P<sid>[^/]+)\Z"),
        "FetchMedia",
        _READING,
        f"{_SHOWN}/Media/{{Sid}}",
    ),
    MediaRoute(
        re.compile(rf"{_SERVICE}/Media/(?P<sid>[^/]+)/Content\Z"),
        "FetchMediaContent",
        _READING,
        f"{_SHOWN}/Media/{{Sid}}/Content",
    ),
    MediaRoute(re.compile(rf"{PREFIX}.*\Z"), "FetchMediaDirect", _READING, f"{PREFIX}{{Signed}}"),
)
# Most requests are for something else, and this is asked of each of them.
_PERHAPS: Final = re.compile(rf"{_SERVICE}/Media|{PREFIX}")


class MediaMatch(NamedTuple):
    """What a path names, and the values of its variables."""

    place: MediaRoute
    names: dict[str, str]


def find(path: str) -> MediaMatch | None:
    """The place that a path names, if it is one of these."""
    if _PERHAPS.match(path) is None:
        return None
    for place in _PLACES:
        match = place.path.match(path)
        if match is not None:
            return MediaMatch(place, match.groupdict())
    return None
