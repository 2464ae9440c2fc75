"""Queued deliveries, and the steps of a sender and a poller on their lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.store.webhook_queue import DeliveryState, WebhookDelivery

if TYPE_CHECKING:
    from parlour.delivery.lanes import Lane, Lanes

NOW = 1000
ACCOUNT = "AC1"
URL = "http://h.test/"


def delivery(
    lane: int,
    order: int,
    *,
    url: str = URL,
    due_ms: int | None = NOW,
    account: str = ACCOUNT,
) -> WebhookDelivery:
    return WebhookDelivery(
        account_sid=account,
        event_sequence=order,
        target_key="k",
        service_sid="IS1",
        conversation_sid=f"CH{lane}",
        event_name="onMessageAdded",
        scope="account",
        webhook_sid=None,
        url=url,
        method="POST",
        retry_limit=None,
        token="t",
        parameters="{}",
        lane=lane,
        lane_order=order,
        state=DeliveryState.PENDING,
        retry_count=0,
        due_ms=due_ms,
        date_queued=NOW,
        date_updated=NOW,
    )


def send(lanes: Lanes) -> tuple[Lane, int, int]:
    """Let the next one go: its lane, the lane's number, and its place there."""
    lane = lanes.next_lane()
    assert lane is not None
    return lane, lane.key, lane.waiting[0].lane_order


def finish(lanes: Lanes, lane: Lane, *, timed_out: bool = False) -> None:
    """Its request was accepted or timed out, and the result is committed."""
    lanes.finish_attempt(lane, is_done=not timed_out, timed_out=timed_out)
    lanes.recorded(lane, NOW + 5000 if timed_out else None, is_promoted=False)


def all_sent(lanes: Lanes) -> list[tuple[int, int]]:
    """Everything that can be sent, one after the other."""
    found = []
    while lanes.has_ready_lane:
        lane, key, order = send(lanes)
        found.append((key, order))
        finish(lanes, lane)
    return found


def look(lanes: Lanes, heads: dict[int, list[WebhookDelivery]], now_ms: int = NOW) -> list[int]:
    """Poll once with these lanes due; return the loaded lanes."""
    endpoint = lanes.due_poll(now_ms)
    assert endpoint is not None
    found = [(key, queued[0].due_ms or 0, queued[0].lane_order) for key, queued in heads.items()]
    with lanes.loading(endpoint):
        wanted = lanes.lanes_to_load(endpoint, found, now_ms)
        for key in wanted:
            lanes.load(endpoint, key, heads[key], is_whole=True)
    return wanted
