"""Waiting for what others do, as long as anything moves."""

import time
from collections.abc import Callable
from typing import Any

from keras_trainkit.arguments import received


def wait_patiently(
    look: Callable[[], Any],
    check: Callable[[], None],
    patience: float,
    nothing: str,
    one: str,
) -> None:
    """Looks again and again until all is done or nothing has moved for too long.

    Args:
        look: Waits a moment and returns how far things are by then, anything that
            changes when something moves; `None` once all is done.
        check: Called after each look that found work left; raises if those who do it
            are gone.
        patience: Longest time in which nothing moves, seconds.
        nothing: The error's words for that, e.g. "Nothing was done".
        one: What may have taken longer, e.g. "a step".

    Raises:
        RuntimeError: If nothing moved for longer than `patience`.
    """
    seen, moved = None, time.monotonic()
    while (now := look()) is not None:
        check()
        if now != seen:
            seen, moved = now, time.monotonic()
        if time.monotonic() - moved > patience:
            raise RuntimeError(
                f"{nothing} for {patience:g} seconds: the workers cannot be reached, "
                f"or {one} takes longer than `patience`. "
                + received("patience", patience)
            )
