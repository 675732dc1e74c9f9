"""Puts a model, its optimizer and all random states back, bit for bit."""

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf


@contextlib.contextmanager
def restored(model: Any) -> Iterator[None]:
    """Remembers every variable and random state, and restores them at the exit.

    Args:
        model: A built Keras model, compiled or not.

    Yields:
        Nothing; whatever happens inside leaves no trace in values. Variables are
        written only if they changed.
    """
    variables = {id(v): v for v in model.variables}
    variables.update({id(v): v for m in model.metrics for v in m.variables})
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        variables.update({id(v): v for v in optimizer.variables})
    kept = [(variable, variable.numpy()) for variable in variables.values()]
    python, numpy = random.getstate(), np.random.get_state()
    generator = tf.random.get_global_generator()
    state = generator.state.numpy()
    try:
        yield
    finally:
        for variable, value in kept:
            # As bytes: NaN is a value too, and negative zero is not zero.
            if variable.numpy().tobytes() != value.tobytes():
                variable.assign(value)
        random.setstate(python)
        np.random.set_state(numpy)
        generator.reset(state)
