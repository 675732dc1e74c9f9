"""Says which check is running, where that takes a while."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

QUIET = 1.0  # seconds within which nothing is said


@contextlib.contextmanager
def progress(count: int, shown: bool) -> Iterator[Callable[[str], None]]:
    """Yields a function that is told the name of each check as it begins.

    On a terminal a line that is overwritten, elsewhere a line for each check that
    begins after the first second.

    Args:
        count: How many checks there are.
        shown: Whether anything is said at all.
    """
    begun, number = time.monotonic(), 0
    terminal = sys.stderr.isatty()

    def tell(name: str) -> None:
        nonlocal number
        number += 1
        if not shown or time.monotonic() - begun < QUIET:
            return
        line = f"preflight: {number} of {count}, {name}"
        end = "\r" if terminal else "\n"
        sys.stderr.write(f"{line:<60}{end}" if terminal else f"{line}{end}")
        sys.stderr.flush()

    try:
        yield tell
    finally:
        if terminal and shown:
            sys.stderr.write(f"{'':<60}\r")
