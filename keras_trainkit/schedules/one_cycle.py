"""One cycle: up to a high rate and down to almost nothing."""

import math
from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.arguments import check_integer, check_number
from keras_trainkit.schedules.schedule import Schedule


@keras.saving.register_keras_serializable(package="keras_trainkit")
class OneCycle(Schedule):
    """Goes from a start to a peak and down to an end, in half cosines.

    With `turn = rise * steps`:

    ```text
    up = (1 + cos(pi * t / turn)) / 2
    down = (1 + cos(pi * (t - turn) / (steps - turn))) / 2

    start * up + peak * (1 - up)        for t <= turn
    peak * down + end * (1 - down)      for turn < t <= steps
    end                                 then
    ```

    A short training with a rate that would diverge if it were there from the
    start. Momentum goes the other way round:
    `OneCycle(0.85, steps, start=0.95, end=0.95)`.

    Args:
        peak: The value at the turn, >= 0.
        steps: Length of the cycle, int >= 1.
        start: The first value, >= 0; by default a 25th of the peak.
        end: The last value, >= 0; by default a 10,000th of the start.
        rise: The part of the cycle before the turn, in (0, 1).

    Raises:
        ValueError: If an argument is out of range.

    Example:
        ```python
        steps = 20 * 469
        optimizer = tk.optimizers.Momentum(
            tk.schedules.OneCycle(0.2, steps),
            momentum=tk.schedules.OneCycle(0.85, steps, start=0.95, end=0.95),
        )
        ```

    Reference:
        [Smith and Topin, 2018](https://arxiv.org/abs/1708.07120)
    """

    durations = ("steps",)

    def __init__(
        self,
        peak: float,
        steps: int,
        start: float | None = None,
        end: float | None = None,
        rise: float = 0.3,
    ) -> None:
        self.peak = check_number("peak", peak, minimum=0)
        self.steps = check_integer("steps", steps, minimum=1)
        self.start = self.peak / 25
        if start is not None:
            self.start = check_number("start", start, minimum=0)
        self.end = self.start / 1e4
        if end is not None:
            self.end = check_number("end", end, minimum=0)
        self.rise = check_number(
            "rise", rise, 0, 1, open_minimum=True, open_maximum=True
        )

    def value(self, time: Any) -> Any:
        """The formulas above."""
        turn = self.rise * self.steps
        up = tf.minimum(time / turn, 1)
        down = tf.clip_by_value((time - turn) / (self.steps - turn), 0, 1)
        return tf.where(
            time <= turn,
            _half_cosine(self.start, self.peak, up),
            _half_cosine(self.peak, self.end, down),
        )


def _half_cosine(first: float, last: float, part: Any) -> Any:
    weight = (1 + tf.cos(math.pi * part)) / 2
    return first * weight + last * (1 - weight)
