"""Stochastic gradient descent: a step against the gradient, and nothing else."""

from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.optimizers.update_rule import UpdateRule


@keras.saving.register_keras_serializable(package="keras_trainkit")
class SGD(UpdateRule):
    """Vanilla update: a step along the negative gradient.

    ```text
    x = x - learning_rate * g
    ```

    It has no state. A good rate is the largest that does not diverge, lowered
    during training.

    Args:
        learning_rate: The rate, a number >= 0, a schedule, or a callable.
        **kwargs: See `UpdateRule`.

    Example:
        ```python
        model.compile(tk.optimizers.SGD(0.01, weight_decay=1e-4), "mse")
        ```

    Reference:
        [Robbins and Monro, 1951](https://doi.org/10.1214/aoms/1177729586)
    """

    rests_at_zero = True

    def __init__(self, learning_rate: Any = 0.01, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)

    def rule(self, x: Any, g: Any, state: tuple, now: Any) -> tuple[Any, tuple]:
        """One step of the equation above."""
        return x - now.learning_rate * g, state

    def rule_in_place(self, x: Any, g: Any, state: tuple, now: Any) -> bool:
        """The same step by one kernel."""
        tf.raw_ops.ResourceApplyGradientDescent(
            var=x.handle, alpha=now.learning_rate, delta=g
        )
        return True
