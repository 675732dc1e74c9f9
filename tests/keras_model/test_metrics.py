"""A metric says itself which way is better; nothing is read from its name."""

import keras

from keras_trainkit.keras_model.metrics import metric_directions
from tests import models


def loss_like_error(y_true, y_pred):
    return keras.ops.mean(y_pred)


def test_directions_are_those_that_metrics_declare():
    model = models.compiled(
        metrics=[
            "accuracy",
            "mae",
            keras.metrics.F1Score(name="error"),
            loss_like_error,
        ]
    )
    found = metric_directions(model)
    assert found["loss"] == "min"
    assert found["accuracy"] == "max"
    assert found["mae"] == "min"
    assert found["error"] == "max"
    assert found["loss_like_error"] is None
