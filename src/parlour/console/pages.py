"""The page of the console: one document for all its paths, or how to build it.

Its script finds the view by the path. The files of others, which no repository holds, are added by
the build; without them the page is a text in plain HTML.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from parlour.console.assets import ASSETS_START, STATIC, Asset, Assets, make_asset
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.http.messages import Headers, Request, Response

BUILD_COMMAND: Final = "make console"
ASSETS_PLACEHOLDER: Final = "{assets}"
"""In the page: the URL of the folder of its files, without the slash at the end."""
_UNBUILT: Final = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Parlour: the console is not built</title>
<h1>The console is not built</h1>
<p>The server runs, but the files of its page are missing: the build could not reach the npm
registry. In the folder of the source run</p>
<pre>{BUILD_COMMAND}</pre>
<p>and start the server again. A released wheel contains the page.</p>
</html>
"""


class _Loaded:
    """The files of the page, and the page itself."""

    def __init__(self, folder: Path) -> None:
        self.assets = Assets(folder)
        text = _UNBUILT
        if self.assets.has_index and self.assets.has_vendor:
            text = self.assets.index.replace(ASSETS_PLACEHOLDER, self.assets.root.rstrip("/"))
        self.page: Asset = make_asset(text.encode(), "page.html")


class Pages:
    """Serves the page and its files, which are read at the first request."""

    def __init__(self, headers: Headers, folder: Path = STATIC) -> None:
        """``headers`` are sent with files, which may be cached."""
        self._headers = headers
        self._folder = folder
        self._loading: asyncio.Task[_Loaded] | None = None

    async def respond(self, request: Request) -> Response:
        """Return the page, or one of its files. Raises 404 and 405."""
        if request.method not in {"GET", "HEAD"}:
            raise ApiError(20004, headers={"Allow": "GET, HEAD"})
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(_Loaded, self._folder))
        loaded = await asyncio.shield(self._loading)
        if not request.path.startswith(ASSETS_START):
            return loaded.page.response(request)
        found = loaded.assets.respond(request)
        request.shared_headers = self._headers
        return found
