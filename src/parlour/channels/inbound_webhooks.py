"""Rows of the inbox that wait for the plain webhook of their number."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from parlour.channels import number_table
from parlour.channels.inbound_lanes import AccountSlots
from parlour.channels.incoming_webhook import IncomingWebhookFailed
from parlour.operations.open_work import OpenWork
from parlour.resources.inbound import processing as inbound_processing
from parlour.resources.inbound import store as inbound_store
from parlour.resources.inbox import store as inbox_store
from parlour.vocabulary import limits
from parlour.vocabulary.dates import updated
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from parlour.channels.incoming_webhook import IncomingWebhook
    from parlour.resources.carrier_numbers.store import CarrierNumber
    from parlour.resources.inbox.message import InboxMessage
    from parlour.resources.inbox.store import InboundKey, InboxEntry
    from parlour.resources.media.store import Media
    from parlour.store.transaction import Store, Transaction

log = structlog.get_logger()


# attempt                          row after it
# -------------------------------  ------------------------------------------------------
# 2xx                              done
# transient failure, not the last  webhook, due after INCOMING_WEBHOOK_RETRY_MS
# other failure                    done, with the failure as its reason; logged
# the number has no webhook (any   done
# more)
class InboundWebhooks:
    """Sends the requests of one node, a bounded number of each account at a time."""

    def __init__(self, store: Store, incoming_webhook: IncomingWebhook) -> None:
        self._store = store
        self._incoming_webhook = incoming_webhook
        self._slots = AccountSlots(limits.INCOMING_WEBHOOKS_PER_ACCOUNT_MAX)
        self._tasks: dict[InboundKey, asyncio.Task[None]] = {}

    @property
    def running(self) -> int:
        """Return how many requests are waiting or in flight."""
        return len(self._tasks)

    def open_work(self) -> Iterator[OpenWork]:
        """Return the requests that are waiting or in flight."""
        for each in self._tasks:
            what = f"incoming-message webhook of {each.provider_id}"
            yield OpenWork(what, each.account_sid)

    def schedule(self, entry: InboxEntry) -> None:
        """Send the request of a row that this node has claimed."""
        if entry.key not in self._tasks:
            self._tasks[entry.key] = asyncio.create_task(self._run(entry), name="incoming webhook")

    async def stop(self) -> None:
        """Cancel the requests: they are sent again after the next start."""
        await self.drop(lambda _account_sid: True)

    async def drop(self, accounts: Callable[[str], bool]) -> None:
        """Cancel the requests of some accounts."""
        chosen = {key: task for key, task in self._tasks.items() if accounts(key.account_sid)}
        for task in chosen.values():
            task.cancel()
        await asyncio.gather(*chosen.values(), return_exceptions=True)
        for key, task in chosen.items():
            if self._tasks.get(key) is task:  # Cancelled before its first step.
                del self._tasks[key]

    async def _run(self, entry: InboxEntry) -> None:
        try:
            await self._slots.run(entry.account_sid, lambda: self._attempt(entry))
        except Exception:
            # The row is due again once its claim has ended.
            log.exception("incoming_webhook_attempt_failed", account_sid=entry.account_sid)
        finally:
            del self._tasks[entry.key]

    async def _attempt(self, entry: InboxEntry) -> None:
        message = inbound_processing.message_of(entry)
        number = await number_table.find_number(self._store, message.receiver)
        failure = None
        if number is not None and number.incoming_url is not None:
            try:
                await self._send(number, entry, message)
            except IncomingWebhookFailed as error:
                failure = error
        await self._record(entry, failure)

    async def _send(self, number: CarrierNumber, entry: InboxEntry, message: InboxMessage) -> None:
        async def read(tx: Transaction) -> list[Media]:
            scope = Scope(entry.account_sid)
            found = [
                await inbound_store.find_inbound_medium(tx, scope, sid)
                for sid in message.media_sids
            ]
            return [each for each in found if each is not None]

        media = await self._store.read(read, account_sid=entry.account_sid)
        await self._incoming_webhook.send(number, entry, message, media)

    async def _record(self, entry: InboxEntry, failure: IncomingWebhookFailed | None) -> None:
        """Write the result of an attempt."""

        async def record(tx: Transaction) -> None:
            scope = Scope(entry.account_sid)
            found = await inbox_store.lock_entry(tx, scope, entry.carrier, entry.provider_id)
            if found is None or found.state != inbox_store.WEBHOOK:
                return
            attempts = found.attempts + 1
            if (
                failure is not None
                and failure.is_transient
                and attempts < limits.INCOMING_WEBHOOK_ATTEMPTS_MAX
            ):
                due_ms = tx.now + limits.INCOMING_WEBHOOK_RETRY_MS
                after = updated(found, tx.now, due_ms=due_ms, attempts=attempts)
            else:
                reason = found.reason
                if failure is not None:
                    reason = f"the incoming-message webhook failed: {failure}"
                after = updated(
                    found,
                    tx.now,
                    state=inbox_store.DONE,
                    content=None,
                    due_ms=None,
                    attempts=attempts,
                    reason=reason,
                )
            await inbox_store.update_entry(tx, scope, found, after)

        await self._store.write(record, account_sid=entry.account_sid)
        if failure is not None:
            log.warning(
                "incoming_webhook_failed",
                account_sid=entry.account_sid,
                provider_id=entry.provider_id,
                attempt=entry.attempts + 1,
                error=str(failure),
            )
