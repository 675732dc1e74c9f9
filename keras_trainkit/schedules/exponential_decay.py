"""Exponential decay: the rate loses the same part in each step."""

from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.arguments import check_number
from keras_trainkit.schedules.schedule import Schedule


@keras.saving.register_keras_serializable(package="keras_trainkit")
class ExponentialDecay(Schedule):
    """Lets the rate fall as an exponential of the time.

    ```text
    initial_learning_rate * exp(-rate * t)
    ```

    Args:
        initial_learning_rate: The rate at the start, >= 0.
        rate: The decay per step, >= 0; the rate halves every `ln(2) / rate`
            steps.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        ```python
        rate = tk.schedules.ExponentialDecay.in_epochs(
            0.05, rate=0.1, steps_per_epoch=469
        )
        ```
    """

    rates = ("rate",)

    def __init__(self, initial_learning_rate: float, rate: float) -> None:
        self.initial_learning_rate = check_number(
            "initial_learning_rate", initial_learning_rate, minimum=0
        )
        self.rate = check_number("rate", rate, minimum=0)

    def value(self, time: Any) -> Any:
        """The formula above."""
        return self.initial_learning_rate * tf.exp(-self.rate * time)
