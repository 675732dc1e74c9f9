"""The row-reading embedding is the Keras layer in all but its cost."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_trainkit as tk
from tests.tolerances import FLOAT32

IDS = np.array([[1, 4, 4], [0, -1, 2]])


def pair(**arguments):
    ours = tk.layers.Embedding(5, 3, **arguments)
    theirs = keras.layers.Embedding(5, 3, **arguments)
    ours.build()
    theirs.build()
    theirs.set_weights(ours.get_weights())
    return ours, theirs


@pytest.mark.parametrize(
    "arguments", [{}, {"mask_zero": True}, {"dtype": "mixed_float16"}, {"lora_rank": 2}]
)
@pytest.mark.parametrize("kind", ["int32", "int64", "float32"])
def test_embedding_equals_keras(arguments, kind):
    ours, theirs = pair(**arguments)
    ids = tf.constant(IDS, kind)
    found, expected = ours(ids), theirs(ids)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_embedding_has_a_sparse_gradient_and_no_dense_read():
    layer, _ = pair()

    @tf.function
    def gradient(ids):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(ids))
        return tape.gradient(loss, layer.embeddings.value)

    assert isinstance(gradient(tf.constant(IDS)), tf.IndexedSlices)
    graph = gradient.get_concrete_function(tf.constant(IDS)).graph
    assert "ReadVariableOp" not in {op.type for op in graph.get_operations()}


def test_embedding_works_statelessly():
    layer, _ = pair()
    table = np.arange(15.0, dtype="float32").reshape(5, 3)
    values, _ = layer.stateless_call([tf.constant(table)], [], tf.constant([2]))
    np.testing.assert_array_equal(values.numpy(), table[[2]])


def test_embedding_survives_saving(tmp_path):
    model = keras.Sequential(
        [keras.Input((3,), dtype="int32"), tk.layers.Embedding(5, 3)]
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[0]) is tk.layers.Embedding
    ids = np.array([[1, 4, 4]])
    np.testing.assert_allclose(
        loaded.predict(ids, verbose=0), model.predict(ids, verbose=0), rtol=FLOAT32
    )
