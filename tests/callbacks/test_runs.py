"""One run after another, and runs that meet trouble."""

import os
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit import callbacks
from keras_trainkit.record import TrainingRecord
from tests import models


class Traced(keras.layers.Layer):
    """Counts how often it is traced for training."""

    def __init__(self):
        super().__init__()
        self.traces = []

    def call(self, inputs, training=False):
        if training:
            self.traces.append(0)
        return inputs


def compiled(**options):
    keras.utils.set_random_seed(0)
    traced = Traced()
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(6, activation="relu", name="hidden"),
            traced,
            keras.layers.Dense(3, activation="softmax", name="output"),
        ]
    )
    options = {"jit_compile": False} | options
    model.compile("sgd", models.CROSSENTROPY, **options)
    return model, traced.traces


def fit(model, *watchers, **options):
    options = {"batch_size": 16, "epochs": 1, "verbose": 0, "shuffle": False} | options
    return model.fit(*models.data(), callbacks=list(watchers), **options)


@pytest.mark.parametrize("anew", [False, True], ids=["same_monitor", "new_monitor"])
@pytest.mark.parametrize("xla", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_later_fits_trace_nothing_and_change_nothing(xla, anew):
    epochs = 1 + anew
    plain, _ = compiled(jit_compile=xla)
    model, traces = compiled(jit_compile=xla)
    monitor = callbacks.UpdateRatioMonitor(every=2)
    counts = []
    for _ in range(3):
        if anew:
            monitor = callbacks.UpdateRatioMonitor(every=2)
        fit(plain, epochs=epochs)
        fit(model, monitor, callbacks.LayerStatisticsMonitor(every=2), epochs=epochs)
        counts.append(len(traces))
    assert counts[1:] == counts[:1] * 2
    assert models.same(models.weights_of(plain), models.weights_of(model))
    steps, _, _ = monitor.record.values("update_ratio", "hidden", "kernel")
    done = 3 * epochs if anew else 3 * 3 * epochs
    assert steps.tolist() == list(range(0, done, 2))
    assert monitor.record.values("loss")[0].tolist() == list(range(done))


def test_what_is_compiled_or_asked_for_anew_is_traced_anew():
    model, traces = compiled()
    fit(model, callbacks.UpdateRatioMonitor())
    before = len(traces)
    fit(model, callbacks.LayerStatisticsMonitor())
    assert len(traces) > before
    before = len(traces)
    model.compile("sgd", models.CROSSENTROPY, jit_compile=False)
    monitor = callbacks.UpdateRatioMonitor()
    fit(model, monitor)
    assert len(traces) > before
    assert len(monitor.record.values("update_ratio", "hidden", "kernel")[0]) == 3


def test_an_average_beside_it_is_not_taken_for_that_of_a_run_before():
    model, _ = compiled()
    for _ in range(2):
        average = callbacks.WeightAveraging("mean", start_epoch=0, at_end="raw")
        fit(model, callbacks.UpdateRatioMonitor(), average)
        assert average.count == 3
    fit(model, callbacks.UpdateRatioMonitor())
    assert average.count == 3


def test_dead_units_are_counted_in_each_fit():
    model, _ = compiled()
    kernel, bias = model.get_layer("hidden").get_weights()
    bias[:2] = -1000.0
    model.get_layer("hidden").set_weights([kernel, bias])
    monitor = callbacks.LayerStatisticsMonitor()
    for _ in range(3):
        fit(model, monitor)
    dead = monitor.record.to_frame(measure="dead_fraction")
    assert dead.epoch.tolist() == [0, 1, 2]
    assert dead.step.tolist() == [2, 5, 8]
    assert (dead.value >= 2 / 6).all()


def test_a_new_run_evaluates_its_own_examples():
    model, _ = compiled()
    for shift in (0.0, 5.0):
        monitor = callbacks.OverfittingMonitor(examples=16)
        x, y = models.data()
        model.fit(x + shift, y, verbose=0, shuffle=False, callbacks=[monitor])
        expected = model.evaluate(x[:16] + shift, y[:16], verbose=0)
        np.testing.assert_allclose(
            monitor.record.values("train_loss_eval")[2], [expected], rtol=1e-4
        )


@pytest.mark.parametrize("together", [pytest.param(5, marks=pytest.mark.slow), 50])
def test_more_steps_in_a_call_than_a_ring_holds_lose_no_row(monkeypatch, together):
    from keras_trainkit.recording import ring

    monkeypatch.setattr(ring, "_ROWS", (4, 4))
    model, _ = compiled(steps_per_execution=together)
    monitor = callbacks.UpdateRatioMonitor()
    fit(model, monitor, batch_size=1, epochs=2)
    for series in (("loss",), ("update_ratio", "hidden", "kernel")):
        assert monitor.record.values(*series)[0].tolist() == list(range(96))


def test_directory_goes_on_in_another_process_from_an_initial_epoch(tmp_path):
    fit(compiled()[0], callbacks.TrainingMonitor(tmp_path, 1), epochs=2)
    # Nothing of the first run is used by the second.
    monitor = callbacks.TrainingMonitor(tmp_path, 1)
    fit(compiled()[0], monitor, epochs=4, initial_epoch=2)
    stored = TrainingRecord.open(tmp_path)
    assert stored.values("loss")[0].tolist() == list(range(12))
    assert stored.values("epoch_loss")[1].tolist() == [0, 1, 2, 3]
    assert [begun[:2] for begun in stored.fits] == [(0, 0), (6, 2)]
    assert stored.to_frame().equals(monitor.record.to_frame())
    assert not (tmp_path / "record.1.sqlite").exists()


def test_each_of_two_directories_gets_the_record(tmp_path):
    one, two = (callbacks.TrainingMonitor(tmp_path / name, 1) for name in "ab")
    fit(compiled()[0], one, two)
    frames = [TrainingRecord.open(tmp_path / name).to_frame() for name in "ab"]
    assert frames[0].equals(frames[1])
    assert frames[0].equals(one.record.to_frame())
    assert (tmp_path / "a/report.html").exists()
    assert (tmp_path / "b/report.html").exists()


def test_two_monitors_of_one_directory_are_refused(tmp_path):
    model, _ = compiled()
    with pytest.raises(ValueError, match="another monitor of the same run"):
        fit(model, *(callbacks.TrainingMonitor(tmp_path) for _ in range(2)))
    fit(model, callbacks.TrainingMonitor(tmp_path))


def test_directory_of_a_failed_run_is_free_for_the_next(tmp_path):
    class Fails(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("planted")

    failed, _ = compiled()
    with pytest.raises(RuntimeError, match="planted"):
        fit(failed, callbacks.TrainingMonitor(tmp_path), Fails())
    fit(compiled()[0], callbacks.TrainingMonitor(tmp_path))
    assert TrainingRecord.open(tmp_path).metadata["status"] == "finished"
    earlier = TrainingRecord.open(tmp_path / "record.1.sqlite")
    assert earlier.metadata["status"] == "interrupted"


class Spoils(keras.callbacks.Callback):
    """Does something to the directory of a run while it trains."""

    def __init__(self, directory, how):
        super().__init__()
        self.directory, self.how = directory, how

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            self.how(self.directory)


def _page_in_the_way(directory):
    os.remove(directory / "report.html")
    (directory / "report.html").mkdir()


def _file_in_the_way(directory):
    shutil.rmtree(directory)
    directory.write_text("in the way")


@pytest.mark.filterwarnings("ignore:The record")
@pytest.mark.filterwarnings("ignore:TrainingMonitor could not write")
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(_page_in_the_way, marks=pytest.mark.slow),
        pytest.param(_file_in_the_way, marks=pytest.mark.slow),
        shutil.rmtree,
    ],
)
def test_training_goes_on_whatever_happens_to_its_directory(tmp_path, spoil):
    directory = tmp_path / "run"
    plain, _ = compiled()
    fit(plain, epochs=3)
    model, _ = compiled()
    monitor = callbacks.TrainingMonitor(directory, 1, tensorboard=True)
    fit(model, monitor, Spoils(directory, spoil), epochs=3)
    assert models.same(models.weights_of(plain), models.weights_of(model))
    assert len(monitor.record.values("loss")[0]) == 9
    assert monitor.record.metadata["status"] == "finished"
    fit(model)
    if spoil is not _file_in_the_way:
        stored = TrainingRecord.open(directory)
        assert stored.to_frame().equals(monitor.record.to_frame())


def test_pictures_that_cannot_be_written_end_no_training(tmp_path):
    (tmp_path / "place").write_text("in the way")
    monitor = callbacks.FirstLayerFilters(tmp_path / "place", image_shape=(4, 2))
    with pytest.warns(UserWarning, match="cannot be drawn"):
        fit(compiled()[0], monitor)
    assert len(monitor.record.images("filters")) == 1


@pytest.mark.slow
def test_many_fits_leave_no_graph_behind():
    import gc

    def graphs():
        gc.collect()
        return sum(isinstance(one, tf.Graph) for one in gc.get_objects())

    model, _ = compiled()
    monitor = callbacks.TrainingMonitor()
    # The function for steps that read nothing is traced once it pays.
    for _ in range(100):
        fit(model, monitor)
    before = graphs()
    for _ in range(30):
        fit(model, monitor)
    assert graphs() <= before
