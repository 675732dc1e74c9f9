"""The training loss of the subject as a function of weights, outside the model."""

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from keras_trainkit.keras_model.layers import all_layers
from keras_trainkit.preflight.subject import Subject
from keras_trainkit.problems.of_model import model_problem
from keras_trainkit.problems.problem import Problem

# Attributes that make a layer random in training; zero turns each off.
NOISE = ("rate", "stddev", "dropout", "recurrent_dropout")


def loss_problem(subject: Subject, batch: Any = None) -> Problem:
    """Returns the loss on a batch of the subject, in the model's own precision.

    Models of half precision are lifted to double, where no loss scale is needed.

    Raises:
        UnjudgedError: If the loss cannot be computed.
    """
    subject.need_loss()
    half = any("16" in str(layer.compute_dtype) for layer in all_layers(subject.model))
    x, y, weight = subject.batch() if batch is None else batch
    return model_problem(subject.model, x, y, weight, wrt="parameters", double=half)


def start_values(problem: Problem) -> list[Any]:
    """Returns the problem's values as tensors of the types it expects."""
    return [
        tf.cast(tf.convert_to_tensor(value), kind)
        for value, kind in zip(problem.values, problem.kinds, strict=True)
    ]


@contextlib.contextmanager
def without_noise(model: Any) -> Iterator[None]:
    """Turns dropout and noise layers off, for the time of the context."""
    undo = []
    try:
        for layer in all_layers(model):
            for name in NOISE:
                value = vars(layer).get(name)
                if isinstance(value, float) and value > 0:
                    undo.append((layer, name, value))
                    setattr(layer, name, 0.0)
        yield
    finally:
        for layer, name, value in undo:
            setattr(layer, name, value)
