"""What every monitor promises; newcomers join through `__all__`."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit import callbacks
from keras_trainkit.callbacks.monitor import Monitor
from keras_trainkit.record.training_record import TrainingRecord
from tests import models

SLOW = pytest.mark.slow
PUBLIC = [getattr(callbacks, name) for name in callbacks.__all__]
MONITORS = [callback for callback in PUBLIC if issubclass(callback, Monitor)]
# What needs but one of them quickly takes the one that measures most.
ONE_QUICK = [
    pytest.param(kind, marks=() if kind is callbacks.TrainingMonitor else SLOW)
    for kind in MONITORS
]


@pytest.fixture(params=MONITORS, ids=lambda kind: kind.__name__)
def monitor(request):
    return request.param()


def compiled(**options):
    keras.utils.set_random_seed(0)
    model = models.small()
    options = {"optimizer": "sgd", "loss": models.CROSSENTROPY} | options
    model.compile(**options)
    return model


def fit(model, *watchers, **options):
    x, y = models.data()
    options = {"batch_size": 16, "epochs": 2, "verbose": 0} | options
    return model.fit(x, y, callbacks=list(watchers), **options)


def assert_clean(model):
    assert not {"train_step", "make_train_function"} & set(vars(model))
    assert "Shared" not in type(model.train_function).__name__
    for layer in model.layers:
        assert "call" not in vars(layer)
    assert "apply" not in vars(model.optimizer)


@pytest.mark.parametrize("kind", ONE_QUICK, ids=lambda kind: kind.__name__)
def test_monitor_leaves_the_model_clean_and_goes_on_in_a_second_fit(kind):
    model, monitor = compiled(), kind()
    fit(model, monitor, epochs=2)
    assert_clean(model)
    first = monitor.record
    assert "epoch_loss" in first.measures
    assert first.metadata["status"] == "finished"
    fit(model, monitor, epochs=1)
    fit(model, monitor, epochs=4, initial_epoch=3)
    assert_clean(model)
    assert monitor.record is first
    steps, epochs, _ = first.values("loss")
    assert steps.tolist() == list(range(12))
    assert epochs.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert first.values("epoch_loss")[1].tolist() == [0, 1, 2, 3]
    assert [(begun.step, begun.epoch) for begun in first.fits] == [
        (0, 0),
        (6, 2),
        (9, 3),
    ]
    assert first.metadata["status"] == "finished"


@pytest.mark.parametrize("kind", ONE_QUICK, ids=lambda kind: kind.__name__)
def test_record_begins_anew_with_another_model(kind):
    monitor = kind()
    fit(compiled(), monitor, epochs=2)
    first = monitor.record
    fit(compiled(), monitor, epochs=1)
    assert monitor.record is not first
    assert monitor.record.to_frame().epoch.max() == 0
    assert first.to_frame().epoch.max() == 1


@pytest.mark.parametrize("kind", ONE_QUICK, ids=lambda kind: kind.__name__)
def test_monitor_works_on_one_batch_and_renamed_metrics(kind):
    monitor = kind()
    metric = keras.metrics.SparseCategoricalAccuracy(name="hits per try")
    fit(compiled(metrics=[metric]), monitor, batch_size=48, epochs=1)
    assert "hits per try" in monitor.record.measures


def test_monitor_has_no_batch_hooks(monitor):
    for name in ("on_train_batch_begin", "on_train_batch_end", "on_batch_end"):
        assert getattr(type(monitor), name) is getattr(keras.callbacks.Callback, name)


def test_record_before_training_is_a_clear_error(monitor):
    with pytest.raises(RuntimeError, match="exists once `fit` has begun"):
        monitor.record  # noqa: B018


class Fails(keras.callbacks.Callback):
    def __init__(self, error, hook):
        super().__init__()
        self.error = error
        setattr(self, hook, self.fail)

    def fail(self, epoch, logs=None):
        if epoch == 1:
            raise self.error


@pytest.mark.parametrize(
    "error",
    [pytest.param(ValueError("planted"), marks=SLOW), KeyboardInterrupt()],
    ids=["ValueError", "KeyboardInterrupt"],
)
def test_fit_that_fails_between_steps_is_cleared_by_the_next_use(error):
    model = compiled()
    monitor = callbacks.UpdateRatioMonitor()
    with pytest.raises(type(error)):
        fit(model, monitor, Fails(error, "on_epoch_end"), epochs=3)
    assert monitor.record.values("update_ratio", "hidden", "kernel")[0].tolist() == [
        *range(6)
    ]
    fit(model)
    assert_clean(model)
    assert monitor.record.metadata["status"] == "interrupted"


@pytest.mark.parametrize(
    "error", [pytest.param(ValueError, marks=SLOW), KeyboardInterrupt]
)
def test_fit_that_fails_in_a_step_leaves_the_model_clean_at_once(error):
    def batches():
        x, y = models.data()
        for start in range(0, 48, 16):
            if start == 32:
                raise error("planted")
            yield x[start : start + 16], y[start : start + 16]

    model = compiled()
    monitor = callbacks.LossMonitor()
    with pytest.raises(BaseException, match="planted"):
        model.fit(batches(), shuffle=False, verbose=0, callbacks=[monitor])
    fit(model)
    assert_clean(model)
    assert len(monitor.losses) <= 2


def test_saving_cloning_and_pickling_work_during_training(tmp_path):
    class Saves(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.save(tmp_path / "model.keras")
            self.copies = [
                keras.models.load_model(tmp_path / "model.keras"),
                keras.models.clone_model(self.model),
                pickle.loads(pickle.dumps(self.model)),
            ]

    saves = Saves()
    model = compiled()
    fit(model, callbacks.TrainingMonitor(), saves, epochs=1)
    x, _ = models.data()
    expected = model.predict(x, verbose=0)
    np.testing.assert_array_equal(saves.copies[0].predict(x, verbose=0), expected)
    np.testing.assert_array_equal(saves.copies[2].predict(x, verbose=0), expected)
    for copy in saves.copies:
        copy.compile("sgd", models.CROSSENTROPY)
        fit(copy, epochs=1)


def test_checkpoint_and_early_stopping_work_beside_a_monitor(tmp_path):
    path = tmp_path / "best.keras"
    monitor = callbacks.TrainingMonitor()
    model = compiled(metrics=["accuracy"])
    fit(
        model,
        keras.callbacks.ModelCheckpoint(path, monitor="val_loss", save_best_only=True),
        keras.callbacks.EarlyStopping(min_delta=9.0, restore_best_weights=True),
        monitor,
        validation_data=models.data(seed=1),
        epochs=3,
    )
    assert monitor.record.values("epoch_loss")[1].tolist() == [0, 1]
    assert path.exists()
    assert_clean(model)
    assert {"train_loss_eval", "overfitting_gap"} <= set(monitor.record.measures)


def test_monitors_of_one_run_share_one_record():
    one, other = callbacks.LossMonitor(), callbacks.UpdateRatioMonitor(every=2)
    fit(compiled(), one, other)
    assert one.record is other.record


def test_train_function_made_anew_within_a_run_is_measured_again():
    class Unfreezes(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.make_train_function(force=True)

    monitor = callbacks.LossMonitor()
    fit(compiled(), monitor, Unfreezes(), epochs=2)
    steps, epochs, _ = monitor.record.values("loss")
    assert steps.tolist() == list(range(6))
    assert epochs.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: callbacks.UpdateRatioMonitor(every=0), "every=0"),
        (lambda: callbacks.UpdateRatioMonitor(every="often"), "every='often'"),
        (lambda: callbacks.UpdateRatioMonitor(entries=0), "entries=0"),
        (lambda: callbacks.LayerStatisticsMonitor(sample=1.5), "sample=1.5"),
        (lambda: callbacks.LayerStatisticsMonitor(layers="hidden"), "layers='hidden'"),
        (lambda: callbacks.OverfittingMonitor(smoothing=1), "smoothing=1"),
        (lambda: callbacks.OverfittingMonitor(train_data=3), "train_data='int'"),
        (lambda: callbacks.FirstLayerFilters(image_shape=(8,)), r"image_shape=\(8,\)"),
        (lambda: callbacks.LossMonitor(smoothing=0), "smoothing=0"),
        (lambda: callbacks.TrainingMonitor(overhead=0), "overhead=0"),
        (lambda: callbacks.TrainingMonitor(tensorboard=True), "tensorboard=True"),
    ],
)
def test_bad_argument_is_refused_by_name_and_value(make, message):
    with pytest.raises(ValueError, match=f"Received: {message}"):
        make()


def test_unknown_layer_is_refused_before_training():
    model = compiled()
    before = models.weights_of(model)
    with pytest.raises(ValueError, match=r"Received: layers=\['nowhere'\]"):
        fit(model, callbacks.LayerStatisticsMonitor(layers=["nowhere"]))
    assert models.same(before, models.weights_of(model))


def test_monitors_make_tensorflow_warn_of_nothing(caplog, monkeypatch):
    monkeypatch.setattr(tf.get_logger(), "propagate", True)
    with caplog.at_level("WARNING"):
        fit(compiled(), callbacks.TrainingMonitor(every=2), epochs=2)
    assert not caplog.records


def test_chosen_layers_are_measured_alone():
    monitor = callbacks.LayerStatisticsMonitor(layers=["hidden"])
    fit(compiled(), monitor)
    assert monitor.record.layers == ("hidden",)


def test_model_without_trainable_weights_is_watched_all_the_same():
    model = compiled()
    model.trainable = False
    model.compile("sgd", models.CROSSENTROPY)
    monitors = [callbacks.UpdateRatioMonitor(), callbacks.LayerStatisticsMonitor()]
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        fit(model, *monitors)
    measures = set(monitors[0].record.measures)
    assert "activation_mean" in measures
    assert "update_ratio" not in measures


@pytest.mark.slow
def test_killed_process_leaves_a_readable_record(tmp_path):
    script = textwrap.dedent(
        """
        import os, signal, sys
        import keras
        from keras_trainkit import callbacks
        from tests import models

        class Killed(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 2:
                    os.kill(os.getpid(), signal.SIGKILL)

        model = models.small()
        model.compile("sgd", models.CROSSENTROPY)
        monitor = callbacks.TrainingMonitor(sys.argv[1], every=1)
        model.fit(*models.data(), batch_size=16, epochs=9, verbose=0,
                  callbacks=[monitor, Killed()])
        """
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        cwd=os.getcwd(),
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
    record = TrainingRecord.open(tmp_path)
    assert record.values("loss")[1].tolist() == [0, 0, 0, 1, 1, 1]
    assert record.metadata["status"] == "running"
    assert (tmp_path / "report.html").exists()
