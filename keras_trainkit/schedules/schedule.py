"""What all schedules share: time in steps or epochs, precision, a picture."""

import inspect
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import check_integer, check_number, received
from keras_trainkit.axes import new_axes


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A value that depends on the number of updates made so far.

    A Keras learning-rate schedule, for any Keras optimizer; in the optimizers
    of this package, momentum and decay rates may be schedules too. A subclass
    writes its formula in `value`, in terms of a float64 time.

    Example:
        ```python
        class SquareRootDecay(tk.schedules.Schedule):
            def __init__(self, initial_learning_rate):
                self.initial_learning_rate = initial_learning_rate

            def value(self, time):
                return self.initial_learning_rate / tf.sqrt(1 + time)

        SquareRootDecay(0.1)(3)  # 0.05
        ```
    """

    durations: ClassVar[tuple[str, ...]] = ()
    """Names of the arguments that count steps."""

    rates: ClassVar[tuple[str, ...]] = ()
    """Names of the arguments that are per step."""

    def value(self, time: Any) -> Any:
        """Returns the value at a time, by the formula of the class.

        Args:
            time: Updates made so far, float64, of any shape.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `value`.")

    def __call__(self, step: Any) -> Any:
        """Returns the value at a step, in `keras.config.floatx()`.

        Args:
            step: Updates made so far: a number, a tensor or a variable.
        """
        time = tf.cast(keras.ops.convert_to_tensor(step), tf.float64)
        return tf.cast(self.value(time), keras.config.floatx())

    @classmethod
    def in_epochs(cls, *args: Any, steps_per_epoch: int, **kwargs: Any) -> "Schedule":
        """Makes the schedule from durations in epochs and rates per epoch.

        Args:
            *args: As for the class, times in epochs (fractions allowed).
            steps_per_epoch: Optimizer updates in an epoch, int >= 1.
            **kwargs: As for the class, times in epochs.

        Returns:
            The schedule, counting steps; a decay goes on within an epoch. Parts
            that are schedules themselves are taken as they are, in steps.

        Example:
            ```python
            # Halve the rate every 5 epochs.
            tk.schedules.StepDecay.in_epochs(0.1, 0.5, every=5, steps_per_epoch=469)
            ```
        """
        check_integer("steps_per_epoch", steps_per_epoch, minimum=1)
        bound = inspect.signature(cls).bind(*args, **kwargs)
        for name in cls.durations:
            if name in bound.arguments:
                epochs = bound.arguments[name]
                several = isinstance(epochs, list | tuple)
                steps = [
                    round(check_number(name, epoch, minimum=0) * steps_per_epoch)
                    for epoch in (epochs if several else [epochs])
                ]
                bound.arguments[name] = steps if several else steps[0]
        for name in cls.rates:
            if name in bound.arguments:
                rate = check_number(name, bound.arguments[name], minimum=0)
                bound.arguments[name] = rate / steps_per_epoch
        return cls(*bound.args, **bound.kwargs)

    def values(self, steps: int) -> np.ndarray:
        """Returns the values of the first steps.

        Args:
            steps: How many, int >= 1.

        Returns:
            Shape `(steps,)`, float64.
        """
        steps = check_integer("steps", steps, minimum=1)
        return self.value(tf.range(steps, dtype=tf.float64)).numpy()

    def plot(self, steps: int = 1000, *, axes: Any = None, **style: Any) -> Any:
        """Draws the value over the steps; needs matplotlib.

        Args:
            steps: How many steps to draw, int >= 1.
            axes: A matplotlib `Axes` to draw on; by default those of a new
                figure.
            **style: Passed on to `Axes.plot`.

        Returns:
            The matplotlib `Axes`; `.figure.savefig(path)` saves the picture.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        values = self.values(steps)
        axes = new_axes() if axes is None else axes
        axes.plot(np.arange(steps), values, **{"label": type(self).__name__, **style})
        axes.set(xlabel="optimizer updates", ylabel="value", ylim=(0, None))
        return axes

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, schedules among them serialised."""
        return {
            name: _serialized(getattr(self, name))
            for name in inspect.signature(type(self)).parameters
        }

    @classmethod
    def from_config(cls, config: dict) -> "Schedule":
        """Returns the schedule that `get_config` described."""
        return cls(**{name: _deserialized(value) for name, value in config.items()})


def check_part(name: str, value: Any) -> Any:
    """Returns a schedule as it is, a number >= 0 as a `float`.

    Raises:
        ValueError: If `value` is neither.
    """
    if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
        return value
    try:
        return check_number(name, value, minimum=0)
    except ValueError:
        raise ValueError(
            f"`{name}` must be a number >= 0 or a learning-rate schedule. "
            f"{received(name, value)}"
        ) from None


def part_value(part: Any, time: Any) -> Any:
    """Returns the value of a number or of any Keras schedule, in float64."""
    if isinstance(part, Schedule):
        return part.value(time)
    if isinstance(part, keras.optimizers.schedules.LearningRateSchedule):
        return tf.cast(part(time), tf.float64)
    return tf.fill(tf.shape(time), tf.constant(part, tf.float64))


def _serialized(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_serialized(item) for item in value]
    if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
        return keras.saving.serialize_keras_object(value)
    return value


def _deserialized(value: Any) -> Any:
    if isinstance(value, list):
        return [_deserialized(item) for item in value]
    if isinstance(value, dict):
        return keras.saving.deserialize_keras_object(value)
    return value
