import random

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.preflight.restored import restored
from tests.preflight.models import classifier, digits


def test_restored_puts_everything_back_after_training_and_errors():
    x, y = digits(100)
    model = classifier()
    model.fit(x, y, verbose=0)
    variables = [*model.variables, *model.optimizer.variables]
    before = [v.numpy().tobytes() for v in variables]
    states = random.getstate(), np.random.get_state()[1].tobytes()
    generator = tf.random.get_global_generator().state.numpy()
    try:
        with restored(model):
            model.fit(x, y, verbose=0)
            random.random()
            np.random.rand()
            tf.random.get_global_generator().normal([1])
            assert [v.numpy().tobytes() for v in variables] != before
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert [v.numpy().tobytes() for v in variables] == before
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tobytes() == states[1]
    assert np.array_equal(tf.random.get_global_generator().state.numpy(), generator)


def test_restored_keeps_nan_and_negative_zero():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    kernel = model.layers[0].kernel
    kernel.assign([[float("nan"), -0.0]])
    before = kernel.numpy().tobytes()
    with restored(model):
        kernel.assign([[1.0, 0.0]])
    assert kernel.numpy().tobytes() == before
