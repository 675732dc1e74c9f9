"""Warm-up: the first steps are short."""

from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.arguments import check_integer
from keras_trainkit.schedules.schedule import Schedule, check_part, part_value


@keras.saving.register_keras_serializable(package="keras_trainkit")
class Warmup(Schedule):
    """Raises the rate in a straight line to a schedule's first value.

    ```text
    (t + 1) / (steps + 1) * schedule(0)    for t < steps
    schedule(t - steps)                    then
    ```

    The first update is small but not lost, and the schedule starts, whole, when
    the warm-up is over; if it is continuous, so is this.

    Args:
        schedule: What follows, a schedule or a constant rate >= 0.
        steps: Length of the warm-up, int >= 1.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        ```python
        rate = tk.schedules.Warmup(
            tk.schedules.CosineRestarts(0.1, period=2000), steps=200
        )
        ```

    Reference:
        [Goyal et al., 2017, section 2.2](https://arxiv.org/abs/1706.02677)
    """

    durations = ("steps",)

    def __init__(self, schedule: Any, steps: int) -> None:
        self.schedule = check_part("schedule", schedule)
        self.steps = check_integer("steps", steps, minimum=1)

    def value(self, time: Any) -> Any:
        """The formula above."""
        rising = tf.minimum((time + 1) / (self.steps + 1), 1)
        return rising * part_value(self.schedule, tf.maximum(time - self.steps, 0))
