"""All that a model holds and that training may change, and how it is put back."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import keras

from keras_trainkit.keras_model.generators import (
    generators_restored,
    global_seed_variable,
    own_generators_restored,
)
from keras_trainkit.keras_model.reach import GENERATORS, VARIABLES, reached
from keras_trainkit.keras_model.replicas import components
from keras_trainkit.keras_model.touched import TouchedVariables, touched_variables


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
def kept(model: Any) -> Iterator[TouchedVariables]:
    """Remembers on the device what a model holds and what is used; puts it back.

    Besides what can be reached from the model, that is every variable that is used
    inside, whoever holds it. Nothing is computed with the values, and each replica
    gets its own back.

    Args:
        model: A built model; or a layer or a function, without replicas.

    Yields:
        What is put back, to take up what functions may write that were traced
        before.
    """
    with touched_variables(on_device=True) as touched, _put_back(model, touched):
        yield touched


@contextlib.contextmanager
def restored(model: Any) -> Iterator[TouchedVariables]:
    """As `kept`, on the host, and puts all random generators back.

    Variables are written only if they changed. The generators are those of the model,
    of Keras, of TensorFlow, of NumPy and of Python.

    Args:
        model: A Keras model, compiled or not.

    Yields:
        As `kept`.
    """
    with (
        generators_restored(),
        touched_variables() as touched,
        _put_back(model, touched),
    ):
        yield touched


@contextlib.contextmanager
def _put_back(model: Any, touched: TouchedVariables) -> Iterator[None]:
    before = parts_of(model)
    known = {id(part) for part in before}
    touched.take(before)
    held = [one for one in reached(model) if isinstance(one, GENERATORS)]
    try:
        with own_generators_restored(held):
            yield
    finally:
        # What was made meanwhile starts as it would have: metrics from zero.
        made = any(id(part) not in known for part in parts_of(model))
        if made and getattr(model, "compiled", False):
            model.reset_metrics()
        touched.put_back()


def read(parts: Iterable[Any]) -> list[Any]:
    """Returns the values of plain variables as tensors on their devices."""
    # No copies: TensorFlow makes one when a variable is written that was read.
    return [part.read_value() for part in parts]


def write(parts: Iterable[Any], values: Iterable[Any]) -> None:
    """Gives plain variables the values that `read` returned."""
    for part, value in zip(parts, values, strict=True):
        part.assign(value)
