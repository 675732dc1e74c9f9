"""Problems made from problems: second derivatives, a trained point, forward mode."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.gradcheck.evaluator import Evaluator
from keras_trainkit.optimizers.adam import Adam
from keras_trainkit.optimizers.stepper import Stepper
from keras_trainkit.problems.gradient import terms_and_gradients
from keras_trainkit.problems.problem import Problem

_KERAS = os.path.join(os.path.dirname(keras.__file__), "src") + os.sep
_OPERATIONS = (
    os.path.join(_KERAS, "ops") + os.sep,
    os.path.join(_KERAS, "backend") + os.sep,
    os.path.dirname(tf.__file__) + os.sep,
)


def second_order(problem: Problem, seed: int) -> Problem:
    """Returns the problem whose gradient is a Hessian-vector product.

    Its terms are the gradients of the given terms along one fixed random
    direction, so that comparing their gradients checks second derivatives.
    """
    random = np.random.default_rng(seed)
    directions = [
        random.choice([-1.0, 1.0], np.shape(value))
        * random.uniform(0.5, 1.5, np.shape(value))
        for value in problem.values
    ]

    def terms(values: Sequence[Any]) -> list[Any]:
        slopes = []
        for gradients in terms_and_gradients(problem.terms, values)[1]:
            slope = tf.zeros([], tf.float64)
            for gradient, direction in zip(gradients, directions, strict=True):
                if gradient is not None:
                    slope += tf.reduce_sum(tf.cast(gradient, tf.float64) * direction)
            slopes.append(slope)
        return slopes

    return dataclasses.replace(
        problem, title=f"{problem.title}, second derivatives", terms=terms
    )


def held_stops(problem: Problem, of_keras: bool = False) -> Problem:
    """Returns the problem in which stopped values stay what they are at the point.

    A gradient that treats a value as constant, as power iteration in spectral
    normalisation does, then agrees with differences. Only `tf.stop_gradient` and
    `keras.ops.stop_gradient` are held, in the order in which they are called.

    Args:
        problem: The problem.
        of_keras: Whether only those are held that Keras' own code calls.
    """
    values = [
        tf.cast(tf.convert_to_tensor(value), kind)
        for value, kind in zip(problem.values, problem.kinds, strict=True)
    ]
    held: list[Any] = []
    stop = tf.stop_gradient

    def record(tensor: Any, name: str | None = None) -> Any:
        stopped = stop(tensor, name)
        held.append(stopped if _is_called_by_keras() or not of_keras else None)
        return stopped

    with _stopping_by(record):
        problem.terms(values)

    def terms(values: Sequence[Any]) -> list[Any]:
        queue = list(held)

        def replay(tensor: Any, name: str | None = None) -> Any:
            kept = queue.pop(0)
            return stop(tensor, name) if kept is None else kept

        with _stopping_by(replay):
            return problem.terms(values)

    count = sum(one is not None for one in held)
    whose = "values that a layer of Keras stops" if of_keras else "stopped values"
    notes = [*problem.notes, f"{count} {whose} are held constant"]
    return dataclasses.replace(problem, terms=terms, notes=notes)


def noting_stops(problem: Problem, noted: list[bool]) -> Problem:
    """Returns the problem that notes, for each stop, whether Keras' own code asks."""
    stop = tf.stop_gradient

    def note(tensor: Any, name: str | None = None) -> Any:
        noted.append(_is_called_by_keras())
        return stop(tensor, name)

    def terms(values: Sequence[Any]) -> list[Any]:
        with _stopping_by(note):
            return problem.terms(values)

    return dataclasses.replace(problem, terms=terms)


def _is_called_by_keras() -> bool:
    """Whether the code that stops a gradient is Keras' own, not the user's."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename
        # The operations themselves are called by both.
        through = path == __file__ or path.startswith(_OPERATIONS)
        if not through:
            # A layer that only calls what the user gave it does not name it.
            named = "stop_gradient" in frame.f_code.co_names
            return named and path.startswith(_KERAS)
        frame = frame.f_back
    return False


@contextlib.contextmanager
def _stopping_by(function: Any) -> Iterator[None]:
    """Puts `function` in place of `tf.stop_gradient`, for the time of the context."""
    stop = tf.stop_gradient
    tf.stop_gradient = function
    try:
        yield
    finally:
        tf.stop_gradient = stop


def burn_in(problem: Problem, evaluator: Evaluator, steps: int) -> Problem:
    """Returns the problem at the point reached after a few steps of Adam.

    The steps move copies of the values; no model is touched.
    """
    size = np.concatenate(
        [
            np.full(np.size(value), max(float(np.std(value)), 1e-2))
            for value in problem.values
        ]
    )
    adam = Stepper(Adam(1e-2), [evaluator.flat / size])
    for _ in range(steps):
        # In units of each tensor's own spread, so that one rate suits all.
        flat = adam.values[0].numpy() * size
        adam.step([evaluator.gradient_at(flat)[-1] * size])
    flat = adam.values[0].numpy() * size
    return dataclasses.replace(problem, values=evaluator.packing.cut(flat))


def forward_derivative(evaluator: Evaluator, row: int) -> np.ndarray | None:
    """Returns the forward-mode derivative along a whole row of the bank, per term.

    The accumulator runs inside the trace, where it differentiates through the
    body of a `tf.custom_gradient` and so does not see its backward rule.

    Returns:
        Shape `(terms,)`, or `None` where TensorFlow has no forward rule.
    """
    job = evaluator.direction(0, evaluator.total, row)
    direction = tf.constant(evaluator.bank[row] * job.scale[0])

    @tf.function(autograph=False)
    def derivative(flat: Any) -> Any:
        parts = evaluator.packing.split(flat)
        with tf.autodiff.ForwardAccumulator(
            parts, evaluator.packing.split(direction)
        ) as forward:
            terms = evaluator.problem.terms(parts)
        found = [forward.jvp(term) for term in terms]
        zero = tf.zeros([], tf.float64)
        return tf.stack([zero if value is None else value for value in found])

    try:
        return np.asarray(derivative(tf.constant(evaluator.flat)))
    except (TypeError, LookupError, NotImplementedError, ValueError):
        return None
