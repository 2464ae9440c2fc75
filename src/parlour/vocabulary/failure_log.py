"""Background loops that survive their failures: each is logged, and the loop continues."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterator

log = structlog.get_logger()


@contextmanager
def failures_logged(event: str, *expected: type[Exception], **values: object) -> Iterator[None]:
    """Log an error of the block as ``event`` with these values, and suppress it.

    An ``expected`` error is a warning; any other is a bug and is logged with its traceback. The
    caller waits before it repeats the block, so that a lasting failure does not fill the log.
    """
    try:
        yield
    except expected as error:
        log.warning(event, error=repr(error), **values)
    except Exception:
        log.exception(event, **values)
