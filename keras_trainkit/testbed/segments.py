"""Functions of one variable as rows of numbers, so that thousands step together."""

import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf

COLUMNS = 8


@dataclasses.dataclass(frozen=True)
class Segment:
    """A stretch of a function of one variable, in one form for all stretches.

    ```text
    u = x - origin
    f = value + slope * u + bend * u**2 + height * e
    e = exp(-(fall * u + fall_both_ways * |u| + fall_squared * u**2))
    ```

    Args:
        begin: Where the stretch begins; it ends where the next one begins. The
            first holds to the left of its beginning and the last to the right.
        origin: See the formula, as all that follow.
        value: Of the unit of the function.
        slope: Value per length.
        bend: Value per squared length.
        height: Value.
        fall: Per length.
        fall_both_ways: Per length.
        fall_squared: Per squared length.
    """

    begin: float
    origin: float
    value: float
    slope: float = 0.0
    bend: float = 0.0
    height: float = 0.0
    fall: float = 0.0
    fall_both_ways: float = 0.0
    fall_squared: float = 0.0

    def at(self, x: float) -> tuple[float, float]:
        """Returns the value and the slope at a point."""
        u = x - self.origin
        way = math.copysign(1.0, u) if u else 0.0
        exponent = self.fall * u + self.fall_both_ways * abs(u)
        e = self.height * math.exp(-(exponent + self.fall_squared * u * u))
        value = self.value + self.slope * u + self.bend * u * u + e
        falling = self.fall + self.fall_both_ways * way + 2 * self.fall_squared * u
        return value, self.slope + 2 * self.bend * u - e * falling

    def row(self) -> list[float]:
        """Returns the numbers of the formula, in its order."""
        return list(dataclasses.astuple(self)[1:])


def tables(functions: list[tuple[Segment, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the joints and the rows of functions, of as many stretches each.

    A function with fewer stretches than the longest gets joints at infinity.

    Args:
        functions: Each a chain of stretches, from left to right.

    Returns:
        Joints, shape `(functions, stretches - 1)`, and rows, shape
        `(functions, stretches, 8)`, both float64.
    """
    longest = max(len(segments) for segments in functions)
    joints = np.full((len(functions), longest - 1), np.inf)
    rows = np.zeros((len(functions), longest, COLUMNS))
    for index, segments in enumerate(functions):
        joints[index, : len(segments) - 1] = [one.begin for one in segments[1:]]
        rows[index, : len(segments)] = [one.row() for one in segments]
    return joints, rows


def evaluate(x: Any, joints: Any, rows: Any) -> tuple[Any, Any]:
    """Returns values and slopes of many functions, each at points of its own.

    Args:
        x: Points, shape `(functions, n)`, float64; infinities are points like
            others, at NaN both results are NaN.
        joints: As from `tables`.
        rows: As from `tables`.

    Returns:
        Values and slopes, shape `(functions, n)`.
    """
    count, stretches = rows.shape[0], rows.shape[1]
    passed = x[:, :, None] >= joints[:, None, :]
    place = tf.reduce_sum(tf.cast(passed, tf.int32), axis=2)
    if count is None:
        count = tf.shape(rows)[0]
    place += stretches * tf.range(count)[:, None]
    chosen = tf.gather(tf.reshape(rows, [-1, COLUMNS]), place)
    origin, value, slope, bend, height, fall, both, squared = tf.unstack(chosen, axis=2)
    u = x - origin
    # A factor of zero leaves a term out, even at infinity.
    times = tf.math.multiply_no_nan
    square = u * u
    e = times(
        tf.exp(-(times(u, fall) + times(tf.abs(u), both) + times(square, squared))),
        height,
    )
    falling = fall + both * tf.sign(u) + 2 * times(u, squared)
    values = value + times(u, slope) + times(square, bend) + e
    # Where the exponential has vanished, so has its slope, however far out.
    slopes = slope + 2 * times(u, bend) - times(falling, e)
    unknown = tf.math.is_nan(x)
    return tf.where(unknown, x, values), tf.where(unknown, x, slopes)
