"""Step decay: the rate drops by a factor every so many steps."""

from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.arguments import check_integer, check_number
from keras_trainkit.schedules.schedule import Schedule


@keras.saving.register_keras_serializable(package="keras_trainkit")
class StepDecay(Schedule):
    """Multiplies the rate by a factor every so many steps.

    ```text
    initial_learning_rate * factor ** floor(t / every)
    ```

    The easiest decay to reason about: lower the rate when the validation
    accuracy stops rising. Typical: halve every 5 epochs, or a tenth every 20.

    Args:
        initial_learning_rate: The rate before the first drop, >= 0.
        factor: What is left after a drop, in (0, 1].
        every: Steps between two drops, int >= 1.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        ```python
        rate = tk.schedules.StepDecay(0.05, factor=0.5, every=2000)
        model.compile(tk.optimizers.Nesterov(rate), "mse")
        ```
    """

    durations = ("every",)

    def __init__(self, initial_learning_rate: float, factor: float, every: int) -> None:
        self.initial_learning_rate = check_number(
            "initial_learning_rate", initial_learning_rate, minimum=0
        )
        self.factor = check_number("factor", factor, 0, 1, open_minimum=True)
        self.every = check_integer("every", every, minimum=1)

    def value(self, time: Any) -> Any:
        """The formula above."""
        return self.initial_learning_rate * self.factor ** tf.floor(time / self.every)
