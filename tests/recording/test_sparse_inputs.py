"""Inputs that are no plain tensors: sparse matrices and rows of unequal length."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.callbacks import ExamplesMonitor, TrainingMonitor

layers = keras.layers
scipy_sparse = pytest.importorskip("scipy.sparse")


def sparse():
    random = np.random.default_rng(0)
    x = random.normal(size=(48, 8)).astype("float32")
    model = [keras.Input((8,)), layers.Dense(5, "relu"), layers.Dense(3, "softmax")]
    return scipy_sparse.csr_matrix(x * (x > 1)), model


def ragged():
    random = np.random.default_rng(0)
    rows = [random.integers(0, 9, size=1 + i % 4).tolist() for i in range(48)]
    sums = layers.Lambda(lambda x: tf.reduce_sum(x, axis=1), output_shape=(4,))
    embedded = layers.Lambda(lambda x: x.to_tensor(), output_shape=(None,))
    model = [
        keras.Input((None,), dtype="int32", ragged=True),
        embedded,
        layers.Embedding(9, 4),
        sums,
        layers.Dense(3, "softmax"),
    ]
    return tf.ragged.constant(rows), model


@pytest.mark.parametrize("kind", [sparse, pytest.param(ragged, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:The gap between training and validation")
@pytest.mark.filterwarnings("ignore:Converting sparse IndexedSlices")
def test_inputs_that_are_no_plain_tensors_are_watched(kind):
    y = np.arange(48) % 3

    def trained(*callbacks):
        keras.utils.set_random_seed(1)
        x, parts = kind()
        model = keras.Sequential(parts)
        model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
        if kind is ragged:
            data = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
            model.fit(data, shuffle=False, verbose=0, callbacks=callbacks)
        else:
            model.fit(x, y, 8, shuffle=False, verbose=0, callbacks=callbacks)
        return model.get_weights()

    monitor = TrainingMonitor(every=1, histograms=True)
    watched = trained(monitor, ExamplesMonitor())
    for one, other in zip(watched, trained(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(monitor.record.to_frame(measure="loss")) >= 6
