"""Nesterov momentum: the gradient is taken where the velocity is about to lead."""

from typing import Any

import keras

from keras_trainkit.optimizers.hyperparameter import check_hyperparameter, value_at
from keras_trainkit.optimizers.momentum import move_with_velocity
from keras_trainkit.optimizers.update_rule import UpdateRule


@keras.saving.register_keras_serializable(package="keras_trainkit")
class Nesterov(UpdateRule):
    """Nesterov momentum in its practical form.

    The look-ahead form takes the gradient at `y + momentum * v`:

    ```text
    v = momentum * v - learning_rate * gradient(y + momentum * v)
    y = y + v
    ```

    Written for the looked-ahead weights `x = y + momentum * v` it is

    ```text
    v = momentum * v_old - learning_rate * g
    x = x - momentum * v_old + (1 + next_momentum) * v
      = x + next_momentum * v - learning_rate * g
    ```

    The model's weights, the ones that are evaluated and saved, are `x`.

    Args:
        learning_rate: The rate, a number >= 0, a schedule, or a callable.
        momentum: The part of the velocity that is kept, in [0, 1), or a
            schedule.
        **kwargs: See `UpdateRule`.

    Raises:
        ValueError: If `momentum` is outside [0, 1).

    Example:
        ```python
        rate = tk.schedules.StepDecay(0.05, factor=0.5, every=2000)
        model.compile(tk.optimizers.Nesterov(rate), "mse")
        ```

    Reference:
        [Sutskever et al., 2013, eq. 3-4](https://proceedings.mlr.press/v28/sutskever13.html);
        [Bengio et al., 2012](https://arxiv.org/abs/1212.0901)
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

    def numbers(self, step: Any) -> dict[str, Any]:
        """Adds the momentum of the next update, which x already looks ahead by."""
        following = value_at(self.momentum, step + 1)
        return {**super().numbers(step), "next_momentum": following}

    def rule(self, x: Any, g: Any, state: tuple, now: Any) -> tuple[Any, tuple]:
        """One step of the practical form above."""
        (v,) = state
        v = now.momentum * v - now.learning_rate * g
        return x + now.next_momentum * v - now.learning_rate * g, (v,)

    def rule_in_place(self, x: Any, g: Any, state: tuple, now: Any) -> bool:
        """The same step by one kernel, if the momentum does not change."""
        if now.next_momentum is not now.momentum:
            return False
        move_with_velocity(x, g, state, now, look_ahead=True)
        return True
