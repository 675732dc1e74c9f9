"""What the numbers of a row in a ring are."""

import dataclasses
import enum
from typing import Any

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
        counts_nonfinite: Whether the number is how many entries of a tensor are NaN
            or infinite. It goes with the tensor itself; entries are counted only
            where a number of the same row is not finite.
    """

    series: Series
    merge: Merge = Merge.FIRST
    half_square: bool = False
    scale: float = 1.0
    counts_nonfinite: bool = False


Pairs = list[tuple[Column, Any]]

# How many examples a replica had; leads the rows of replicas, which it weighs.
EXAMPLES = Column(Series("batch_size"), Merge.SUM)


def column(measure: str, layer: str = "", variable: str = "") -> Column:
    """A number that replicas average, weighted by their examples."""
    return Column(Series(measure, layer, variable), Merge.MEAN)


def suspect(layer: str, variable: str, tensor: str) -> Column:
    """The count of a tensor's entries that are not finite.

    Args:
        layer: The layer.
        variable: The variable, "" for a tensor of the layer itself.
        tensor: Which kind of tensor, as in `Series`.
    """
    series = Series("nonfinite_count", layer, variable, tensor)
    # Replicas share their variables, not what their layers gave.
    merge = Merge.FIRST if variable else Merge.SUM
    return Column(series, merge, counts_nonfinite=True)
