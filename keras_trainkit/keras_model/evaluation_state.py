"""What an evaluation of a few examples may move outside a model's own variables."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.keras_model.example_statistics import single_loss
from keras_trainkit.keras_model.generators import generators_restored
from keras_trainkit.keras_model.state import parts_of, read, write
from keras_trainkit.keras_model.train_function import written_by


def moved_by_evaluation(model: Any, x: Any, y: Any) -> list[Any]:
    """Returns every variable that a prediction and its loss can write.

    They are what a trace of both captures, whoever holds it: a `tf.Variable` of a
    loss or a layer, the state of a `tf.random.Generator`. The variables that Keras
    lists are not among them: `example_statistics` never writes those. If the model
    cannot be traced, they are all that can be reached from it.

    Args:
        model: A compiled Keras model.
        x: Inputs, a few examples.
        y: Their targets.

    Returns:
        Objects with `read_value` and `assign`.
    """
    loss = single_loss(model)
    call = getattr(loss, "call", loss)
    scope = keras.StatelessScope([(v, v.value) for v in model.variables])

    def evaluated(x: Any, y: Any) -> Any:
        with scope:
            predicted = model(x, training=False)
            if callable(call):
                call(y, keras.ops.cast(predicted, y.dtype))

    try:
        with generators_restored():
            x = keras.tree.map_structure(keras.ops.array, x)
            y = keras.ops.array(
                y, getattr(loss, "dtype", None) or keras.config.floatx()
            )
            return written_by(tf.function(evaluated).get_concrete_function(x, y))
    except Exception:  # of any kind: it may be able to run eagerly only
        return parts_of(model)


@contextlib.contextmanager
def unmoved(variables: Sequence[Any]) -> Iterator[None]:
    """Puts variables, and all random generators, back bit for bit.

    Args:
        variables: As `moved_by_evaluation` returns them.

    Yields:
        Nothing.
    """
    with generators_restored():
        before = read(variables)
        try:
            yield
        finally:
            write(variables, before)
