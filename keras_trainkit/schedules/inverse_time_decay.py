"""1/t decay: the rate falls with the inverse of the time."""

from typing import Any

import keras

from keras_trainkit.arguments import check_number
from keras_trainkit.schedules.schedule import Schedule


@keras.saving.register_keras_serializable(package="keras_trainkit")
class InverseTimeDecay(Schedule):
    """Lets the rate fall with the inverse of the time.

    ```text
    initial_learning_rate / (1 + rate * t)
    ```

    The slowest of the usual decays: the steps still add up to infinity, so no
    minimum is out of reach.

    Args:
        initial_learning_rate: The rate at the start, >= 0.
        rate: The decay per step, >= 0; the rate is halved after `1 / rate` steps.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        ```python
        rate = tk.schedules.InverseTimeDecay(0.05, rate=1e-3)
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
        return self.initial_learning_rate / (1 + self.rate * time)
