"""Composition of the HTTP edge of one process: router, dedicated endpoints, server."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from parlour.http.callback_refusals import CallbackRefusals
from parlour.http.carrier_callbacks import CarrierCallbackEndpoint
from parlour.http.console_requests import CONSOLE_ROUTE, GatedOperations, console_headers
from parlour.http.downloads import Downloads
from parlour.http.edge import Edge
from parlour.http.endpoint_routes import EndpointRoutes
from parlour.http.event_streams import EventStreams
from parlour.http.front_page import front_page
from parlour.http.list_waiting import ListWaiting
from parlour.http.media import MediaCallers, MediaEndpoint
from parlour.http.metrics import MetricsPage, work_metrics
from parlour.http.root_urls import RootUrls
from parlour.http.router import Router
from parlour.http.server import HttpServer
from parlour.http.uploads import Uploads
from parlour.http.virtual_phones import VirtualPhoneEndpoint
from parlour.operations.operation import AuthScheme
from parlour.operations.work_limit import WorkLimit
from parlour.protocol.pages import PageTokens
from parlour.resources.events.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from parlour.config import Settings
    from parlour.egress.client import Egress
    from parlour.http.authentication import Authentication
    from parlour.http.carrier_callbacks import CallbackReceiver
    from parlour.http.client_addresses import ClientAddresses
    from parlour.http.endpoint_routes import OperationEndpoint
    from parlour.http.messages import Headers, RequestHook
    from parlour.http.metrics import Metrics
    from parlour.http.server import RequestGuard
    from parlour.http.virtual_phones import PhoneSender
    from parlour.operations.admission import Admission
    from parlour.operations.operation import Operation
    from parlour.operations.pipeline import Pipeline
    from parlour.operations.request_journal import RequestJournal
    from parlour.operations.waiting_lists import WaitingLists
    from parlour.protocol.media_urls import MediaUrls
    from parlour.protocol.vault import Vault
    from parlour.resources.tokens.verification import AccessTokenVerifier
    from parlour.resources.virtual_phones.media_copies import PhoneMediaCopies
    from parlour.store.blobs import BlobStore
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock, Random


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpParts:
    """The parts of a server that the HTTP edge uses; ``operations`` are all that it serves."""

    settings: Settings
    store: Store
    blobs: BlobStore
    clock: Clock
    random: Random
    vault: Vault
    operations: Iterable[Operation]
    pipeline: Pipeline
    waiting_lists: WaitingLists
    authentication: Authentication
    access_tokens: AccessTokenVerifier
    client_addresses: ClientAddresses
    admission: Admission
    metrics: Metrics
    media_urls: MediaUrls
    egress: Egress
    phone_sends: PhoneSender
    phone_copies: PhoneMediaCopies
    callbacks: CallbackReceiver
    guard: RequestGuard | None
    journal: RequestJournal
    make_console: Callable[[HttpParts, GatedOperations, Headers], OperationEndpoint]
    """Makes the console in front of these operations, with the headers of its responses."""


def make_server(parts: HttpParts) -> HttpServer:
    """Return the server of these parts; its metrics are added to the metrics of the process."""
    settings = parts.settings
    roots = RootUrls(settings.public_url, parts.client_addresses)
    waiting = ListWaiting(parts.waiting_lists, parts.admission)
    edge = Edge(
        parts.pipeline,
        PageTokens(parts.vault.page_token_key),
        roots,
        waiting,
        _event_streams(parts, waiting),
        records_forms=parts.journal.has_details,
    )
    downloads = Downloads(parts.blobs, parts.clock)
    uploads = Uploads(parts.store, parts.blobs, parts.clock, parts.random, parts.pipeline.audit)
    media = _media_endpoint(parts, roots, downloads, uploads)
    phones = _phone_endpoint(parts, roots, downloads, uploads)
    refusals = CallbackRefusals(parts.client_addresses, parts.clock, parts.random.token(16))
    parts.metrics.sources.append(refusals.metrics)
    every = tuple(parts.operations)
    routes = EndpointRoutes(every, (CONSOLE_ROUTE,))
    routed = (each for each in every if not each.has_endpoint)
    page = front_page(has_console=settings.console)
    router = Router(routed, routes, edge, MetricsPage(parts.metrics, parts.clock), page)
    endpoints: dict[AuthScheme, OperationEndpoint] = {
        AuthScheme.CLIENT: media,
        AuthScheme.SIGNED_URL: media,
        AuthScheme.CARRIER: CarrierCallbackEndpoint(parts.callbacks, roots, refusals),
        AuthScheme.ACCOUNT_TRANSFER: phones,
    }
    headers = console_headers(settings.media_url)
    gated = GatedOperations(router, routes, endpoints)
    endpoints[AuthScheme.CONSOLE] = parts.make_console(parts, gated, headers)
    server = HttpServer(
        router,
        routes,
        endpoints,
        authentication=parts.authentication,
        client_addresses=parts.client_addresses,
        admission=parts.admission,
        work=WorkLimit(parts.clock, settings.concurrent_requests_max),
        metrics=parts.metrics,
        clock=parts.clock,
        random=parts.random,
        request_log=settings.request_log,
        reads_synchronously=not parts.store.is_shared,
        console_headers=headers,
        guard=parts.guard,
        journal=parts.journal,
    )

    def surround(hook: RequestHook | None) -> None:
        router.around = media.around = hook

    server.surround = surround
    parts.metrics.sources.append(partial(work_metrics, server.work, server.held_refusals))
    return server


def _event_streams(parts: HttpParts, waiting: ListWaiting) -> EventStreams:
    feeds = partial(Feed, cursors=parts.vault.event_cursors, is_test=parts.settings.test)
    return EventStreams(
        parts.store,
        feeds,
        waiting,
        parts.authentication,
        parts.client_addresses,
        parts.clock,
        audit=parts.pipeline.audit,
    )


def _phone_endpoint(
    parts: HttpParts, roots: RootUrls, downloads: Downloads, uploads: Uploads
) -> VirtualPhoneEndpoint:
    return VirtualPhoneEndpoint(
        parts.store,
        parts.phone_sends,
        parts.phone_copies,
        authentication=parts.authentication,
        client_addresses=parts.client_addresses,
        downloads=downloads,
        egress=parts.egress,
        roots=roots,
        admission=parts.admission,
        transfers=uploads.transfers,
        vault=parts.vault,
        audit=parts.pipeline.audit,
    )


def _media_endpoint(
    parts: HttpParts, roots: RootUrls, downloads: Downloads, uploads: Uploads
) -> MediaEndpoint:
    callers = MediaCallers(parts.authentication, parts.access_tokens, parts.client_addresses)
    return MediaEndpoint(
        parts.store,
        audit=parts.pipeline.audit,
        callers=callers,
        uploads=uploads,
        downloads=downloads,
        urls=parts.media_urls,
        roots=roots,
        clock=parts.clock,
        admission=parts.admission,
        media_url=parts.settings.media_url,
    )
