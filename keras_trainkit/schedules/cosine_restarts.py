"""Cosine decay with warm restarts, one snapshot a cycle."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import check_integer, check_number
from keras_trainkit.schedules.schedule import Schedule


@keras.saving.register_keras_serializable(package="keras_trainkit")
class CosineRestarts(Schedule):
    """Falls in a half cosine, jumps back up, and falls again.

    In cycle `i`, of length `T_i = period * period_factor**i`, `t_i` steps after
    its start:

    ```text
    peak = initial_learning_rate * peak_factor**i
    fall = (1 + cos(pi * t_i / T_i)) / 2
    peak * fall + final_learning_rate * (1 - fall)
    ```

    At the end of each cycle the net has settled in a minimum: a snapshot there
    is a member of an ensemble, for the price of one training.

    Args:
        initial_learning_rate: The rate at the first start, >= 0.
        period: Length of the first cycle in steps, int >= 1.
        period_factor: How much longer each cycle is than the one before, >= 1.
        peak_factor: How high each start is over the one before, in (0, 1].
        final_learning_rate: The rate that each cycle falls to, >= 0.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        ```python
        rate = tk.schedules.CosineRestarts(0.1, period=2000)
        rate.cycle_ends(cycles=5)  # [2000, 4000, 6000, 8000, 10000]
        ```

    Reference:
        [Loshchilov and Hutter, 2017, eq. 5](https://arxiv.org/abs/1608.03983);
        [Huang et al., 2017, eq. 2](https://arxiv.org/abs/1704.00109)
    """

    durations = ("period",)

    def __init__(
        self,
        initial_learning_rate: float,
        period: int,
        period_factor: float = 1.0,
        peak_factor: float = 1.0,
        final_learning_rate: float = 0.0,
    ) -> None:
        self.initial_learning_rate = check_number(
            "initial_learning_rate", initial_learning_rate, minimum=0
        )
        self.period = check_integer("period", period, minimum=1)
        self.period_factor = check_number("period_factor", period_factor, minimum=1)
        self.peak_factor = check_number(
            "peak_factor", peak_factor, 0, 1, open_minimum=True
        )
        self.final_learning_rate = check_number(
            "final_learning_rate", final_learning_rate, minimum=0
        )

    def value(self, time: Any) -> Any:
        """The formula above."""
        # The epsilon keeps the step at which a cycle starts from being rounded
        # into the cycle before.
        periods = time / self.period
        growth = self.period_factor - 1
        if growth == 0:
            cycle = tf.floor(periods)
            part = periods - cycle
        else:
            log = tf.math.log1p(periods * growth) / math.log(self.period_factor)
            cycle = tf.floor(log + 1e-9)
            length = self.period_factor**cycle
            part = (periods - (length - 1) / growth) / length
        peak = self.initial_learning_rate * self.peak_factor**cycle
        weight = (1 + tf.cos(math.pi * tf.clip_by_value(part, 0, 1))) / 2
        return peak * weight + self.final_learning_rate * (1 - weight)

    def cycle_ends(self, cycles: int) -> list[int]:
        """Returns after how many updates each cycle is over.

        Args:
            cycles: How many cycles, int >= 1.

        Returns:
            Step counts, the moments for a snapshot.
        """
        cycles = check_integer("cycles", cycles, minimum=1)
        lengths = self.period * self.period_factor ** np.arange(cycles)
        return [math.ceil(end - 1e-6) for end in np.cumsum(lengths)]
