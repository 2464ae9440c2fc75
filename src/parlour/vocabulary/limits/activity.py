"""Limits of counts for operators and for the console: beyond a limit "at least" so many."""

# Conversations, users or messages that are counted, of an account or of a service.
ROWS_COUNTED_MAX = 10_000
# Services of an account whose activity is shown.
SERVICES_SHOWN_MAX = 100
# Conversations of a service whose messages of the last day are counted, the most active ones.
ACTIVE_CONVERSATIONS_COUNTED_MAX = 100
# Messages of the last day that are counted in each of them.
RECENT_MESSAGES_COUNTED_MAX = 100
# Messages that one request reads, over all services.
RECENT_MESSAGES_READ_MAX = 20_000
# URLs in the list of webhook endpoints of an account: those with waiting deliveries, and as many
# others.
WEBHOOK_ENDPOINTS_LISTED_MAX = 1000
# Lanes of a URL that are counted, for the list of endpoints.
LANES_COUNTED_MAX = 1000
# Waiting deliveries that are counted, of a URL or of an account; beyond it "at least" so many.
DELIVERIES_COUNTED_MAX = 10_000
# Lanes of a URL whose retries one request makes due.
LANES_RETRIED_MAX = 1000
# Rows of each kind that are counted, of an account in the list of accounts for operators.
ACCOUNT_ROWS_COUNTED_MAX = 1000
# URLs with waiting deliveries in the report on queues, of all accounts.
WAITING_URLS_SHOWN_MAX = 25
# Removals in the background in that report.
REMOVALS_SHOWN_MAX = 50
# Leases in that report.
LEASES_SHOWN_MAX = 100
# Accounts with media in the report on media.
MEDIA_ACCOUNTS_SHOWN_MAX = 50
# Unattached media, and removed ones, that are counted there.
MEDIA_COUNTED_MAX = 10_000
# Time for which the results of the health checks of a node are used again.
HEALTH_CACHED_MS = 10_000
