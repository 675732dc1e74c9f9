"""A straight line from one value to another."""

from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.arguments import check_integer, check_number
from keras_trainkit.schedules.schedule import Schedule


@keras.saving.register_keras_serializable(package="keras_trainkit")
class Linear(Schedule):
    """Goes from one value to another in a straight line, and stays there.

    ```text
    start + (end - start) * min(t / steps, 1)
    ```

    For a momentum that rises from 0.5 to 0.99 as training settles, or a rate
    that falls to zero.

    Args:
        start: The value at step 0, >= 0.
        end: The value from step `steps` on, >= 0.
        steps: How long it takes, int >= 1.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        ```python
        rising = tk.schedules.Linear(0.5, 0.99, steps=2000)
        model.compile(tk.optimizers.Nesterov(0.01, momentum=rising), "mse")
        ```
    """

    durations = ("steps",)

    def __init__(self, start: float, end: float, steps: int) -> None:
        self.start = check_number("start", start, minimum=0)
        self.end = check_number("end", end, minimum=0)
        self.steps = check_integer("steps", steps, minimum=1)

    def value(self, time: Any) -> Any:
        """The formula above."""
        part = tf.minimum(time / self.steps, 1)
        return self.start * (1 - part) + self.end * part
