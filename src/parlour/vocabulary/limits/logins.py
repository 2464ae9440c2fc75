"""Limits of unauthenticated requests: guesses of logins, and metrics pages."""

from __future__ import annotations

# Failed logins of one address with one account or API key within LOGIN_FAILURES_MS; beyond it
# logins of that pair that are not cached as correct are delayed.
LOGIN_FAILURES_MAX = 10
# Window in which failures count.
LOGIN_FAILURES_MS = 60_000
# Delay of an unknown login of a throttled pair before it is checked.
LOGIN_DELAY_MS = 500
# Minimum interval between the checks of two delayed logins.
LOGIN_RELEASE_PAUSE_MS = 2
# Maximum delay of a login.
LOGIN_DELAY_MS_MAX = 1_250
# Delayed logins of one pair. The next one is compared with the cached result of the last lookup,
# and gets 429 if it does not match.
LOGINS_HELD_PER_PAIR_MAX = 256
# Delayed logins in total; beyond it as above, except for a pair without a delayed login, which may
# use up to twice this number, so that a corrected secret is looked up.
LOGINS_HELD_MAX = 1_024
# Cells in each of the two rows of the count-min sketch of failures; eight bytes each, 1 MiB
# together.
LOGIN_FAILURE_CELLS = 65_536
# TTL of a cached login.
LOGIN_CACHE_MS_MAX = 1_000
# Cached logins; existing and unknown names are counted separately.
LOGINS_CACHED_MAX = 10_000
# How long a correct login counts as known, and is never delayed.
LOGIN_PROVEN_MS = 10 * 60 * 1000
# Cached wrong logins; a repeated one is answered with 401 without a lookup.
WRONG_LOGINS_CACHED_MAX = 10_000
# Length of a login name; no account and no API key has a longer one.
LOGIN_NAME_CHARS_MAX = 64
# Minimum interval between two batched lookups of unknown logins.
LOGIN_LOOKUP_PAUSE_MS = 20
# Names in one batched lookup: a quarter round-robin over the addresses, the others oldest first.
LOGIN_LOOKUP_NAMES_MAX = 512
# Names of one address in a batch, unless more of its names are due.
LOGIN_LOOKUP_NAMES_PER_PEER = 4
# Batches within which each name is looked up. Guesses of invented names are slow, and with the
# delay above a correct login waits for less than two seconds.
LOGIN_LOOKUP_READS_MAX = 25
# Lookup results delivered in one iteration of the event loop.
LOGIN_LOOKUPS_PER_TURN = 32
# Names that wait for a lookup: more than UNAUTHENTICATED_CONNECTIONS_MAX, each of which waits for
# one name, so that guesses from an address do not lock out others of the same address. An address
# above its share gets 429; one below it may still queue, up to twice this number in total.
LOGIN_LOOKUPS_WAITING_MAX = 4_096
# Minimum interval between two metrics pages, as a multiple of the time that the last one took.
METRICS_REST_FACTOR = 20
# Maximum of that interval; requests in the meantime wait and share the next page.
METRICS_REST_MS_MAX = 200
