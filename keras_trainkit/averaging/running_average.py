"""The running average of a model's weights, on the device."""

import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.keras_model.replicas import components
from keras_trainkit.train_step.device_variable import variable


class RunningAverage:
    """A running average of the trainable weights, in float32 or wider.

    With the n-th point `w` the average `a` becomes `a + rate * (w - a)`, where the
    rate is `1 / n` (mean), `1 - decay` (exponential) or
    `(1 - decay) / (1 - decay ** n)` (exponential, corrected for its start). The
    first point is taken as it is. The average lives once, on the device of the
    first replica.

    Args:
        model: The model; it need not be built yet.
        kind: "mean" or "exponential".
        decay: Weight of the past in the exponential average, in [0, 1).
        bias_correction: Whether early points count alike.
    """

    def __init__(
        self, model: Any, kind: str, decay: float, bias_correction: bool
    ) -> None:
        self._model: Callable[[], Any] = weakref.ref(model)
        self._kind = kind
        self._decay = decay
        self._bias_correction = bias_correction
        self._lock = threading.Lock()
        self._built = False
        # Last epoch that is over, -1 if there was none; kept with the average.
        self.epoch = -1
        self.restored = False
        self.weights: list[Any] = []
        self.averages: list[Any] = []
        self.count = variable(0, tf.int64)
        self.updates = variable(0, tf.int64)
        self.active = variable(False, tf.bool)

    def build(self) -> None:
        """Makes the variables of the average; the model has all of its own by now."""
        model = self._model()
        with self._lock:
            if self._built:
                return
            self._built = True
            self.weights = [
                weight
                for weight in model.trainable_variables
                if tf.as_dtype(weight.dtype).is_floating
            ]
            self._first = [components(weight, model)[0] for weight in self.weights]
            self.averages = [
                variable(
                    np.zeros(first.shape), _average_dtype(first.dtype), first.device
                )
                for first in self._first
            ]

    def add_point(self) -> None:
        """Takes the weights as they are into the average; also traced."""
        count = self.count.assign_add(1)
        rate = self._rate(tf.cast(count, tf.float64))
        for average, weight in zip(self.averages, self._first, strict=True):
            # One pass for the difference and one for the rest. Written as a step
            # from the average, so that nothing large is added and taken off again.
            difference = average - tf.cast(weight.read_value(), average.dtype)
            tf.raw_ops.ResourceApplyGradientDescent(
                var=average.handle,
                alpha=tf.cast(rate, average.dtype),
                delta=difference,
            )

    def add_point_if_due(self, updated: Any, every: int) -> None:
        """Counts an update and takes each `every`-th one into the average; traced.

        Args:
            updated: Whether this step has updated the weights, boolean scalar.
            every: Updates between two points, int >= 1.
        """
        counts = self.active.read_value() & updated
        updates = self.updates.assign_add(tf.cast(counts, tf.int64))

        def add() -> Any:
            self.add_point()
            return tf.constant(0)

        tf.cond(counts & (updates % every == 0), add, lambda: tf.constant(0))

    def values(self) -> list[Any]:
        """The average as tensors in the types of the weights they belong to."""
        return [
            tf.cast(average.read_value(), weight.dtype)
            for average, weight in zip(self.averages, self.weights, strict=True)
        ]

    def state(self) -> list[np.ndarray]:
        """Everything a run needs to go on: the counts, then the averages."""
        counts = [int(self.count.numpy()), int(self.updates.numpy()), self.epoch]
        return [np.array(counts, np.int64), *(a.numpy() for a in self.averages)]

    def restore(self, state: list[np.ndarray]) -> None:
        """Goes on from what `state` gave.

        Raises:
            ValueError: If the state belongs to a model with other weights.
        """
        self.build()
        counts, *values = state
        expected = [tuple(average.shape) for average in self.averages]
        found = [tuple(value.shape) for value in values]
        if expected != found:
            raise ValueError(
                "The average that was saved belongs to a model with other trainable "
                f"weights, of shapes {found}. {received('shapes', expected)}"
            )
        for average, value in zip(self.averages, values, strict=True):
            average.assign(value)
        self.count.assign(counts[0])
        self.updates.assign(counts[1])
        self.epoch = int(counts[2])
        self.restored = True

    def _rate(self, count: Any) -> Any:
        if self._kind == "mean":
            return 1.0 / count
        rate = tf.constant(1.0 - self._decay, tf.float64)
        if self._bias_correction:
            return rate / (1.0 - tf.constant(self._decay, tf.float64) ** count)
        return tf.where(count > 1.0, rate, 1.0)


def _average_dtype(dtype: Any) -> Any:
    return tf.float64 if tf.as_dtype(dtype) == tf.float64 else tf.float32
