"""A picture of filters, ready to be embedded."""

from typing import NamedTuple


class Mosaic(NamedTuple):
    """One picture, as it is embedded in a page."""

    epoch: int
    address: str
    width: int
    height: int
    words: str
