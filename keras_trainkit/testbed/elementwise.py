"""Whether each element of a weight steps as if it were alone."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.testbed.descent import Descent

_STEPS = 6
_ROUNDING = 1e-12


def is_elementwise(make: Callable[[], keras.optimizers.Optimizer]) -> bool:
    """Tries whether the gradients of some elements change the step of others.

    Trying finds out what no list of options could: clipping by a norm, a rule that
    scales by the length of its weight, one that skips a step for a single NaN.

    Args:
        make: Makes the optimizer, a new one at each call.
    """
    generator = np.random.default_rng(0)
    own = generator.standard_normal(_STEPS)
    quiet = 1e-3 * generator.standard_normal((_STEPS, 2))
    loud = 1e3 * generator.standard_normal((_STEPS, 2))
    broken = loud.copy()
    broken[2] = [np.nan, np.inf]
    paths = [_path(make(), own, others) for others in (quiet, loud, broken)]
    return all(
        np.allclose(path, paths[0], rtol=_ROUNDING, atol=0, equal_nan=True)
        for path in paths[1:]
    )


def _path(
    optimizer: keras.optimizers.Optimizer, own: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """The first element after each step, of three."""
    descent = Descent(optimizer, 3)
    descent.start(np.array([0.5, 1.0, 2.0]))

    @tf.function(jit_compile=False)
    def step(gradient: tf.Tensor) -> None:
        descent.step(gradient)

    path = []
    for mine, theirs in zip(own, others, strict=True):
        step(tf.constant([mine, *theirs], tf.float64))
        path.append(float(descent.weight.numpy()[0]))
    return np.array(path)
