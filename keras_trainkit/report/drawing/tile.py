"""One of the few numbers on top of a page."""

from typing import NamedTuple


class Tile(NamedTuple):
    """A number.

    Args:
        name: What it is.
        value: The number as a reader sees it.
        note: What to know beside it.
        state: "", "good", "warning" or "bad".
    """

    name: str
    value: str
    note: str = ""
    state: str = ""
