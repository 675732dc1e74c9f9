"""Hyperparameters that are a number, or a schedule over the updates."""

from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.arguments import check_number


def check_hyperparameter(
    name: str,
    value: Any,
    minimum: float | None = None,
    maximum: float | None = None,
    **limits: bool,
) -> Any:
    """Returns a schedule or callable as it is, anything else as a checked float.

    Args:
        name: The argument's name, for the error.
        value: What the user passed.
        minimum: Lower end of the allowed range, `None` for no limit.
        maximum: Upper end of the allowed range, `None` for no limit.
        **limits: `open_minimum` and `open_maximum` of `check_number`.

    Raises:
        ValueError: If `value` is neither callable nor a number in range.
    """
    if callable(value):
        return value
    return check_number(name, value, minimum, maximum, **limits)


def value_at(hyperparameter: Any, step: Any) -> Any:
    """Returns a constant as a `float`, a schedule's value as a float64 scalar.

    Args:
        hyperparameter: A number, a schedule called with the number of updates
            made so far, or another callable, called without arguments as Keras
            does with a learning rate.
        step: Updates made so far, an integer scalar.
    """
    if isinstance(hyperparameter, keras.optimizers.schedules.LearningRateSchedule):
        return tf.cast(hyperparameter(step), tf.float64)
    if callable(hyperparameter):
        return tf.cast(hyperparameter(), tf.float64)
    return hyperparameter


def serialized(hyperparameter: Any) -> Any:
    """Returns what `get_config` stores: the number, or the schedule's config."""
    if callable(hyperparameter):
        return keras.saving.serialize_keras_object(hyperparameter)
    return hyperparameter


def deserialized(value: Any, custom_objects: Any = None) -> Any:
    """Returns the hyperparameter that `serialized` stored."""
    if isinstance(value, dict):
        return keras.saving.deserialize_keras_object(
            value, custom_objects=custom_objects
        )
    return value
