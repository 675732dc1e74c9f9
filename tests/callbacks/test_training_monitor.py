import csv
import itertools
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit import callbacks
from keras_trainkit.keras_model.arrays import same_bits
from keras_trainkit.keras_model.state import parts_of
from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.recording.instruments.filters import mosaic
from tests import models


def train(*watchers, build=models.small, epochs=3, **options):
    keras.utils.set_random_seed(0)
    model = build()
    model.compile("sgd", models.CROSSENTROPY, metrics=["accuracy"])
    return model.fit(
        *models.data(),
        batch_size=16,
        epochs=epochs,
        verbose=0,
        callbacks=list(watchers),
        validation_data=models.data(seed=1),
        **options,
    )


def test_directory_holds_record_page_and_event_files(tmp_path):
    monitor = callbacks.TrainingMonitor(
        tmp_path, every=1, tensorboard=True, histograms=True
    )
    train(monitor, build=models.convolutional)
    stored = TrainingRecord.open(tmp_path).to_frame()
    live = monitor.record.to_frame()
    assert len(stored) == len(live) > 500
    np.testing.assert_array_equal(stored.value, live.value)
    assert {"dead_fraction", "activation_histogram", "overfitting_gap_trend"} <= set(
        stored.measure
    )
    page = (tmp_path / "report.html").read_text()
    assert "conv2d" in page
    assert len(monitor.record.images("filters")) == 3
    assert any("tfevents" in name for name in os.listdir(tmp_path / "tensorboard"))


def test_earlier_record_in_the_directory_is_put_aside(tmp_path):
    for _ in range(2):
        train(callbacks.TrainingMonitor(tmp_path), epochs=1)
    assert TrainingRecord.open(tmp_path / "record.1.sqlite").metadata["status"]
    assert TrainingRecord.open(tmp_path / "record.sqlite").metadata["status"]


def test_values_join_the_logs_under_the_same_names_each_epoch(tmp_path):
    path = tmp_path / "log.csv"
    monitor = callbacks.TrainingMonitor(every=1)
    history = train(monitor, keras.callbacks.CSVLogger(path))
    names = {"update_ratio", "update_ratio_worst", "gradient_norm", "overfitting_gap"}
    assert names <= set(history.history)
    assert all(len(values) == 3 for values in history.history.values())
    with open(path) as file:
        assert names <= set(next(csv.reader(file)))
    whole, worst = (history.history[f"update_ratio{end}"] for end in ("", "_worst"))
    distances = np.abs(np.log10([whole, worst]) + 3)
    assert (distances[1] >= distances[0]).all()
    quiet = train(callbacks.TrainingMonitor(log_values=False), epochs=1)
    assert not names & set(quiet.history)


def test_training_side_of_the_gap_equals_an_evaluation_of_ones_own():
    monitor = callbacks.OverfittingMonitor(examples=48)
    keras.utils.set_random_seed(0)
    model = models.sequential()
    model.compile("sgd", models.CROSSENTROPY, metrics=["accuracy"])
    x, y = models.data()
    history = model.fit(
        x, y, verbose=0, validation_data=models.data(seed=1), callbacks=[monitor]
    )
    loss, accuracy = model.evaluate(x, y, verbose=0)
    record = monitor.record
    np.testing.assert_allclose(record.values("train_loss_eval")[2], [loss], rtol=1e-5)
    gap = record.values("overfitting_gap", metric="accuracy")[2]
    expected = accuracy - history.history["val_accuracy"][0]
    np.testing.assert_allclose(gap, [expected], atol=1e-5)


def test_large_examples_are_kept_fewer_of(monkeypatch):
    from keras_trainkit.train_step import captured_examples

    monkeypatch.setattr(captured_examples, "_MOST_BYTES", 2 * 10 * (8 * 4 + 8))
    monitor = callbacks.OverfittingMonitor()
    kept = []

    class Looks(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept.extend(monitor._joined().place(epoch, logs).kept_examples())

    model = models.small()
    model.compile("sgd", models.CROSSENTROPY)
    x, y = models.data()
    model.fit(x, y, shuffle=False, verbose=0, callbacks=[monitor, Looks()])
    np.testing.assert_array_equal(kept[0], x[:10])
    np.testing.assert_array_equal(kept[1], y[:10])


def test_automatic_interval_is_one_for_all_and_recorded():
    monitor = callbacks.TrainingMonitor(overhead=0.001)
    keras.utils.set_random_seed(0)
    model = models.small()
    model.compile("sgd", models.CROSSENTROPY)
    model.fit(*models.data(examples=480), batch_size=8, verbose=0, callbacks=[monitor])
    every = monitor.record.metadata["every"]
    assert every["updates"] == every["layers"] >= 1
    assert len(monitor.record.values("loss")[0]) == 60


def test_filters_are_drawn_as_pictures(tmp_path):
    random = np.random.default_rng(0)
    for channels, tiles in ((1, 5), (3, 5), (4, 20)):
        filters = random.normal(size=(3, 3, channels, 5))
        picture = mosaic(filters)
        background = np.array([255, 255, 255])
        assert picture.dtype == np.uint8
        assert (picture[0] == background).all()
        drawn = (picture != background).any(axis=-1).sum()
        assert drawn <= tiles * 24 * 24
        assert drawn > 0.8 * tiles * 24 * 24
    watcher = callbacks.FirstLayerFilters(tmp_path, image_shape=(4, 2))
    model = models.small()
    model.compile("sgd", models.CROSSENTROPY)
    model.fit(*models.data(), verbose=0, callbacks=[watcher])
    png = (tmp_path / "filters_epoch_0000.png").read_bytes()
    assert tf.io.decode_png(png).shape[-1] == 3
    assert len(watcher.record.values("filter_smoothness", "hidden")[0]) == 1


def test_data_that_cannot_be_kept_are_left_alone_with_a_word():
    def batches():
        for length in (5, 7, 9):
            yield np.zeros((4, length, 2), "f4"), np.zeros((4, 2), "f4")

    pooled = keras.layers.GlobalAveragePooling1D()
    model = keras.Sequential([keras.Input((None, 2)), pooled, keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    # Keras says itself that a generator has ended, which is none of our business.
    with (
        pytest.warns(UserWarning, match="could not be kept on the device"),
        pytest.warns(UserWarning, match="ran out of data"),
    ):
        model.fit(
            batches(),
            shuffle=False,
            verbose=0,
            callbacks=[callbacks.OverfittingMonitor()],
        )


@pytest.mark.slow
def test_evaluating_leaves_each_replica_its_own_statistics(two_replicas):
    x, y = models.data()

    def statistics(callbacks):
        model = models.compiled(strategy=two_replicas, optimizer="sgd")
        model.fit(x, y, batch_size=16, verbose=0, shuffle=False, callbacks=callbacks)
        return [part.numpy() for part in parts_of(model)]

    plain = statistics([])
    # BatchNormalization saw other examples in the second replica than in the first.
    moving = [value for value in plain if value.shape == (6,)]
    assert any(
        not np.array_equal(one, other) for one, other in itertools.pairwise(moving)
    )
    watched = statistics([callbacks.OverfittingMonitor(examples=8)])
    assert all(same_bits(one, two) for one, two in zip(plain, watched, strict=True))
