"""Loss, gradients and the signals of all layers, traced and run once for all checks."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.keras_model.calls import shown_calls
from keras_trainkit.keras_model.layers import leaf_layers
from keras_trainkit.preflight.functional import loss_problem, start_values
from keras_trainkit.preflight.subject import Subject
from keras_trainkit.problems.problem import Problem


@dataclasses.dataclass
class Backward:
    """What one step of training would compute, without the step.

    Args:
        problem: The loss as a function of the trainable weights.
        terms: The values of its terms.
        connected: For each weight, whether a path leads from it to the loss.
        largest: For each weight, the largest magnitude in its gradient.
        layers: The leaf layers with weights, in the order of their calls.
        activations: Root mean square of what each gives.
        reached: Whether a path leads from there to the loss.
        arriving: Root mean square of the gradient that arrives there.
        again: Runs the same pass once more, to be timed.
    """

    problem: Problem
    terms: np.ndarray
    connected: np.ndarray
    largest: np.ndarray
    layers: list[str]
    activations: np.ndarray
    reached: np.ndarray
    arriving: np.ndarray
    again: Callable[[], Any]


def backward(subject: Subject) -> Backward:
    """Returns the pass over the subject's batch, made at the first call."""
    if "backward" not in subject.shared:
        subject.shared["backward"] = _run(subject)
    return subject.shared["backward"]


def _run(subject: Subject) -> Backward:
    problem = loss_problem(subject)
    names: list[str] = []
    paths: list[list[bool]] = []

    @tf.function(autograph=False)
    def step(values: list[tf.Tensor]) -> Any:
        values = [tf.identity(value) for value in values]
        taps: list[tuple[str, Any]] = []
        with tf.GradientTape() as tape, _tapped(subject.model, taps, tape):
            tape.watch(values)
            terms = problem.terms(values)
        tensors = [tensor for _, tensor in taps]
        # The functions called inside are part of the trace: no second context.
        found = tape.gradient(terms[0], [*values, *tensors])
        names[:] = [name for name, _ in taps]
        paths[:] = [[part is not None for part in found]]
        return (
            tf.stack(terms),
            [_largest(part) for part in found[: len(values)]],
            [_rms(tensor) for tensor in tensors],
            [_rms(part) for part in found[len(values) :]],
        )

    values = start_values(problem)
    terms, largest, activations, arriving = step(values)
    count = len(values)
    return Backward(
        problem,
        terms.numpy(),
        np.array(paths[0][:count], bool),
        np.array([float(size) for size in largest]),
        names,
        np.array([float(size) for size in activations]),
        # No path: the loss read the logits behind a softmax instead.
        np.array(paths[0][count:], bool),
        np.array([float(size) for size in arriving]),
        lambda: step(values)[0].numpy(),
    )


def _tapped(model: Any, taps: list[tuple[str, Any]], tape: Any) -> Any:
    """Notes the output of each leaf layer with weights, while one trace lasts."""

    def note(layer: Any, call: Any, args: tuple, kwargs: dict) -> Any:
        outputs = call(*args, **kwargs)
        tensor = tf.nest.flatten(outputs)[0]
        if tf.as_dtype(tensor.dtype).is_floating:
            tape.watch(tensor)
            taps.append((layer.name, tensor))
        return outputs

    return shown_calls([layer for layer in leaf_layers(model) if layer.variables], note)


def _largest(part: Any) -> Any:
    if part is None:
        return tf.zeros([])
    return tf.cast(tf.reduce_max(tf.abs(tf.convert_to_tensor(part))), tf.float32)


def _rms(part: Any) -> Any:
    if part is None:
        return tf.zeros([])
    dense = tf.cast(tf.convert_to_tensor(part), tf.float32)
    return tf.sqrt(tf.reduce_mean(tf.square(dense)))
