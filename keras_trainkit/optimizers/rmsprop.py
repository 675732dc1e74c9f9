"""RMSprop: Adagrad with a memory that fades."""

from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.optimizers.hyperparameter import check_hyperparameter
from keras_trainkit.optimizers.update_rule import UpdateRule


@keras.saving.register_keras_serializable(package="keras_trainkit")
class RMSprop(UpdateRule):
    """RMSprop: the gradient over the root of its leaky mean square.

    ```text
    s = decay_rate * s + (1 - decay_rate) * g**2
    x = x - learning_rate * g / (sqrt(s) + epsilon)
    ```

    Each weight gets its own scale, as in Adagrad, but the scale follows the
    recent gradients, so the rate does not fall for good.

    Args:
        learning_rate: The rate, a number >= 0, a schedule, or a callable.
        decay_rate: The part of the mean square that is kept, in [0, 1), or a
            schedule; typical values are 0.9, 0.99, 0.999.
        epsilon: The number that keeps the division finite, > 0; outside of the root.
        **kwargs: See `UpdateRule`.

    Raises:
        ValueError: If `decay_rate` is outside [0, 1) or `epsilon` not positive.

    Example:
        ```python
        model.compile(tk.optimizers.RMSprop(1e-3, decay_rate=0.9), "mse")
        ```

    Reference:
        [Tieleman and Hinton, 2012, lecture 6e](https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf)
    """

    slots = ("mean_square",)
    hyperparameters = ("decay_rate", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        decay_rate: Any = 0.99,
        epsilon: Any = 1e-8,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.decay_rate = check_hyperparameter(
            "decay_rate", decay_rate, 0, 1, open_maximum=True
        )
        self.epsilon = check_hyperparameter("epsilon", epsilon, 0, open_minimum=True)

    def rule(self, x: Any, g: Any, state: tuple, now: Any) -> tuple[Any, tuple]:
        """One step of the equations above."""
        (s,) = state
        s = now.decay_rate * s + (1 - now.decay_rate) * g * g
        return x - now.learning_rate * g / (tf.sqrt(s) + now.epsilon), (s,)
