"""All random generators of the process that training may draw from."""

import contextlib
import copy
import random
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Keras keeps the generator behind `seed=None` in its global state, TensorFlow that
# of the seeds of eager operations in its context; neither has a public way to it.
from keras.src.backend.common import global_state
from tensorflow.python.eager import context

_KERAS = "global_seed_generator"


def global_seed_variable() -> Any:
    """The state of the generator that Keras uses for `seed=None`, or `None`."""
    generator = global_state.get_global_attribute(_KERAS)
    return None if generator is None else generator.state


@contextlib.contextmanager
def generators_restored() -> Iterator[None]:
    """Puts Python's, NumPy's, TensorFlow's and Keras' generators back.

    Yields:
        Nothing; what is drawn afterwards is what would have been drawn now.
    """
    python, numpy = random.getstate(), np.random.get_state()
    of_seeds = getattr(context.context(), "_rng", None)
    drawn = None if of_seeds is None else of_seeds.getstate()
    if of_seeds is not None:
        # Each seed of an eager operation has a generator of its own, which TensorFlow
        # keeps: seeds that are drawn again afterwards must not be used up inside.
        of_seeds.seed(of_seeds.getrandbits(64))
    tensorflow = _tensorflow_generator()
    state = None if tensorflow is None else tensorflow.state.numpy()
    of_keras = global_state.get_global_attribute(_KERAS)
    seed = None if of_keras is None else of_keras.state.numpy()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        if of_seeds is not None:
            of_seeds.setstate(drawn)
        if tensorflow is not None:
            tensorflow.reset(state)
        # Where there was none, the next one starts from Python's, as it would have.
        global_state.set_global_attribute(_KERAS, of_keras)
        if of_keras is not None:
            of_keras.state.assign(keras.ops.convert_to_tensor(seed))


@contextlib.contextmanager
def own_generators_restored(generators: Iterable[Any]) -> Iterator[None]:
    """Puts generators of NumPy and Python back that a layer or a loss holds.

    Args:
        generators: NumPy's `Generator`s and `RandomState`s, Python's `Random`s.

    Yields:
        Nothing.
    """
    before = [(one, _state_of(one)) for one in generators]
    try:
        yield
    finally:
        for one, state in before:
            if isinstance(one, np.random.Generator):
                one.bit_generator.state = state
            elif isinstance(one, np.random.RandomState):
                one.set_state(state)
            else:
                one.setstate(state)


def _state_of(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return copy.deepcopy(generator.bit_generator.state)
    if isinstance(generator, np.random.RandomState):
        return generator.get_state()
    return generator.getstate()


def drawn_so_far() -> tuple[Any, ...]:
    """What tells whether something was drawn on the host between two calls.

    Returns:
        The states of Python's, NumPy's and TensorFlow's generators, to be compared.
    """
    of_seeds = getattr(context.context(), "_rng", None)
    return (
        random.getstate(),
        tuple(np.asarray(part).tobytes() for part in np.random.get_state()),
        None if of_seeds is None else of_seeds.getstate(),
    )


def _tensorflow_generator() -> Any:
    try:
        return tf.random.get_global_generator()
    except RuntimeError:
        # With deterministic operations there is none unless one was set.
        return None
