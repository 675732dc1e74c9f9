"""What the numbers of a row in a ring are."""

import dataclasses
import enum

from keras_trainkit.record import Series


class Merge(enum.Enum):
    """How the readings of several replicas become one."""

    FIRST = "they agree"
    MEAN = "mean, weighted by examples"
    SPREAD = "standard deviation, from the column before it as mean"
    SUM = "sum"


@dataclasses.dataclass(frozen=True)
class Column:
    """One number of a row in a ring.

    Args:
        series: What it is.
        merge: How replicas combine.
        half_square: Whether it is half a sum of squares, waiting for its root.
    """

    series: Series
    merge: Merge = Merge.FIRST
    half_square: bool = False
