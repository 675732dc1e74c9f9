"""Training data of every form come in batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.averaging.examples import batches_of
from keras_trainkit.callbacks import WeightAveraging
from tests import models
from tests.callbacks.averages import fit
from tests.models import compiled

X, Y = models.data()


class Sequence(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X[16 * index : 16 * index + 16], Y[16 * index : 16 * index + 16]


DATASET = tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)


@pytest.mark.parametrize(
    "data", [X, (X, Y), (X,), tf.constant(X)], ids=["x", "pair", "one", "tensor"]
)
def test_arrays_are_mixed_and_cut_into_full_batches(data):
    found = [batch.numpy() for batch in batches_of(data, 20, None)]
    assert [len(batch) for batch in found] == [20, 20]
    assert not np.array_equal(found[0], X[:20])
    rows = {row.tobytes() for batch in found for row in batch}
    assert rows <= {row.tobytes() for row in X}
    assert len(rows) == 40


def test_few_examples_make_one_batch():
    assert [len(batch) for batch in batches_of(X[:5], None, None)] == [5]


@pytest.mark.parametrize(
    "data",
    [DATASET, Sequence(), DATASET.map(lambda x, y: x)],
    ids=["dataset", "sequence", "inputs"],
)
def test_batches_are_taken_as_they_come(data):
    found = [np.asarray(batch) for batch in batches_of(data, None, 2)]
    assert np.array_equal(np.concatenate(found), X[:32])


def test_named_inputs_keep_their_names():
    (batch,) = batches_of({"left": X, "right": -X}, 48, None)
    assert np.array_equal(batch["left"], -batch["right"])


def test_examples_are_kept_from_the_run_where_none_are_given():
    averaging = WeightAveraging("mean", start_epoch=0)
    fit(compiled(optimizer="sgd"), averaging)
    found = [np.asarray(b) for b in averaging._examples.batches(None, None)]
    assert [len(batch) for batch in found] == [16] * 9
    rows = {row.tobytes() for batch in found for row in batch}
    assert rows == {row.tobytes() for row in X}


def test_data_that_cannot_be_kept_are_asked_for():
    def build():
        inputs = keras.Input((), dtype="string")
        hidden = keras.layers.Lambda(
            lambda text: tf.strings.to_hash_bucket(text, 5), output_shape=()
        )(inputs)
        hidden = keras.layers.BatchNormalization()(keras.layers.Embedding(5, 4)(hidden))
        return keras.Model(inputs, keras.layers.Dense(3, "softmax")(hidden))

    text = tf.data.Dataset.from_tensor_slices(
        (tf.strings.as_string(tf.range(48)), Y)
    ).batch(16)
    model = compiled(build, optimizer="sgd")
    with pytest.warns(UserWarning, match="pass `train_data`"):
        model.fit(
            text, shuffle=False, verbose=0, callbacks=[WeightAveraging("exponential")]
        )
    model.fit(
        text,
        shuffle=False,
        verbose=0,
        callbacks=[WeightAveraging("exponential", train_data=text)],
    )
