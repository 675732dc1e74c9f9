"""What other callbacks, files and later runs find of an average."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

from keras_trainkit.callbacks import WeightAveraging
from tests import models
from tests.callbacks.averages import Points, assert_close, fit, mean
from tests.tolerances import FLOAT32

# On so little random data either of the two may be the better one.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The average, which the model now"),
]

VALIDATION = models.data(seed=1)


def compiled(build=models.small, **options):
    # Steps so large that every point tells in the average.
    options = {"optimizer": lambda: keras.optimizers.SGD(0.5)} | options
    return models.compiled(build, **options)


class Looks(keras.callbacks.Callback):
    """Keeps what it finds at the end of each epoch."""

    def on_train_begin(self, logs=None):
        self.logs, self.weights = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(dict(logs))
        self.weights.append(models.weights_of(self.model))


@pytest.mark.parametrize("place", ["before", "after"])
def test_others_see_the_logs_and_the_raw_weights(place):
    plain, looks = Looks(), Looks()
    fit(compiled(metrics=["accuracy"]), plain, validation_data=VALIDATION)
    averaging = WeightAveraging("mean", start_epoch=1)
    watchers = [looks, averaging] if place == "before" else [averaging, looks]
    fit(compiled(metrics=["accuracy"]), *watchers, validation_data=VALIDATION)
    for one, other in zip(plain.weights, looks.weights, strict=True):
        assert models.same(one, other)
    for one, other in zip(plain.logs, looks.logs, strict=True):
        assert one == {k: v for k, v in other.items() if k in one}
        assert {"val_averaged_loss", "val_averaged_accuracy"} <= set(other)
    assert looks.logs[0]["val_averaged_loss"] == looks.logs[0]["val_loss"]
    assert looks.logs[1]["val_averaged_loss"] != looks.logs[1]["val_loss"]


def test_logged_value_is_that_of_the_averaged_model():
    averaging = WeightAveraging("mean", start_epoch=0)
    model = compiled(models.functional)
    history = fit(model, averaging, validation_data=VALIDATION).history
    found = model.evaluate(*VALIDATION, batch_size=16, verbose=0)
    assert history["val_averaged_loss"][-1] == found


def test_early_stopping_listens_to_the_average():
    stopping = keras.callbacks.EarlyStopping(
        "val_averaged_loss", mode="min", patience=0, min_delta=9.0
    )
    history = fit(
        compiled(),
        stopping,
        WeightAveraging("exponential"),
        validation_data=VALIDATION,
        epochs=5,
    )
    assert len(history.epoch) == 2


def test_no_validation_logs_nothing():
    history = fit(compiled(), WeightAveraging("exponential")).history
    assert not [name for name in history if "averaged" in name]


def test_validation_of_the_average_can_be_left_out():
    averaging = WeightAveraging("exponential", validate=False)
    model = compiled()
    history = fit(model, averaging, validation_data=VALIDATION).history
    assert set(history) == {"loss", "val_loss"}
    assert averaging.count == 9


def test_validation_comes_as_rarely_as_fit_wants_it():
    history = fit(
        compiled(),
        WeightAveraging("exponential"),
        validation_data=VALIDATION,
        validation_freq=2,
        epochs=4,
    ).history
    assert len(history["val_averaged_loss"]) == len(history["val_loss"]) == 2


def test_a_generator_is_read_once_for_both():
    drawn = []

    def batches():
        while True:
            drawn.append(len(drawn))
            yield VALIDATION

    history = fit(
        compiled(),
        WeightAveraging("exponential"),
        validation_data=batches(),
        validation_steps=1,
        epochs=1,
    ).history
    assert np.isfinite(history["val_averaged_loss"]).all()
    alone = []

    def others():
        while True:
            alone.append(len(alone))
            yield VALIDATION

    fit(compiled(), validation_data=others(), validation_steps=1, epochs=1)
    assert len(drawn) == len(alone)


class Shuffled(keras.utils.PyDataset):
    """Serves for training and for validation, and mixes when an epoch ends."""

    def __init__(self):
        super().__init__()
        self.x, self.y = models.data(32)
        self.order = np.arange(32)
        self.ends = 0

    def __len__(self):
        return 2

    def __getitem__(self, index):
        rows = self.order[16 * index : 16 * index + 16]
        return self.x[rows], self.y[rows]

    def on_epoch_end(self):
        self.ends += 1
        self.order = np.random.default_rng(self.ends).permutation(32)


def test_data_shared_with_training_are_moved_no_further():
    def train(*watchers):
        data, model = Shuffled(), compiled(metrics=["accuracy"])
        history = model.fit(
            data, validation_data=data, epochs=3, verbose=0, callbacks=list(watchers)
        ).history
        return data.ends, models.weights_of(model), history

    ends, weights, plain = train()
    averaging = WeightAveraging("exponential", decay=0.0, at_end="raw")
    watched_ends, watched, history = train(averaging)
    assert watched_ends == ends
    assert models.same(weights, watched)
    assert {name: history[name] for name in plain} == plain
    # Without a past the average is the weights, but for its statistics.
    assert {"val_averaged_loss", "val_averaged_accuracy"} <= set(history)


@pytest.mark.parametrize("place", ["before", "after"])
def test_checkpoint_beside_it_saves_the_raw_weights(tmp_path, place):
    path = tmp_path / "raw.keras"
    saver = keras.callbacks.ModelCheckpoint(path)
    averaging = WeightAveraging("mean", start_epoch=0)
    points, model = Points(), compiled()
    watchers = [saver, averaging] if place == "before" else [averaging, saver]
    fit(model, *watchers, points)
    loaded = keras.models.load_model(path)
    assert models.same(
        [v.numpy() for v in loaded.trainable_variables], points.points[-1]
    )
    assert not [name for name in vars(loaded) if "averaging" in name]
    fit(loaded)


def test_checkpoint_of_its_own_saves_the_averaged_model(tmp_path):
    path = tmp_path / "averaged.keras"
    saver = keras.callbacks.ModelCheckpoint(
        path, monitor="val_averaged_loss", mode="min", save_best_only=True
    )
    averaging = WeightAveraging("mean", start_epoch=0, at_end="raw", checkpoint=saver)
    model = compiled()
    history = fit(model, averaging, validation_data=VALIDATION, epochs=4).history
    loaded = keras.models.load_model(path)
    found = loaded.evaluate(*VALIDATION, batch_size=16, verbose=0)
    assert found == pytest.approx(min(history["val_averaged_loss"]), rel=FLOAT32)


def test_weights_saved_on_the_way_load_into_a_bare_model(tmp_path):
    path = str(tmp_path / "one.weights.h5")
    saver = keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
    points = Points()
    fit(compiled(), saver, WeightAveraging("mean", start_epoch=0), points)
    bare = compiled()
    bare.optimizer.build(bare.trainable_variables)
    bare.load_weights(path)
    assert models.same([v.numpy() for v in bare.trainable_variables], points.points[-1])


def test_model_with_averaged_weights_is_saved_and_loaded(tmp_path):
    points, model = Points(), compiled()
    fit(model, points, WeightAveraging("mean", start_epoch=0))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    weights = [v.numpy() for v in loaded.trainable_variables]
    assert_close(weights, mean(points.points), FLOAT32)
    x, _ = VALIDATION
    np.testing.assert_array_equal(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0)
    )


def test_applied_gives_the_average_and_takes_it_back():
    averaging = WeightAveraging("mean", start_epoch=0, at_end="raw")
    points, model = Points(), compiled()
    fit(model, points, averaging)
    before = models.weights_of(model)
    with averaging.applied():
        inside = [v.numpy() for v in model.trainable_variables]
    assert_close(inside, mean(points.points), FLOAT32)
    assert models.same(before, models.weights_of(model))
    with pytest.raises(ValueError, match="planted"), averaging.applied():
        raise ValueError("planted")
    assert models.same(before, models.weights_of(model))


class Stops(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("place", "every", "start_epoch"),
    [
        ("before", "epoch", 0),
        ("after", 2, 1),
        ("before", 2, 0),
        ("before", "epoch", 1),
        ("after", "epoch", 0),
    ],
)
def test_backup_goes_on_with_the_same_average(tmp_path, place, every, start_epoch):
    def run(*watchers, backup):
        averaging = WeightAveraging(
            "mean", start_epoch=start_epoch, every=every, at_end="raw"
        )
        watchers = (
            [backup, averaging, *watchers]
            if place == "before"
            else [averaging, backup, *watchers]
        )
        model = compiled(optimizer="adam")
        # The order of a shuffled run is not in the backup.
        fit(model, *watchers, epochs=4, shuffle=False)
        return model, averaging

    def backup(name):
        return keras.callbacks.BackupAndRestore(tmp_path / name)

    whole, expected = run(backup=backup("whole"))
    with pytest.raises(KeyboardInterrupt):
        run(Stops(), backup=backup("broken"))
    model, averaging = run(backup=backup("broken"))
    assert models.same(models.weights_of(whole), models.weights_of(model))
    assert averaging.count == expected.count
    assert models.same(averaging.weights, expected.weights)


def continued(directory, *watchers):
    """The average of a run that goes on from its backup, if there is one."""
    averaging = WeightAveraging("exponential", decay=0.75, at_end="raw")
    backup = keras.callbacks.BackupAndRestore(directory)
    model = compiled(optimizer="adam")
    fit(model, backup, averaging, *watchers, epochs=4, shuffle=False)
    return [weight.tobytes().hex() for weight in averaging.weights]


def test_killed_process_goes_on_with_the_same_average(tmp_path):
    script = textwrap.dedent(
        """
        import json, os, signal, sys
        import keras
        from tests.callbacks.test_weight_averaging_beside_others import continued

        directory, kill = sys.argv[1], sys.argv[2] == "kill"

        class Killed(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if kill and epoch == 2:
                    os.kill(os.getpid(), signal.SIGKILL)

        print(json.dumps(continued(directory, Killed())))
        """
    )

    def run(what):
        return subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "broken"), what],
            capture_output=True,
            text=True,
            cwd=os.getcwd(),
            check=False,
        )

    killed = run("kill")
    resumed = run("go")
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    assert json.loads(resumed.stdout) == continued(tmp_path / "whole")


def test_backup_of_a_run_without_an_average_starts_one(tmp_path):
    backup = keras.callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fit(compiled(), backup, Stops(), epochs=4)
    averaging, points = WeightAveraging("mean", start_epoch=0), Points()
    fit(compiled(), backup, averaging, points, epochs=4)
    assert averaging.count == 6
    assert_close(averaging.weights, mean(points.points), FLOAT32)
