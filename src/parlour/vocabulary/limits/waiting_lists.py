"""Lists that wait for rows: the parameters Wait and MinCount."""

from __future__ import annotations

# Wait: how long a list waits for rows.
LIST_WAIT_SECONDS_MAX = 30
# Waiting lists over all accounts; beyond it 503.
LIST_WAITS_MAX = 1000
# Waiting lists of one account; beyond it 429.
LIST_WAITS_PER_ACCOUNT_MAX = 100
# Reads of all waiting lists together: with more of them, each is read less often.
LIST_REREADS_PER_SECOND_MAX = 500
