"""Variables of one device that no model knows of."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

Made = TypeVar("Made")


def variable(value: Any, dtype: Any, device: str | None = None) -> Any:
    """Makes a plain variable, also while a train step is being traced.

    Args:
        value: Its first value.
        dtype: Its TensorFlow type.
        device: Where it lives; `None` leaves the choice to TensorFlow.

    Returns:
        A non-trainable `tf.Variable`, known to no model and mirrored nowhere.
    """

    def make() -> Any:
        with tf.device(device):
            return tf.Variable(value, trainable=False, dtype=dtype)

    return _outside_of_scopes(make)


def _outside_of_scopes(make: Callable[[], Made]) -> Made:
    # In a thread of its own no graph, function or distribution scope is in force.
    made: list[Made] = []
    error: list[BaseException] = []

    def run() -> None:
        try:
            made.append(make())
        except BaseException as problem:
            error.append(problem)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if error:
        raise error[0]
    return made[0]
