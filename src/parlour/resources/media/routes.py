"""The routes of media. The caller may be a client; uploads and downloads are streams."""

from __future__ import annotations

from parlour.operations.operation import (
    ACCOUNT_ONLY,
    SERVICE_ONLY,
    AuthScheme,
    BodyKind,
    Collection,
    OperationSpec,
    create,
    fetch,
    recorded,
)
from parlour.protocol.media_urls import PREFIX
from parlour.resources.media import actions as media_actions
from parlour.resources.media import parameters as media_parameters
from parlour.resources.media import representation as media_representation

MEDIA = Collection(
    noun="Media",
    service_noun="Media",
    path="/Media",
    url_forms=SERVICE_ONLY,
    represent=media_representation.represent_media,
    specs=(
        create(
            media_actions.create_media,
            media_parameters.CreateMedia,
            request_body=BodyKind.STREAM,
            check_before_body=media_actions.check_upload,
        ),
        recorded(fetch(media_actions.fetch_media)),
    ),
    listed=False,
    authentication=AuthScheme.CLIENT,
)

MEDIA_SET = Collection(
    noun="MediaSet",
    service_noun="MediaSet",
    path="/MediaSet",
    url_forms=SERVICE_ONLY,
    represent=media_representation.represent_media_set_entry,
    specs=(
        OperationSpec(
            verb="Fetch",
            method="POST",
            on_instance=False,
            status=200,
            action=media_actions.fetch_media_set,
            parameters=media_parameters.FetchMediaSet,
            request_body=BodyKind.JSON,
        ),
    ),
    listed=False,
    authentication=AuthScheme.CLIENT,
)

MEDIA_CONTENT = Collection(
    noun="MediaContent",
    service_noun="MediaContent",
    path="/Media",
    instance="{Sid}/Content",
    url_forms=SERVICE_ONLY,
    represent=media_representation.represent_media,
    specs=(recorded(fetch(media_actions.fetch_media, response_body=BodyKind.STREAM)),),
    listed=False,
    authentication=AuthScheme.CLIENT,
)

SIGNED_MEDIA = Collection(
    noun="MediaDirect",
    path=PREFIX.rstrip("/"),
    instance="{Signed}",
    version="",
    url_forms=ACCOUNT_ONLY,
    represent=media_representation.represent_media,
    specs=(fetch(media_actions.fetch_signed_media, response_body=BodyKind.STREAM),),
    listed=False,
    authentication=AuthScheme.SIGNED_URL,
)
