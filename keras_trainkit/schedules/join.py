"""One schedule after another."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.arguments import check_integer, received
from keras_trainkit.schedules.schedule import Schedule, check_part, part_value


@keras.saving.register_keras_serializable(package="keras_trainkit")
class Join(Schedule):
    """Runs schedules one after another, each from its own step 0.

    The first holds until step `boundaries[0] - 1`, the second starts at step
    `boundaries[0]`, and so on.

    Args:
        schedules: Two or more schedules or constants >= 0.
        boundaries: At which steps the next one starts, increasing, int >= 1;
            one fewer than `schedules`.

    Raises:
        ValueError: If the counts do not match or the boundaries do not increase.

    Example:
        ```python
        rate = tk.schedules.Join(
            [0.1, tk.schedules.Linear(0.1, 0.0, steps=500)], boundaries=[1500]
        )
        ```
    """

    durations = ("boundaries",)

    def __init__(self, schedules: Sequence[Any], boundaries: Sequence[int]) -> None:
        if not isinstance(schedules, list | tuple) or len(schedules) < 2:
            raise ValueError(
                "`schedules` must be a list of two or more schedules or numbers. "
                f"{received('schedules', schedules)}"
            )
        if (
            not isinstance(boundaries, list | tuple)
            or len(boundaries) != len(schedules) - 1
        ):
            raise ValueError(
                f"`boundaries` must be a list of {len(schedules) - 1} steps, one "
                f"fewer than `schedules`. {received('boundaries', boundaries)}"
            )
        self.schedules = [check_part("schedules", part) for part in schedules]
        self.boundaries = [
            check_integer("boundaries", boundary, minimum=1) for boundary in boundaries
        ]
        if any(
            after <= before
            for before, after in zip(self.boundaries, self.boundaries[1:], strict=False)
        ):
            raise ValueError(
                f"`boundaries` must increase. {received('boundaries', boundaries)}"
            )

    def value(self, time: Any) -> Any:
        """The value of the schedule whose turn it is."""
        value = part_value(self.schedules[0], time)
        for part, start in zip(self.schedules[1:], self.boundaries, strict=True):
            after = part_value(part, tf.maximum(time - start, 0))
            value = tf.where(time >= start, after, value)
        return value
