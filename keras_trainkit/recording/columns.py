"""What the numbers of a row in a ring are."""

import dataclasses
import enum

from keras_trainkit.record.series import Series


class Merge(enum.Enum):
    """How the readings of several replicas become one."""

    FIRST = "they agree"
    MEAN = "mean, weighted by examples"
    VARIANCE = "variance, with the column before it as the mean"
    SUM = "sum"


@dataclasses.dataclass(frozen=True)
class Column:
    """One number of a row in a ring.

    Args:
        series: What it is.
        merge: How replicas combine.
        half_square: Whether it is half a sum of squares and a norm is recorded. Of
            a variance the standard deviation is recorded. The roots are taken on
            the host.
        scale: What the number is multiplied by first: entries over entries read.
    """

    series: Series
    merge: Merge = Merge.FIRST
    half_square: bool = False
    scale: float = 1.0
