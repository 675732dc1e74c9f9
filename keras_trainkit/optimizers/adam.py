"""Adam: momentum over the root of the mean square, both corrected for their start."""

from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.optimizers.hyperparameter import check_hyperparameter
from keras_trainkit.optimizers.update_rule import UpdateRule


@keras.saving.register_keras_serializable(package="keras_trainkit")
class Adam(UpdateRule):
    """Adam with bias correction, as algorithm 1 of the paper has it.

    At update `t`, counted from 1:

    ```text
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g**2
    m_hat = m / (1 - beta_1**t)
    v_hat = v / (1 - beta_2**t)
    x = x - learning_rate * m_hat / (sqrt(v_hat) + epsilon)
    ```

    A good first choice. Epsilon is added to the corrected root, as in the paper;
    `keras.optimizers.Adam` adds it to the uncorrected one. If a beta is a
    schedule, its power is the product of its values so far. With `weight_decay`
    this is AdamW.

    Args:
        learning_rate: The rate, a number >= 0, a schedule, or a callable.
        beta_1: The part of the mean gradient that is kept, in [0, 1), or a
            schedule.
        beta_2: The part of the mean square that is kept, in [0, 1), or a
            schedule.
        epsilon: The number that keeps the division finite, > 0; outside of the root.
        **kwargs: See `UpdateRule`.

    Raises:
        ValueError: If a beta is outside [0, 1) or `epsilon` not positive.

    Example:
        ```python
        model.compile(tk.optimizers.Adam(1e-3, weight_decay=1e-2), "mse")
        ```

    Reference:
        [Kingma and Ba, 2015, algorithm 1](https://arxiv.org/abs/1412.6980)
    """

    slots = ("mean_gradient", "mean_square")
    hyperparameters = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: Any = 0.9,
        beta_2: Any = 0.999,
        epsilon: Any = 1e-8,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = check_hyperparameter("beta_1", beta_1, 0, 1, open_maximum=True)
        self.beta_2 = check_hyperparameter("beta_2", beta_2, 0, 1, open_maximum=True)
        self.epsilon = check_hyperparameter("epsilon", epsilon, 0, open_minimum=True)
        self._products: dict[str, Any] = {}

    def build(self, variables: list[Any]) -> None:
        """Makes the state, and the running product of a beta that varies."""
        if self.built:
            return
        super().build(variables)
        self._products = {
            name: self.add_variable(
                (), "ones", "float64", "only_first_replica", name=f"{name}_product"
            )
            for name in ("beta_1", "beta_2")
            if callable(getattr(self, name))
        }

    def numbers(self, step: Any) -> dict[str, Any]:
        """Adds the two bias corrections, in float64: they start next to zero."""
        numbers = super().numbers(step)
        for name, correction in (("beta_1", "bias_1"), ("beta_2", "bias_2")):
            if name in self._products:
                product = self._products[name]
                product.assign(product * numbers[name])
                power = tf.convert_to_tensor(product)
            else:
                power = numbers[name] ** tf.cast(step + 1, tf.float64)
            numbers[correction] = 1 - power
        return numbers

    def rule(self, x: Any, g: Any, state: tuple, now: Any) -> tuple[Any, tuple]:
        """One step of the equations above."""
        m, v = state
        m = now.beta_1 * m + (1 - now.beta_1) * g
        v = now.beta_2 * v + (1 - now.beta_2) * g * g
        m_hat = m / now.bias_1
        v_hat = v / now.bias_2
        return x - now.learning_rate * m_hat / (tf.sqrt(v_hat) + now.epsilon), (m, v)
