"""Work that goes on for ever: after any fault it is tried again, each time after a longer pause."""

import threading
from collections.abc import Callable

import structlog

from netboot.errors import NetbootError

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0

log = structlog.get_logger()


def keep_at(
    step: Callable[[], float],
    ending: threading.Event,
    *,
    what: str,
    trouble: Callable[[str], None],
) -> None:
    """Call `step` until `ending`; it returns the seconds to rest before the next call.

    A fault of database, disk or peer, and a bug too, costs a pause and not the process. `trouble`
    is called with the reason, and with "" when a step has succeeded again. `what` names the work
    in the log.
    """
    pause = 0.0
    while not ending.is_set():
        try:
            rest = step()
        except NetbootError as fault:
            pause = min(LONGEST_PAUSE, pause * 2 or FIRST_PAUSE)
            trouble(str(fault))
            log.warning("work.trouble", what=what, fault=str(fault), next_try_seconds=pause)
        except BaseException as bug:
            pause = min(LONGEST_PAUSE, pause * 2 or FIRST_PAUSE)
            trouble(f"an error of netboot itself ({type(bug).__name__}; see the log)")
            log.exception("work.bug", what=what, next_try_seconds=pause)
        else:
            if pause:
                pause = 0.0
                trouble("")
                log.info("work.again", what=what)
            if rest:
                ending.wait(rest)
            continue
        ending.wait(pause)
