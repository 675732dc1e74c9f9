"""The objective as a method sees it: counted, and the best point kept."""

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_trainkit.second_order.hessian import dense_hessian
from keras_trainkit.second_order.vectors import largest

PRODUCT = 2.0  # evaluations that a product with the Hessian counts as


class OutOfEvaluationsError(Exception):
    """Raised when an evaluation would exceed their largest number."""


class Point(NamedTuple):
    """A vector with what is known of the loss there.

    Args:
        vector: The weights, shape `(n,)`.
        value: The loss.
        gradient: Its gradient, shape `(n,)`, or `None` where it is not known.
    """

    vector: Any
    value: float
    gradient: Any

    @property
    def gradient_norm(self) -> float:
        """The largest entry of the gradient by magnitude."""
        return largest(self.gradient)


class Iterate(NamedTuple):
    """What a method has reached after one of its iterations.

    Args:
        vector: The weights, shape `(n,)`.
        loss: The full loss there.
        gradient_norm: The largest entry of the gradient by magnitude.
        details: Further numbers for the record, by name.
        exact: Whether `gradient_norm` is that of the vector, and no estimate.
    """

    vector: Any
    loss: float
    gradient_norm: float
    details: dict[str, float]
    exact: bool = True


class Evaluations:
    """Evaluates value and gradient, counts, and remembers the lowest loss.

    Args:
        source: Has `value_and_gradient(vector)`: a `FlatLoss` or a
            `GradientSource`.
        limit: Largest number of evaluations of the full loss and gradient, int >= 1.
        on_arrays: Whether the source wants an array and not a tensor.
    """

    def __init__(self, source: Any, limit: int, *, on_arrays: bool = False) -> None:
        self._source, self.limit, self._on_arrays = source, limit, on_arrays
        self.spent = 0.0
        self.best: Point | None = None

    def __call__(self, vector: Any) -> Point:
        """Returns the point at a vector.

        Raises:
            OutOfEvaluationsError: If none is left.
        """
        self.spend(1.0)
        return self.look(vector)

    def look(self, vector: Any) -> Point:
        """Returns the point at a vector, not counted: for a report at the end."""
        on_host = isinstance(vector, np.ndarray)
        if on_host != self._on_arrays:
            given = tf.constant(vector) if on_host else vector.numpy()
        else:
            given = vector
        value, gradient = self._source.value_and_gradient(given)
        if on_host:
            if isinstance(gradient, tf.Tensor):
                gradient = gradient.numpy()  # NumPy itself takes far longer to do it
            gradient = np.asarray(gradient, vector.dtype)
        else:
            gradient = tf.convert_to_tensor(gradient, vector.dtype)
        point = Point(vector, float(value), gradient)
        self._keep(point)
        return point

    def offer(self, vector: Any, value: float) -> None:
        """Remembers a vector whose loss alone was computed, if it is the lowest."""
        self._keep(Point(vector, value, None))

    def _keep(self, point: Point) -> None:
        if math.isfinite(point.value) and (
            self.best is None or point.value < self.best.value
        ):
            self.best = point

    def product(self, vector: Any, direction: Any) -> Any:
        """Returns the Hessian at a vector times a direction; counts as two."""
        self.spend(PRODUCT)
        if not isinstance(vector, np.ndarray):
            return self._source.hessian_product(vector, direction)
        found = self._source.hessian_product(
            tf.constant(vector), tf.constant(direction)
        )
        return found.numpy()

    def hessian(self, vector: Any) -> np.ndarray:
        """Returns the Hessian at a vector, shape `(n, n)`, float64."""
        self.spend(PRODUCT * len(vector))
        return dense_hessian(self._source, tf.convert_to_tensor(vector))

    def spend(self, amount: float) -> None:
        """Counts evaluations, parts of them where only a part of the data is used.

        Raises:
            OutOfEvaluationsError: If fewer are left.
        """
        # A whole number of parts may miss the limit by a rounding error.
        if self.spent + amount > self.limit + 1e-9:
            raise OutOfEvaluationsError
        self.spent += amount
