"""The bounds of what strangers ask: guesses of logins, and the figures for monitoring."""

from __future__ import annotations

# Failures of one address with one account or API key in LOGIN_FAILURES_MS. Beyond them, whatever is
# not known to be right from that address for that name is delayed.
LOGIN_FAILURES_MAX = 10
# The time over which failures count.
LOGIN_FAILURES_MS = 60_000
# So long is an unknown login of such a pair held before it is judged, right or wrong ...
LOGIN_DELAY_MS = 500
# ... and a little longer if others are held: no two are judged within this time ...
LOGIN_RELEASE_PAUSE_MS = 2
# ... but never longer than this.
LOGIN_DELAY_MS_MAX = 1_250
# Logins of one pair that are held at the same time. The next one is compared with the result of the
# last look-up of its name, without a new one, and answered 429 if that is not a match.
LOGINS_HELD_PER_PAIR_MAX = 256
# Logins that are held in all; beyond it as above, but for a pair of which none is held. Those get a
# place up to twice this number, so that a corrected secret is looked up.
LOGINS_HELD_MAX = 1_024
# Cells in each of the two rows in which failures are counted; eight bytes each, a MiB together.
LOGIN_FAILURE_CELLS = 65_536
# How long a login read from the store may be used before it is read again.
LOGIN_CACHE_MS_MAX = 1_000
# Names whose logins are remembered, known ones and unknown ones apart.
LOGINS_CACHED_MAX = 10_000
# A login that was right counts as known to be right for so long: it is never delayed.
LOGIN_PROVEN_MS = 10 * 60 * 1000
# Wrong logins that are cached; a repeated one is answered 401 without a look-up.
WRONG_LOGINS_CACHED_MAX = 10_000
# A longer name is no account's and no API key's.
LOGIN_NAME_CHARS_MAX = 64
# The shortest time between two reads of the store for logins that are not known to be right ...
LOGIN_LOOKUP_PAUSE_MS = 20
# ... the names that one of them looks up: a quarter in turns over the addresses that ask, and the
# others oldest first ...
LOGIN_LOOKUP_NAMES_MAX = 512
# ... and how many of a read are of one address, unless more of its names are due.
LOGIN_LOOKUP_NAMES_PER_PEER = 4
# Names are due at an even pace, so that each is looked up within so many reads. So guesses of
# made-up names are slow, and with the delay above a right login waits for less than two seconds.
LOGIN_LOOKUP_READS_MAX = 25
# Results of a read that are handed on in one turn of the event loop.
LOGIN_LOOKUPS_PER_TURN = 32
# Names that wait for such a read. It is more than UNAUTHENTICATED_CONNECTIONS_MAX, each of which
# waits for one name, so that guesses from an address do not keep others of the same address out. An
# address with more than its share of them gets 429; one with less waits all the same, up to twice
# this number in all.
LOGIN_LOOKUPS_WAITING_MAX = 4_096
# After a page of metrics there is none for so many times what it took ...
METRICS_REST_FACTOR = 20
# ... but at most for so long; requests wait meanwhile, and share the next one.
METRICS_REST_MS_MAX = 200
