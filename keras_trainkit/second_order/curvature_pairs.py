"""What L-BFGS remembers: pairs of steps and changes of the gradient."""

from collections import deque
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.second_order.vectors import dot, exact_dot, fused_on_device

CURVED = 1e-8  # least curvature of a pair, relative to the largest one it could have
DAMPED = 0.2  # of the curvature that the model expects, below which a pair is damped


class CurvaturePairs:
    """The last few pairs `(s, y)`, and the direction that they make of a gradient.

    Args:
        history_size: Largest number of pairs, int >= 1; each takes the memory of
            two gradients.

    Reference:
        [Nocedal and Wright, 2006, algorithms 7.4 and
        procedure 18.2](https://doi.org/10.1007/978-0-387-40065-5)
    """

    def __init__(self, history_size: int) -> None:
        self._pairs: deque[tuple[Any, Any, float]] = deque(maxlen=history_size)
        self._size = history_size
        self._scale = 1.0
        self.damped = 0

    def __len__(self) -> int:
        return len(self._pairs)

    def clear(self) -> None:
        """Forgets all pairs."""
        self._pairs.clear()
        self._scale = 1.0

    def add(self, s: Any, y: Any, b_s: Any) -> bool:
        """Takes a pair up, damped by Powell's rule where it is hardly curved.

        Args:
            s: The step, shape `(n,)`.
            y: The change of the gradient along it, shape `(n,)`.
            b_s: The step times the Hessian that the pairs so far stand for; along
                the direction that they gave, minus the gradient, times the length.

        Returns:
            Whether the pair was taken; not if it holds NaN or no curvature.
        """
        s_y, s_s, y_y = exact_dot(s, y), exact_dot(s, s), exact_dot(y, y)
        s_b_s = exact_dot(s, b_s)
        if not s_b_s > 0 or not s_y < float("inf") or not y_y < float("inf"):
            return False
        if s_y < DAMPED * s_b_s and len(self._pairs):
            kept = (1 - DAMPED) * s_b_s / (s_b_s - s_y)
            y = np.float32(kept) * y + np.float32(1 - kept) * b_s
            s_y, y_y = exact_dot(s, y), exact_dot(y, y)
            self.damped += 1
        if not s_y > CURVED * (s_s * y_y) ** 0.5:
            return False
        self._pairs.append((s, y, 1.0 / s_y))
        self._scale = s_y / y_y
        return True

    def direction(self, gradient: Any) -> Any:
        """Returns minus the inverse Hessian of the pairs times a gradient."""
        if not self._pairs:
            return -gradient
        # Padded with pairs that do nothing, so that one trace serves all lengths.
        on_host = isinstance(gradient, np.ndarray)
        missing = 0 if on_host else self._size - len(self._pairs)
        first = self._pairs[0]
        pairs = [(first[0], first[1], 0.0)] * missing + list(self._pairs)
        steps, changes, factors = zip(*pairs, strict=True)
        kind = gradient.dtype
        numbers = (
            np.array(factors, kind) if on_host else tf.constant(factors, kind),
            np.array(self._scale, kind) if on_host else tf.constant(self._scale, kind),
        )
        return _two_loops(gradient, list(steps), list(changes), *numbers)


@fused_on_device
def _two_loops(
    gradient: Any, steps: list[Any], changes: list[Any], factors: Any, scale: Any
) -> Any:
    rest, weights = gradient, []
    for place in reversed(range(len(steps))):
        weight = factors[place] * dot(steps[place], rest)
        rest = rest - weight * changes[place]
        weights.append(weight)
    rest = rest * scale
    for place, weight in enumerate(reversed(weights)):
        back = factors[place] * dot(changes[place], rest)
        rest = rest + (weight - back) * steps[place]
    return -rest
