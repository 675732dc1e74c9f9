import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_trainkit.keras_model.batches import take_batch

X, Y = np.arange(20.0).reshape(10, 2), np.arange(10)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return X[5 * index : 5 * index + 5], Y[5 * index : 5 * index + 5]


SOURCES = {
    "arrays": (X, Y),
    "lists": (X.tolist(), Y.tolist()),
    "tensors": (tf.constant(X), tf.constant(Y)),
    "frame": (pd.DataFrame(X), pd.Series(Y)),
    "dataset": (tf.data.Dataset.from_tensor_slices((X, Y)).batch(10), None),
    "keras dataset": (Batches(), None),
    "generator": (iter([(X, Y)]), None),
}


@pytest.mark.parametrize("kind", SOURCES, ids=str)
def test_take_batch_reads_what_fit_reads(kind):
    x, y, weight = take_batch(*SOURCES[kind], examples=4, seed=0)
    assert x.shape == (4, 2)
    assert np.array_equal(x[:, 0], 2 * y)
    assert weight is None


def test_take_batch_draws_the_same_rows_of_every_array():
    x, y, weight = take_batch({"a": X, "b": -X}, Y, Y / 2, examples=3, seed=1)
    assert np.array_equal(x["a"], -x["b"])
    assert np.array_equal(y / 2, weight)
    assert sorted(set(y)) == y.tolist()


def test_take_batch_refuses_unequal_rows():
    with pytest.raises(ValueError, match="same number of rows"):
        take_batch(X, Y[:-1], examples=3, seed=0)
