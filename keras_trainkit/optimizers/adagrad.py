"""Adagrad: each weight's rate falls with the gradients it has seen."""

from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.optimizers.hyperparameter import check_hyperparameter
from keras_trainkit.optimizers.update_rule import UpdateRule


@keras.saving.register_keras_serializable(package="keras_trainkit")
class Adagrad(UpdateRule):
    """Adagrad: weights with high gradients get a low rate, rare ones a high rate.

    ```text
    s = s + g**2
    x = x - learning_rate * g / (sqrt(s) + epsilon)
    ```

    The accumulator `s` starts at zero and only grows, so the rate falls for
    good: strong on sparse features, often too aggressive for deep nets. The
    first step of each weight is `learning_rate` long, whatever its gradient.

    Args:
        learning_rate: The rate, a number >= 0, a schedule, or a callable.
        epsilon: The number that keeps the division finite, > 0; outside of the root.
        **kwargs: See `UpdateRule`.

    Raises:
        ValueError: If `epsilon` is not positive.

    Example:
        ```python
        words = tk.layers.Embedding(50_000, 64)
        last = keras.layers.Dense(1, "sigmoid")
        model = keras.Sequential([words, keras.layers.Flatten(), last])
        model.compile(tk.optimizers.Adagrad(0.1), "binary_crossentropy")
        ```

    Reference:
        [Duchi et al., 2011](https://jmlr.org/papers/v12/duchi11a.html)
    """

    slots = ("accumulator",)
    hyperparameters = ("epsilon",)
    rests_at_zero = True

    def __init__(
        self, learning_rate: Any = 0.01, epsilon: Any = 1e-8, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.epsilon = check_hyperparameter("epsilon", epsilon, 0, open_minimum=True)

    def rule(self, x: Any, g: Any, state: tuple, now: Any) -> tuple[Any, tuple]:
        """One step of the equations above."""
        (s,) = state
        s = s + g * g
        return x - now.learning_rate * g / (tf.sqrt(s) + now.epsilon), (s,)

    def rule_in_place(self, x: Any, g: Any, state: tuple, now: Any) -> bool:
        """The same step by one kernel."""
        tf.raw_ops.ResourceApplyAdagradV2(
            var=x.handle,
            accum=state[0].handle,
            lr=now.learning_rate,
            epsilon=now.epsilon,
            grad=g,
        )
        return True
