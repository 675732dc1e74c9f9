"""Adadelta: steps in the units of the weights, from the steps made before."""

from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.optimizers.hyperparameter import check_hyperparameter
from keras_trainkit.optimizers.update_rule import UpdateRule


@keras.saving.register_keras_serializable(package="keras_trainkit")
class Adadelta(UpdateRule):
    """Adadelta: the gradient scaled by recent steps over recent gradients.

    ```text
    s = decay_rate * s + (1 - decay_rate) * g**2
    d = sqrt(u + epsilon) / sqrt(s + epsilon) * g
    u = decay_rate * u + (1 - decay_rate) * d**2
    x = x - learning_rate * d
    ```

    It needs no rate: `learning_rate=1` is the rule of the paper. The first
    steps are about `sqrt(epsilon / (1 - decay_rate))` long, whatever the
    gradient. Here, as in the paper, epsilon stands inside of the roots: it is
    what sets off the first steps.

    Args:
        learning_rate: The rate, a number >= 0, a schedule, or a callable.
        decay_rate: The part of the mean squares that is kept, in [0, 1), or a
            schedule.
        epsilon: The number under the roots, > 0.
        **kwargs: See `UpdateRule`.

    Raises:
        ValueError: If `decay_rate` is outside [0, 1) or `epsilon` not positive.

    Example:
        ```python
        model.compile(tk.optimizers.Adadelta(), "mse")
        ```

    Reference:
        [Zeiler, 2012, algorithm 1](https://arxiv.org/abs/1212.5701)
    """

    slots = ("mean_square_gradient", "mean_square_step")
    hyperparameters = ("decay_rate", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 1.0,
        decay_rate: Any = 0.95,
        epsilon: Any = 1e-6,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.decay_rate = check_hyperparameter(
            "decay_rate", decay_rate, 0, 1, open_maximum=True
        )
        self.epsilon = check_hyperparameter("epsilon", epsilon, 0, open_minimum=True)

    def rule(self, x: Any, g: Any, state: tuple, now: Any) -> tuple[Any, tuple]:
        """One step of the equations above."""
        s, u = state
        s = now.decay_rate * s + (1 - now.decay_rate) * g * g
        d = tf.sqrt((u + now.epsilon) / (s + now.epsilon)) * g
        u = now.decay_rate * u + (1 - now.decay_rate) * d * d
        return x - now.learning_rate * d, (s, u)

    def rule_in_place(self, x: Any, g: Any, state: tuple, now: Any) -> bool:
        """The same step by one kernel."""
        tf.raw_ops.ResourceApplyAdadelta(
            var=x.handle,
            accum=state[0].handle,
            accum_update=state[1].handle,
            lr=now.learning_rate,
            rho=now.decay_rate,
            epsilon=now.epsilon,
            grad=g,
        )
        return True
