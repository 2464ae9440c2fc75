"""Action rates: the scope in which each operation is counted, and the leaky buckets."""

from __future__ import annotations

from parlour.operations.action_rates import LeakyBuckets, rate_scope_of
from parlour.resources.client_table import client_operations
from parlour.resources.table import pipeline_operations
from parlour.vocabulary import limits

WINDOW_SECONDS = limits.ACTIONS_WINDOW_MS // 1000
OF_CONVERSATION = {
    "UpdateConversation", "CreateConversationParticipant", "UpdateConversationParticipant",
    "DeleteConversationParticipant", "CreateConversationMessage", "UpdateConversationMessage",
    "DeleteConversationMessage", "UpdateUserConversation", "DeleteUserConversation",
    "UpdateClientConversation", "UpdateClientPlace", "CreateClientParticipant",
    "CreateClientMessage",
}  # fmt: skip
OF_SERVICE = {
    "CreateConversation", "DeleteConversation", "CreateConversationWithParticipants",
    "CreateClientConversation", "CreateUser", "UpdateUser", "DeleteUser", "CreateRole",
    "UpdateRole", "DeleteRole",
}  # fmt: skip
UNCOUNTED = {
    "UpdateConfiguration", "CreateConfigurationAddress", "UpdateConfigurationAddress",
    "DeleteConfigurationAddress", "UpdateConfigurationWebhook", "UpdateNotification",
    "UpdateWebhookConfiguration", "CreateConversationScopedWebhook",
    "UpdateConversationScopedWebhook", "DeleteConversationScopedWebhook", "CreateCredential",
    "UpdateCredential", "DeleteCredential", "CreateKey", "UpdateKey", "DeleteKey", "Create",
    "Delete", "DeleteBinding", "CreateClientRegistration", "DeleteClientRegistration",
    "ForgetClientRegistration", "CreateWebhookReplay", "CreateWebhookAttemptReplay",
    "CreateWebhookEndpointRetry",
    "UpdateWebhookRetries", "CreateToken", "CreateContentTemplate", "UpdateContentTemplate",
    "DeleteContentTemplate", "CreateContent", "DeleteContent", "CreateContentApprovalRequest",
    "CreateVirtualPhone", "UpdateVirtualPhone", "DeleteVirtualPhone", "UpdateVirtualPhoneMessage",
    "DeleteConnection", "CreateWebhookSignature", "CreateWebhookSample", "CreateTokenCheck",
    "DeleteOperatorSession", "CreateOperatorAccount", "UpdateOperatorAccount",
    "CreateOperatorAccountKey",
}  # fmt: skip


def fill(counters: LeakyBuckets, name: str, now_ms: float) -> int:
    """Add to a bucket until it is full; how many fitted."""
    added = 0
    while counters.has_room(name, now_ms):
        counters.add(name, now_ms)
        added += 1
    return added


def test_each_operation_is_counted_as_the_hosted_service_counts_it() -> None:
    found: dict[str | None, set[str]] = {"conversation": set(), "service": set(), None: set()}
    for each in (*pipeline_operations(), *client_operations().values()):
        subject = rate_scope_of(each)
        if each.writes:
            found[subject].add(each.operation_id.replace("Service", "", 1))
        else:
            assert subject is None, each.operation_id
    assert found == {"conversation": OF_CONVERSATION, "service": OF_SERVICE, None: UNCOUNTED}


def test_a_burst_of_the_window_passes_and_then_the_rate() -> None:
    for rate in (1, 3, 7, 30, 1000):
        for start in (0.0, 0.1, 1_700_000_000_000.0, 12_345_678.9):
            counters = LeakyBuckets(rate)
            assert fill(counters, "CH1", start) == rate * WINDOW_SECONDS
            assert fill(counters, "CH1", start + 1000) == rate
            assert fill(counters, "CH1", start + 4000) == 3 * rate
            assert fill(counters, "CH1", start + 60_000) == rate * WINDOW_SECONDS


def test_names_have_separate_buckets() -> None:
    counters = LeakyBuckets(1)
    fill(counters, "CH1", 0)
    assert fill(counters, "CH2", 0) == WINDOW_SECONDS


def test_the_least_recently_used_bucket_is_evicted() -> None:
    counters = LeakyBuckets(1, size_max=3)
    for name in ("CH1", "CH2", "CH3"):
        fill(counters, name, 0)
    counters.add("CH1", 1000)
    counters.add("CH4", 1000)
    assert len(counters) == 3
    assert not counters.has_room("CH1", 1000)
    assert counters.has_room("CH2", 0), "It was used before the others."
