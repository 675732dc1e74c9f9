"""Is a gain beyond noise? The paired bootstrap over examples."""

from typing import Any, NamedTuple

import numpy as np

_AT_ONCE = 2**22  # numbers drawn at a time


class Gain(NamedTuple):
    """How much better the ensemble is than something else on the same examples.

    Args:
        over: What it is compared with.
        value: The mean gain, in the unit of the metric, > 0 for better.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    over: str
    value: float
    low: float
    high: float

    @property
    def beyond_noise(self) -> bool:
        """Whether the interval is on one side of zero."""
        return self.low > 0 or self.high < 0


def paired_gain(
    over: str, gains: np.ndarray, confidence: float, resamples: int, seed: int
) -> Gain:
    """Returns the mean of gains with its percentile bootstrap interval.

    The interval reaches to zero at least where so few gains differ from zero that
    all could have one sign by chance: drawing anew from a handful of examples knows
    nothing of those that are not among them.

    Args:
        over: What the gain is over.
        gains: The gain at each example, shape `(examples,)`.
        confidence: Coverage of the interval, in (0, 1).
        resamples: How often examples are drawn anew, int >= 1.
        seed: Seed of the draws.

    Reference:
        [Efron and Tibshirani, 1993, section 13.3](https://doi.org/10.1201/9780429246593)
    """
    generator = np.random.default_rng(seed)
    size = len(gains)
    rounds = max(1, _AT_ONCE // size)
    means: list[float] = []
    while len(means) < resamples:
        count = min(rounds, resamples - len(means))
        drawn = generator.integers(0, size, (count, size))
        means.extend(gains[drawn].mean(axis=1))
    tail = (1.0 - confidence) / 2.0
    ends: Any = np.quantile(means, [tail, 1.0 - tail])
    low, high = float(ends[0]), float(ends[1])
    if 2.0 ** (1 - np.count_nonzero(gains)) > 1.0 - confidence:  # the sign test
        low, high = min(low, 0.0), max(high, 0.0)
    return Gain(over, float(gains.mean()), low, high)
