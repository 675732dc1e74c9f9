"""Trains a model and puts everything back, bit for bit."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.keras_model.batches import fixed_batch_size
from keras_trainkit.keras_model.layers import all_layers
from keras_trainkit.keras_model.optimizers import (
    inner_of,
    optimizers_of,
    parts_of_optimizer,
)
from keras_trainkit.keras_model.state import restored


@contextlib.contextmanager
def untouched(model: keras.Model, batch: Any) -> Iterator[Callable[[float], None]]:
    """Gives a setter for the learning rate; on leaving, restores the model.

    Args:
        model: A compiled model.
        batch: What `fit` would hand to a train step; it builds the model and its
            optimizer if they were not built.

    Yields:
        A function that sets the rate of the next training steps, for every
        optimizer of the model.
    """
    _build(model, batch)
    stop_training = model.stop_training
    optimizers = optimizers_of(model)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(restored(model))
            for optimizer in optimizers:
                for part in parts_of_optimizer(optimizer):
                    stack.enter_context(_fresh_again(part))
            inner = [inner_of(optimizer) for optimizer in optimizers]
            yield stack.enter_context(_settable_rates(model, inner))
    finally:
        model.stop_training = stop_training


@contextlib.contextmanager
def _settable_rates(
    model: keras.Model, optimizers: list[Any]
) -> Iterator[Callable[[float], None]]:
    # The public setter would drop the variable or the schedule for good.
    schedules = [optimizer._learning_rate for optimizer in optimizers]
    rates: list[Any] = []
    exchanged = False
    for optimizer, schedule in zip(optimizers, schedules, strict=True):
        if isinstance(schedule, keras.Variable):
            rates.append(schedule)
            continue
        exchanged = True
        rate = keras.Variable(0.0, trainable=False, name="swept_learning_rate")
        optimizer._learning_rate = rate.value.read_value
        rates.append(rate)

    def set_rate(value: float) -> None:
        for rate in rates:
            rate.assign(value)

    if exchanged:
        model.make_train_function(force=True)
    try:
        yield set_rate
    finally:
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            if optimizer._learning_rate is not schedule:
                optimizer._learning_rate = schedule
        if exchanged:
            model.make_train_function(force=True)


@contextlib.contextmanager
def _fresh_again(optimizer: Any) -> Iterator[None]:
    """Gives an optimizer that a train step builds the state it was built with."""
    if optimizer.built:
        yield
        return
    built_with: list[Any] = []
    build = optimizer.build

    def noted(variables: Any) -> None:
        built_with[:] = variables
        build(variables)

    optimizer.__dict__["build"] = noted
    try:
        yield
    finally:
        optimizer.__dict__.pop("build", None)
        if built_with:
            twin = type(optimizer).from_config(optimizer.get_config())
            twin.build(built_with)
            pairs = zip(optimizer.variables, twin.variables, strict=True)
            for variable, fresh in pairs:
                variable.assign(fresh.value)


def _build(model: keras.Model, batch: Any) -> None:
    if not model.built:
        x = keras.utils.unpack_x_y_sample_weight(batch)[0]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what the error says, too
                # A symbolic call makes the weights and draws no random numbers.
                model(keras.tree.map_structure(lambda leaf: _symbol(leaf, model), x))
        except NotImplementedError as error:  # no call(): its train step does it all
            parts = [one for one in all_layers(model) if one is not model]
            unbuilt = [one.name for one in parts if not one.built]
            if unbuilt:
                raise ValueError(
                    "`model` must have its parts built before its rates are swept: "
                    f"call them once. {received('not built', unbuilt)}"
                ) from error
    optimizer = model.optimizer
    # One of several may have only a part of the weights to itself.
    alone = optimizers_of(model) == [optimizer]
    if model.built and alone and not optimizer.built:
        optimizer.build(model.trainable_variables)


def _symbol(leaf: Any, model: Any) -> Any:
    if leaf is None:
        return None
    kind = "string" if leaf.dtype == tf.string else leaf.dtype
    return keras.KerasTensor((fixed_batch_size(model), *leaf.shape[1:]), kind)
