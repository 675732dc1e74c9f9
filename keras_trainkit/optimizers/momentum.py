"""Momentum: the gradient is a force on a ball that rolls with friction."""

from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.optimizers.hyperparameter import check_hyperparameter
from keras_trainkit.optimizers.update_rule import UpdateRule


@keras.saving.register_keras_serializable(package="keras_trainkit")
class Momentum(UpdateRule):
    """Momentum update: the gradient changes the velocity, which moves the weights.

    ```text
    v = momentum * v - learning_rate * g
    x = x + v
    ```

    Progress adds up along directions in which the gradient stays the same. The
    velocity is about `1 / (1 - momentum)` steps long, so a rate that suits `SGD`
    is that many times too high here.

    Args:
        learning_rate: The rate, a number >= 0, a schedule, or a callable.
        momentum: The part of the velocity that is kept, in [0, 1), or a
            schedule, such as one that rises from 0.5 to 0.99.
        **kwargs: See `UpdateRule`.

    Raises:
        ValueError: If `momentum` is outside [0, 1).

    Example:
        ```python
        rising = tk.schedules.Linear(0.5, 0.99, steps=2000)
        model.compile(tk.optimizers.Momentum(0.01, momentum=rising), "mse")
        ```

    Reference:
        [Polyak, 1964](https://doi.org/10.1016/0041-5553(64)90137-5)
    """

    slots = ("velocity",)
    hyperparameters = ("momentum",)

    def __init__(
        self, learning_rate: Any = 0.01, momentum: Any = 0.9, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.momentum = check_hyperparameter(
            "momentum", momentum, 0, 1, open_maximum=True
        )

    def rule(self, x: Any, g: Any, state: tuple, now: Any) -> tuple[Any, tuple]:
        """One step of the equations above."""
        (v,) = state
        v = now.momentum * v - now.learning_rate * g
        return x + v, (v,)

    def rule_in_place(self, x: Any, g: Any, state: tuple, now: Any) -> bool:
        """The same step by one kernel."""
        move_with_velocity(x, g, state, now)
        return True


def move_with_velocity(
    x: Any, g: Any, state: tuple, now: Any, *, look_ahead: bool = False
) -> None:
    """Moves the velocity and the weights by TensorFlow's own kernel.

    Args:
        x: The weights, a `tf.Variable`.
        g: Their gradient.
        state: The velocity, a `tf.Variable`.
        now: The rate and the momentum at this update.
        look_ahead: Whether the weights are those that the velocity leads to, as in
            `Nesterov`, under a momentum that does not change.
    """
    (velocity,) = state
    tf.raw_ops.ResourceApplyKerasMomentum(
        var=x.handle,
        accum=velocity.handle,
        lr=now.learning_rate,
        grad=g,
        momentum=now.momentum,
        use_nesterov=look_ahead,
    )
