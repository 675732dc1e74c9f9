import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit import optimizers
from keras_trainkit.optimizers.stepper import Stepper
from tests.tolerances import FLOAT64

RULES = [name for name in optimizers.__all__ if name != "UpdateRule"]


@pytest.mark.parametrize("name", RULES)
def test_stepper_moves_as_the_optimizer_does(name):
    start = np.random.default_rng(0).normal(size=(3, 4))
    variable = keras.Variable(start, dtype="float64")
    kwargs = {"learning_rate": 2**-5}
    optimizer = getattr(optimizers, name)(**kwargs)
    stepper = Stepper(getattr(optimizers, name)(**kwargs), [start])
    for _ in range(5):
        optimizer.apply([tf.sin(variable.value)], [variable])
        stepper.step([tf.sin(stepper.values[0])])
    np.testing.assert_allclose(stepper.values[0], variable.numpy(), FLOAT64)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (keras.optimizers.Adam(), "`rule` must be an update rule"),
        (
            optimizers.Adam(beta_1=keras.optimizers.schedules.CosineDecay(0.9, 5)),
            "betas that are numbers",
        ),
    ],
    ids=["keras", "varying"],
)
def test_stepper_refuses_what_it_cannot_step(rule, message):
    with pytest.raises(ValueError, match=message):
        Stepper(rule, [1.0])
