import keras
import pytest

from keras_trainkit import search

from ..conftest import run

UNITS = list(range(2, 10))


class Subclassed(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.inner = keras.layers.Dense(units, "tanh")
        self.head = keras.layers.Dense(1, "sigmoid")

    def call(self, x):
        return self.head(self.inner(x))


def functional(hp):
    x = keras.Input((2,))
    units = hp.Choice("units", UNITS)
    model = keras.Model(x, keras.layers.Dense(1)(keras.layers.Dense(units)(x)))
    model.compile("adam", "mse", run_eagerly=True)
    return model


def unbuilt(hp):
    units = hp.Choice("units", UNITS)
    model = keras.Sequential([keras.layers.Dense(units), keras.layers.Dense(1)])
    model.compile("adam", "mse", run_eagerly=True)
    return model


def subclassed(hp):
    model = Subclassed(hp.Choice("units", UNITS))
    model.compile("adam", "mse", run_eagerly=True)
    return model


@pytest.mark.parametrize(
    "hypermodel",
    [
        pytest.param(functional, marks=pytest.mark.slow),
        unbuilt,
        pytest.param(subclassed, marks=pytest.mark.slow),
    ],
)
def test_promotion_keeps_weights_and_optimizer_and_spends_the_epochs_of_its_round(
    hypermodel, tmp_path, data
):
    begun = {}

    class Watched(search.Hyperband):
        def on_epoch_begin(self, trial, model, epoch, logs=None):
            begun.setdefault(trial.trial_id, (epoch, int(model.optimizer.iterations)))

    tuner = Watched(
        hypermodel, "val_loss", 3, 3, seed=0, directory=tmp_path, project_name="p"
    )
    frame = run(tuner, data)
    assert len(frame) == tuner.oracle.count_trials()
    epochs = frame["tuner/epochs"] - frame["tuner/initial_epoch"]
    assert [len(history["loss"]) for history in frame.history] == epochs.tolist()
    promoted = frame[frame["tuner/round"] > 0]
    assert len(promoted)
    for trial in promoted.trial:
        # 36 examples are two batches: two updates an epoch.
        assert begun[trial] == (1, 2)
    best = tuner.get_best_models()[0]
    x, y = data
    again = best.evaluate(x[36:], y[36:], verbose=0)
    assert again == pytest.approx(frame.score.min(), rel=1e-5)
    assert int(best.optimizer.iterations) > 0
