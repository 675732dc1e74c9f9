"""What is measured: pure functions from tensors to numbers.

All of them trace under graph mode and XLA, compute in float32 or better whatever
the dtype of their input, and treat NaN and infinity as values.
"""

from typing import Any

import numpy as np
import tensorflow as tf

# A unit counts as saturated within this share of the range next to a bound.
SATURATION_MARGIN = 0.01

# Magnitudes at which histograms are cut: half decades from 1e-8 to 1e4.
HISTOGRAM_MAGNITUDES = tuple(10.0 ** (half / 2) for half in range(-16, 9))
HISTOGRAM_EDGES = (
    *(-magnitude for magnitude in reversed(HISTOGRAM_MAGNITUDES)),
    *HISTOGRAM_MAGNITUDES,
)


def half_square_sum(tensor: Any) -> Any:
    """Returns half the sum of squares, the cheapest way to a norm.

    Args:
        tensor: Any shape, floating.

    Returns:
        A float32 scalar; NaN or `inf` if an entry is.
    """
    tensor = _at_least_float32(tensor)
    return tf.cast(tf.nn.l2_loss(tensor), tf.float32)


def norm(tensor: Any) -> Any:
    """Returns the Euclidean norm of all entries, a float32 scalar >= 0."""
    return tf.sqrt(2.0 * half_square_sum(tensor))


def update_ratio(before: Any, after: Any) -> Any:
    """Returns how far an update moved a variable, in units of the variable.

    Args:
        before: Values before the update, shape `(...)`.
        after: Values after it, same shape.

    Returns:
        `norm(after - before) / norm(before)`, dimensionless, >= 0; about 1e-3 is
        healthy. `inf` if `before` is all zeros and `after` is not, 0 if both are.

    Reference:
        [CS231n notes, ratio of weights:updates](https://cs231n.github.io/neural-networks-3/#ratio)
    """
    step = norm(after - before)
    return tf.where(step == 0.0, 0.0, step / norm(before))


def mean_and_variance(tensor: Any) -> tuple[Any, Any]:
    """Returns the mean and the variance of all entries.

    Two passes, so that a mean far from zero costs no digits.

    Args:
        tensor: Any shape, floating, at least one entry.

    Returns:
        `(mean, variance)`, float32 scalars; the variance divides by the number of
        entries.
    """
    tensor = _at_least_float32(tensor)
    mean = tf.reduce_mean(tensor)
    variance = tf.reduce_mean(tf.math.squared_difference(tensor, mean))
    return tf.cast(mean, tf.float32), tf.cast(variance, tf.float32)


def zero_fraction(tensor: Any) -> Any:
    """Returns the share of entries that are exactly zero, in [0, 1]."""
    return _share(tf.equal(tensor, tf.zeros([], tensor.dtype)))


def saturated_fraction(tensor: Any, lower: float | None, upper: float | None) -> Any:
    """Returns the share of entries within 1 % of the range next to a bound.

    For a sigmoid this is an output below 0.01 or above 0.99, for a hyperbolic
    tangent one beyond 0.98 in size.

    Args:
        tensor: Outputs of a bounded activation, any shape.
        lower: Its lower bound, `None` to look at the upper one only.
        upper: Its upper bound, `None` to look at the lower one only.

    Returns:
        A float32 scalar in [0, 1].
    """
    tensor = _at_least_float32(tensor)
    span = (1.0 if upper is None else upper) - (0.0 if lower is None else lower)
    margin = SATURATION_MARGIN * span
    saturated = tf.zeros(tf.shape(tensor), tf.bool)
    if lower is not None:
        saturated |= tensor < lower + margin
    if upper is not None:
        saturated |= tensor > upper - margin
    return _share(saturated)


def nonfinite_count(tensor: Any) -> Any:
    """Returns how many entries are NaN or infinite, as a float32 scalar."""
    return tf.reduce_sum(tf.cast(~tf.math.is_finite(tensor), tf.float32))


def active_units(tensor: Any, unit_axis: int) -> Any:
    """Returns which units gave anything but zero.

    Args:
        tensor: Activations, rank >= 2, the batch first.
        unit_axis: The axis of the units (features or channels).

    Returns:
        A boolean vector, one entry a unit; NaN counts as active.
    """
    axes = [axis for axis in range(tensor.shape.rank) if axis != unit_axis]
    return tf.reduce_any(tf.not_equal(tensor, tf.zeros([], tensor.dtype)), axis=axes)


def histogram(tensor: Any) -> Any:
    """Counts entries by sign and magnitude, in half decades from 1e-8 to 1e4.

    Args:
        tensor: Any shape, floating.

    Returns:
        Float32 counts, shape `(len(HISTOGRAM_EDGES) + 1,)`: bin `k` holds the
        entries in `[edge[k - 1], edge[k])`, the first and last reach to infinity.
        NaN is not counted.
    """
    values = tf.reshape(_at_least_float32(tensor), [-1])
    edges = tf.constant(HISTOGRAM_EDGES, values.dtype)
    # Bins from the number of entries below each edge: no sort, no scatter.
    below = tf.map_fn(
        lambda edge: tf.reduce_sum(tf.cast(values < edge, tf.float32)),
        edges,
        fn_output_signature=tf.float32,
    )
    total = tf.reduce_sum(tf.cast(~tf.math.is_nan(values), tf.float32))
    cumulative = tf.concat([[0.0], below, [total]], axis=0)
    return cumulative[1:] - cumulative[:-1]


def smoothness(filters: Any) -> float:
    """Returns how alike neighbouring pixels of the filters are.

    One minus the mean squared difference of neighbouring pixels over twice the
    variance of the pixels (von Neumann's ratio), so that white noise gives 0 in
    expectation whatever the size of the filter.

    Args:
        filters: A NumPy array of shape `(height, width, channels, filters)`,
            at least two pixels in one direction.

    Returns:
        In [-1, 1] up to noise: 1 for smooth filters, 0 for noise, below 0 for
        checkerboards; 0 for constant ones. NaN if a pixel is.
    """
    filters = filters.astype("float64")
    squares = []
    for axis in (0, 1):
        steps = filters.take(range(1, filters.shape[axis]), axis) - filters.take(
            range(filters.shape[axis] - 1), axis
        )
        squares.append((steps**2).reshape(-1, *filters.shape[2:]))
    pixels = filters.reshape(-1, *filters.shape[2:])
    differences = sum(part.sum(axis=0) for part in squares)
    count = sum(len(part) for part in squares)
    variance = pixels.var(axis=0, ddof=1)
    if not (variance > 0).any() and not (variance != variance).any():
        return 0.0
    weight = variance.sum()
    return float(1.0 - (differences / count).sum() / (2.0 * weight))


def noise_smoothness(filters: Any) -> float:
    """Returns the smoothness that white noise of this shape hardly exceeds.

    Small filters have few neighbours: of a 3x3 kernel even noise is smooth by chance.

    Args:
        filters: A NumPy array of shape `(height, width, channels, filters)`.

    Returns:
        Two standard deviations of `smoothness`, > 0, from 200 pictures of noise.
    """
    height, width, channels, count = filters.shape
    noise = np.random.default_rng(0).normal(size=(200, height, width, 1, 1))
    spread = np.std([smoothness(picture) for picture in noise])
    return float(2.0 * spread / np.sqrt(channels * count))


def _at_least_float32(tensor: Any) -> Any:
    if tensor.dtype in (tf.float32, tf.float64):
        return tensor
    return tf.cast(tensor, tf.float32)


def _share(flags: Any) -> Any:
    return tf.reduce_mean(tf.cast(flags, tf.float32))
