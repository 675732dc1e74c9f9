"""Trains a model and puts everything back, bit for bit."""

import contextlib
from collections.abc import Callable, Iterator

import keras

from keras_trainkit.keras_model.optimizers import inner_optimizer
from keras_trainkit.keras_model.state import restored


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
    stop_training = model.stop_training
    try:
        with restored(model), _settable_rate(model) as set_rate:
            yield set_rate
    finally:
        model.stop_training = stop_training


@contextlib.contextmanager
def _settable_rate(model: keras.Model) -> Iterator[Callable[[float], None]]:
    optimizer = inner_optimizer(model)
    # The public setter would drop the variable or the schedule for good.
    schedule = optimizer._learning_rate
    if isinstance(schedule, keras.Variable):
        yield schedule.assign
        return
    rate = keras.Variable(0.0, trainable=False, name="swept_learning_rate")
    optimizer._learning_rate = rate.value.read_value
    model.make_train_function(force=True)
    try:
        yield rate.assign
    finally:
        optimizer._learning_rate = schedule
        model.make_train_function(force=True)


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
