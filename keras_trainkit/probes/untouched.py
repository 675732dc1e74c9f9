"""Trains a model and puts everything back, bit for bit."""

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

# Keras keeps the generator behind `seed=None` in its global state and offers no
# public way to read it.
from keras.src.backend.common import global_state


@contextlib.contextmanager
def untouched(model: keras.Model, batch: tuple) -> Iterator[Callable[[float], None]]:
    """Gives a setter for the learning rate; on leaving, restores the model.

    Args:
        model: A compiled model.
        batch: What builds the model and its optimizer if they were not built.

    Yields:
        A function that sets the rate of the next training steps.
    """
    _build(model, batch)
    state = _host_random_state()
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    variables = _variables(model)
    values = [variable.numpy() for variable in variables]
    stop_training = model.stop_training
    # The public setter would drop the variable or the schedule for good.
    schedule = optimizer._learning_rate
    is_variable = isinstance(schedule, keras.Variable)
    if is_variable:
        rate = schedule
    else:
        rate = keras.Variable(0.0, trainable=False, name="swept_learning_rate")
        optimizer._learning_rate = rate.value.read_value
        model.make_train_function(force=True)
    known = {id(variable) for variable in variables}
    try:
        yield rate.assign
    finally:
        if not is_variable:
            optimizer._learning_rate = schedule
            model.make_train_function(force=True)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        if any(id(variable) not in known for variable in _variables(model)):
            model.reset_metrics()  # metrics that were built by the first batch
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        model.stop_training = stop_training
        _restore_host_random_state(state)


def _build(model: keras.Model, batch: tuple) -> None:
    if not model.built:
        # A symbolic call makes the weights and draws no random numbers.
        model(
            keras.tree.map_structure(
                lambda array: keras.KerasTensor((None, *array.shape[1:]), array.dtype),
                batch[0],
            )
        )
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def _variables(model: keras.Model) -> list[Any]:
    """Returns all variables of model, optimizer and metrics, each once."""
    optimizer = model.optimizer
    inner = getattr(optimizer, "inner_optimizer", None)
    every = [
        *model.variables,
        *model.metrics_variables,
        *optimizer.variables,
        *(inner.variables if inner is not None else []),
    ]
    unique = {id(variable): variable for variable in every}
    generator = global_state.get_global_attribute("global_seed_generator")
    if generator is not None:
        unique[id(generator.state)] = generator.state
    return list(unique.values())


def _host_random_state() -> tuple:
    return random.getstate(), np.random.get_state()


def _restore_host_random_state(state: tuple) -> None:
    random.setstate(state[0])
    np.random.set_state(state[1])
