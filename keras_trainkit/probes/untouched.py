"""Trains a model and puts everything back, bit for bit."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_trainkit.arguments import received
from keras_trainkit.keras_model.calls import replaced_method
from keras_trainkit.keras_model.layers import all_layers
from keras_trainkit.keras_model.optimizers import (
    inner_of,
    optimizers_of,
    parts_of_optimizer,
    step_counter,
)
from keras_trainkit.keras_model.replicas import components
from keras_trainkit.keras_model.state import restored
from keras_trainkit.problems.of_model import build_layers


@contextlib.contextmanager
def untouched(model: keras.Model, batch: Any) -> Iterator[Callable[[float], None]]:
    """Gives a setter for the learning rate; on leaving, restores the model.

    Args:
        model: A compiled model.
        batch: What `fit` would hand to a train step; it builds the model if it was
            not built. Optimizers that were not stay so, where a copy of them can
            take their place.

    Yields:
        A function that sets the rate of the next training steps, for every
        optimizer of the model.
    """
    stop_training = model.stop_training
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_fresh_ones_replaced(model))
            _build(model, batch)
            optimizers = optimizers_of(model)
            stack.enter_context(restored(model))
            _build_metrics(model, batch)
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
def _fresh_ones_replaced(model: keras.Model) -> Iterator[None]:
    """Puts copies in the place of the model's optimizers that are not built.

    Built, they would be bound to the weights that are trainable now.
    """
    fresh = {
        name: value
        for name, value in vars(model).items()
        if isinstance(value, keras.optimizers.Optimizer) and not value.built
    }
    copies = {id(one): _copy_of(one, model) for one in fresh.values()}
    fresh = {name: one for name, one in fresh.items() if copies[id(one)] is not None}
    for name, optimizer in fresh.items():
        setattr(model, name, copies[id(optimizer)])
    try:
        yield
    finally:
        for name, optimizer in fresh.items():
            setattr(model, name, optimizer)
        if fresh:
            model.make_train_function(force=True)


def _copy_of(optimizer: Any, model: keras.Model) -> Any:
    """The same optimizer once more, `None` if its configuration does not make it.

    Schedules are left out: the rate is to be set anyway, and not all have a
    configuration.
    """
    parts = [inner_of(one) for one in parts_of_optimizer(optimizer)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(model.distribute_strategy.scope())
        for part in parts:
            schedule = part._learning_rate
            if not isinstance(schedule, keras.Variable):
                # Past the setter, which would take the variable up for good.
                own = vars(part)
                stack.callback(own.__setitem__, "_learning_rate", schedule)
                own["_learning_rate"] = keras.Variable(0.0, trainable=False)
        try:
            twin = type(optimizer).from_config(optimizer.get_config())
        except Exception:  # of any kind: a class without a configuration, say
            return None
        before = components(step_counter(optimizer), model)[0]
        step_counter(twin).assign(before.numpy())
    return twin


@contextlib.contextmanager
def _fresh_again(optimizer: Any) -> Iterator[None]:
    """Gives an optimizer that a train step builds the state it was built with."""
    if optimizer.built:
        yield
        return
    built_with: list[Any] = []

    def noting(build: Any) -> Any:
        def noted(variables: Any) -> None:
            built_with[:] = variables
            build(variables)

        return noted

    try:
        with replaced_method(optimizer, "build", noting):
            yield
    finally:
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
                build_layers(model, x)
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
        with model.distribute_strategy.scope():
            optimizer.build(model.trainable_variables)


def _build_metrics(model: keras.Model, batch: Any) -> None:
    """Has Keras make the metrics of mirrored models, as it does before it trains.

    Within a step of a replica they cannot be made.
    """
    if model.distribute_strategy.num_replicas_in_sync == 1:
        return
    function = model.test_function
    try:
        model.test_on_batch(*keras.utils.unpack_x_y_sample_weight(batch))
    finally:
        model.test_function = function
