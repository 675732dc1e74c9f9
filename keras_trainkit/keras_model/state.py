"""All that a model holds and that training may change, and how it is put back."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

from keras_trainkit.keras_model.generators import (
    generators_restored,
    global_seed_variable,
)
from keras_trainkit.keras_model.reach import VARIABLES, reached
from keras_trainkit.keras_model.replicas import components


def variables_of(model: Any) -> list[Any]:
    """Returns every variable that can be reached from a model, each once.

    Those that Keras lists (weights, statistics, seeds, metrics, the optimizer's),
    and those that it does not: of optimizers and metrics in lists or dicts, of
    models inside it that are compiled themselves, the states of stateful recurrent
    layers, plain `tf.Variable`s and `tf.random.Generator`s of layers, losses and
    metrics, and what the functions that make up a loss or a layer refer to.

    Args:
        model: A Keras model of any kind, built or not.

    Returns:
        Keras variables, and `tf.Variable`s that belong to none.
    """
    listed = [
        *getattr(model, "variables", ()),
        *getattr(model, "metrics_variables", ()),
        global_seed_variable(),
        *(item for item in reached(model) if isinstance(item, VARIABLES)),
    ]
    found = {id(one): one for one in listed if one is not None}
    inside = {
        id(one.value) for one in found.values() if isinstance(one, keras.Variable)
    }
    return [one for key, one in found.items() if key not in inside]


def parts_of(model: Any) -> list[Any]:
    """Returns the plain variable of each replica behind all of `variables_of`."""
    found = {
        id(part): part
        for variable in variables_of(model)
        for part in components(variable, model)
    }
    return list(found.values())


@contextlib.contextmanager
def kept(model: Any) -> Iterator[None]:
    """Remembers what a model holds on the device, and puts it back bit for bit.

    Nothing is computed with the values, and each replica gets its own back.

    Args:
        model: A built model; or a layer or a function, without replicas.

    Yields:
        Nothing.
    """
    variables = {id(part): part for part in parts_of(model)}
    before = read(variables.values())
    try:
        yield
    finally:
        write(variables.values(), before)
        # What was made meanwhile starts as it would have: metrics from zero.
        made = any(id(part) not in variables for part in parts_of(model))
        if made and getattr(model, "compiled", False):
            model.reset_metrics()
            write(variables.values(), before)


@contextlib.contextmanager
def restored(model: Any) -> Iterator[None]:
    """Remembers a model and all random generators on the host; puts them back.

    Variables are written only if they changed, bit for bit, and each replica gets
    its own back. The generators are those of the model, of Keras, of TensorFlow, of
    NumPy and of Python.

    Args:
        model: A Keras model, compiled or not.

    Yields:
        Nothing; whatever happens inside leaves no trace in values.
    """
    with generators_restored():
        before = {id(part): (part, part.numpy()) for part in parts_of(model)}
        try:
            yield
        finally:
            made = any(id(part) not in before for part in parts_of(model))
            if made and getattr(model, "compiled", False):
                model.reset_metrics()  # those that were built meanwhile
            for part, value in before.values():
                # As bytes: NaN is a value too, and negative zero is not zero.
                if part.numpy().tobytes() != value.tobytes():
                    part.assign(value)


def read(parts: Iterable[Any]) -> list[Any]:
    """Returns the values of plain variables as tensors on their devices."""
    # No copies: TensorFlow makes one when a variable is written that was read.
    return [part.read_value() for part in parts]


def write(parts: Iterable[Any], values: Iterable[Any]) -> None:
    """Gives plain variables the values that `read` returned."""
    for part, value in zip(parts, values, strict=True):
        part.assign(value)


def same_bits(one: Any, other: Any) -> bool:
    """Whether two arrays or tensors hold the same bits: NaN is a value too."""
    one, other = np.asarray(one), np.asarray(other)
    return one.shape == other.shape and one.tobytes() == other.tobytes()
