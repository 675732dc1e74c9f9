"""Batches of training inputs, given by the user or kept from the run."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.keras_model.batches import Batches
from keras_trainkit.train_step.captured_examples import CapturedExamples
from keras_trainkit.train_step.device_variable import variable

# Keras' own, where `fit` is given arrays.
_BATCH = 32
_EXAMPLES = 2048


class KeptExamples:
    """The first examples that a run trains on, kept on the device."""

    def __init__(self) -> None:
        self._examples = CapturedExamples(_EXAMPLES)
        self._batch = variable(0, tf.int64)

    def keep(self, data: Any) -> None:
        """Keeps the examples of a step until there are enough; traced into it."""
        if self._examples.keep(data):
            size = tf.shape(tf.nest.flatten(data)[0])[0]
            size = tf.maximum(self._batch.read_value(), tf.cast(size, tf.int64))
            self._batch.assign(size)

    def batches(
        self, batch_size: int | None, limit: int | None
    ) -> Iterator[Any] | None:
        """Returns the inputs in batches like those of training.

        `None` if the data could not be kept: ragged, sparse, text, unknown shapes.
        """
        data = self._examples.value()
        if data is None:
            return None
        size = batch_size or max(int(self._batch.numpy()), 1)
        x = keras.utils.unpack_x_y_sample_weight(data)[0]
        return _inputs(Batches(x), size, None, limit)


def check_train_data(data: Any) -> Any:
    """Returns `train_data` if batches can be read from it again and again."""
    iterable = hasattr(data, "__iter__") or isinstance(data, keras.utils.PyDataset)
    # A list could be batches as well as parts of one.
    refused = isinstance(data, list) or hasattr(data, "__next__") or not iterable
    if data is not None and refused:
        raise ValueError(
            "`train_data` must be None, an array or dict `x`, a tuple `(x, y)` of "
            "such, or batches that can be read more than once, as a dataset. "
            + received("train_data", type(data).__name__)
        )
    return data


def batches_of(data: Any, batch_size: int | None, limit: int | None) -> Iterator[Any]:
    """Returns the inputs of training data, batch by batch.

    Args:
        data: Arrays `x` or `(x, y)`, which are mixed in a fixed order and cut into
            full batches, or an iterable of batches, which are taken as they come.
        batch_size: Examples in a batch of arrays, `None` for 32.
        limit: Most batches to give, `None` for all.
    """
    x = data[0] if isinstance(data, tuple) else data
    return _inputs(Batches(x, name="train_data"), batch_size or _BATCH, 0, limit)


def _inputs(
    batches: Batches, size: int, seed: int | None, limit: int | None
) -> Iterator[Any]:
    # A last batch that is not full would count like a full one.
    for x, _, _ in islice(batches.each(size, seed, full=True), limit):
        yield tf.nest.map_structure(tf.convert_to_tensor, x)
