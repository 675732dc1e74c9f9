import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit import callbacks
from keras_trainkit.train_step.captured_examples import CapturedExamples
from tests import models


@pytest.mark.parametrize("compiled", [False, True])
def test_first_examples_are_kept_until_there_are_enough(compiled):
    examples = CapturedExamples(10)
    x = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
    y = np.arange(16)

    def keep(x, y):
        assert examples.keep({"x": x, "y": y})

    step = tf.function(keep, reduce_retracing=True) if compiled else keep
    assert examples.value() is None
    assert not examples.are_enough()
    step(tf.constant(x[:4]), tf.constant(y[:4]))
    assert not examples.are_enough()
    np.testing.assert_array_equal(examples.value()["x"], x[:4])
    for start in (4, 8, 12):
        batch = slice(start, start + 4)
        step(tf.constant(x[batch]), tf.constant(y[batch]))
    assert examples.are_enough()
    kept = examples.value()
    np.testing.assert_array_equal(kept["x"], x[:10])
    np.testing.assert_array_equal(kept["y"], y[:10])


@pytest.mark.parametrize(
    "data",
    [
        (tf.constant(["text"]),),
        (tf.ragged.constant([[1.0], [2.0, 3.0]]),),
        (tf.sparse.eye(3),),
        (tf.constant(1.0),),
    ],
    ids=["text", "ragged", "sparse", "scalar"],
)
def test_data_that_cannot_be_kept_is_said_to_be(data):
    examples = CapturedExamples(10)
    assert not examples.keep(data)
    assert examples.value() is None
    assert not examples.are_enough()


def test_step_made_after_enough_examples_keeps_none(monkeypatch):
    made = []
    keep = CapturedExamples.keep
    monkeypatch.setattr(
        CapturedExamples, "keep", lambda *given: made.append(0) or keep(*given)
    )
    x, y = models.data(examples=480)
    traces = {}
    for examples in (8, 10_000):
        made.clear()
        model = models.small()
        model.compile("sgd", models.CROSSENTROPY)
        # The first call reads, and sees 8; the second does not, and has its own trace.
        monitor = callbacks.TrainingMonitor(every=3, examples=examples)
        model.fit(x, y, batch_size=8, verbose=0, callbacks=[monitor])
        traces[examples] = len(made)
    assert traces[8] == traces[10_000] - 1
