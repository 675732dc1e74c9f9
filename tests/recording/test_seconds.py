"""The time of a step, and how much of it waits for data."""

import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit import callbacks
from keras_trainkit.recording.arrival import PERIOD, waited
from keras_trainkit.recording.instruments.seconds import Seconds
from tests import models


@pytest.mark.parametrize(
    ("began", "wait"), [(5.0, 0.25), (PERIOD - 0.1, 0.25), (3 * PERIOD + 7.0, 100.0)]
)
def test_wait_is_told_from_moments_of_a_clock_that_begins_anew(began, wait):
    assert waited(began, (began + wait) % PERIOD) == pytest.approx(wait)


def test_arrival_that_was_rounded_down_is_no_wait():
    assert waited(5.00001, 5.0) == 0.0


def recorded(dataset, **options):
    model = models.compiled(models.small, **options)
    monitor = callbacks.Monitor(Seconds())
    model.fit(dataset, epochs=2, verbose=0, shuffle=False, callbacks=[monitor])
    return monitor.record


@pytest.mark.parametrize(
    ("options", "ahead"),
    [
        pytest.param(options, ahead, id=f"{ahead}-{way}", marks=marks)
        for options, way in (({}, "graph"), ({"run_eagerly": True}, "eager"))
        for ahead, marks in (
            (0.0, () if way == "graph" else pytest.mark.slow),
            (300.0, () if way == "graph" else pytest.mark.slow),
            (-100.0, () if way == "eager" else pytest.mark.slow),
        )
    ],
)
def test_wait_is_part_of_the_step(monkeypatch, options, ahead):
    def device_clock():
        return tf.numpy_function(lambda: time.time() + ahead, [], tf.float64)

    monkeypatch.setattr(tf, "timestamp", device_clock)
    x, y = models.data()
    record = recorded(tf.data.Dataset.from_tensor_slices((x, y)).batch(8), **options)
    steps, _, waits = record.values("data_seconds")
    assert steps.tolist() == list(range(12))
    seconds = record.values("step_seconds")[2]
    assert (seconds > 0).all()
    if ahead == 0.0:
        assert (waits >= 0).all()
        assert (waits <= seconds).all()
    else:  # data that arrive after the step has ended, or before it has begun
        # The data of the first call the host takes itself, and sees the wait.
        np.testing.assert_array_equal(
            waits[1:], (seconds if ahead > 0 else 0.0 * seconds)[1:]
        )


def test_wait_is_left_out_where_it_cannot_be_told():
    x, y = models.data()
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    record = recorded(data, steps_per_execution=3)
    steps, _, seconds = record.values("step_seconds")
    assert steps.tolist() == [0, 3, 6, 9]
    assert (seconds > 0).all()
    # The host takes the data of the first call itself, to compare what it did.
    assert record.values("data_seconds")[0].tolist() == [0]
    assert record.metadata["not_measured"] == ["data_seconds"]


@pytest.mark.parametrize("steps", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_wait_is_told_where_the_host_takes_the_data(steps):
    data = tf.data.Dataset.from_tensor_slices(models.data()).batch(8)
    record = recorded(data, jit_compile=True, steps_per_execution=steps)
    told, _, seconds = record.values("data_seconds")
    assert told.tolist() == list(range(0, 12, steps))
    assert (seconds > 0).all()
    assert (seconds <= record.values("step_seconds")[2]).all()
    assert record.metadata["not_measured"] == []


DETERMINISTIC = """
import tensorflow as tf
from keras_trainkit import callbacks
from tests import models

tf.config.experimental.enable_op_determinism()
found = []
for monitor in (None, callbacks.TrainingMonitor(every=1)):
    model = models.compiled()
    watchers = [monitor] if monitor else []
    model.fit(*models.data(), epochs=2, verbose=0, callbacks=watchers)
    found.append(models.weights_of(model))
assert models.same(*found)
record = monitor.record
assert record.metadata["done_twice"] == []
assert len(record.values("step_seconds")[0]) == 4
assert record.values("data_seconds")[0].tolist() == [0]
"""


@pytest.mark.slow
def test_deterministic_operations_have_no_clock_and_train_unchanged():
    # They cannot be asked for in a process of other tests.
    ended = subprocess.run([sys.executable, "-c", DETERMINISTIC], capture_output=True)
    assert ended.returncode == 0, ended.stderr.decode()
