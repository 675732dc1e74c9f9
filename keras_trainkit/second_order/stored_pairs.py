"""The pairs of L-BFGS as variables of an optimizer, used inside of a traced step."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

CURVED = 1e-8  # least curvature of a pair, relative to the largest it could have
DAMPED = 0.2  # of the expected curvature, below which a pair is damped

Make = Callable[..., Any]


class StoredPairs:
    """The last pairs of steps and changes of the gradient; no pair has a factor of 0.

    Args:
        make: Makes a variable of the optimizer of a name and shape, filled with zeros.
        size: Number of pairs, int >= 1.
        total: Length of a vector.
    """

    def __init__(self, make: Make, size: int, total: int) -> None:
        self._size = size
        self._steps = make("steps", (size, total))
        self._changes = make("changes", (size, total))
        self._factors = make("factors", (size,))
        self._scale = make("scale")

    @property
    def known(self) -> Any:
        """Whether there is a pair, a bool tensor."""
        return tf.reduce_any(self._factors > 0)

    def keep_if(self, kept: Any) -> None:
        """Forgets all pairs unless a bool tensor is true."""
        self._factors.assign(self._factors * tf.cast(kept, self._factors.dtype))

    def add(self, s: Any, y: Any, b_s: Any) -> None:
        """Takes a pair up, damped where it is hardly curved, if it is curved at all."""
        s_y, s_b_s = dot(s, y), dot(s, b_s)
        weak = self.known & (s_y < DAMPED * s_b_s)
        kept = tf.where(weak, (1 - DAMPED) * s_b_s / (s_b_s - s_y), 1.0)
        y = kept * y + (1 - kept) * b_s
        s_y, s_s, y_y = dot(s, y), dot(s, s), dot(y, y)
        curved = (s_y > CURVED * tf.sqrt(s_s * y_y)) & tf.math.is_finite(y_y)

        def take() -> Any:
            for rows, row in ((self._steps, s), (self._changes, y)):
                rows.assign(tf.concat([rows[1:], row[None]], axis=0))
            factors = tf.concat([self._factors[1:], [1 / s_y]], axis=0)
            self._factors.assign(factors)
            self._scale.assign(s_y / y_y)
            return tf.constant(0)

        tf.cond(curved, take, lambda: tf.constant(0))

    def times(self, gradient: Any) -> Any:
        """Returns the inverse Hessian of the pairs times a gradient."""
        factors = tf.convert_to_tensor(self._factors)
        steps, changes = (
            tf.convert_to_tensor(self._steps),
            tf.convert_to_tensor(self._changes),
        )
        rest, weights = gradient, []
        for place in reversed(range(self._size)):
            weight = factors[place] * dot(steps[place], rest)
            rest = rest - weight * changes[place]
            weights.append(weight)
        rest = rest * tf.where(self.known, tf.convert_to_tensor(self._scale), 1.0)
        for place, weight in enumerate(reversed(weights)):
            back = factors[place] * dot(changes[place], rest)
            rest = rest + (weight - back) * steps[place]
        return rest


def dot(a: Any, b: Any) -> Any:
    """Returns the product of two vectors or variables of their kind."""
    return tf.tensordot(tf.convert_to_tensor(a), tf.convert_to_tensor(b), 1)
