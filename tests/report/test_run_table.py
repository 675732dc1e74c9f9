"""What is known of a run, each fact where it belongs and none that is not known."""

import numpy as np
import pytest

from keras_trainkit.record import Readings, Series, TrainingRecord
from keras_trainkit.report.run_table import other_facts, run_rows


def rows_of(live=False, series=None, **metadata):
    record = TrainingRecord()
    series = series or {}
    if series:
        values = np.array(list(series.values()), float).T
        steps = np.arange(len(values))
        record.append([Series(name) for name in series], steps, 0 * steps, values)
    record.metadata = metadata
    return dict(run_rows(Readings(record), live))


def test_of_an_empty_record_nothing_is_told():
    assert rows_of() == {}


def test_facts_are_told_in_words():
    assert rows_of(
        model_name="net",
        started="2026-01-02T03:04:05",
        updated="2026-01-02T03:04:35",
        status="finished",
        batch_size=32,
        loss="mean_squared_error",
        optimizer={"class_name": "SGD", "config": {}},
        device="CPU",
        host=7,
        command="",
        commit=["odd"],
        versions={"keras": "3.1", "build": 7, "dev": True, "more": [1]},
        every={"weights": 1, "activations": 20, "odd": "auto"},
    ) == {
        "Model": "net",
        "Started": "2026-01-02 03:04:05 UTC",
        "Ended": "2026-01-02 03:04:35 UTC",
        "Duration": "30 s",
        "Batch size": "32",
        "Loss": "mean squared error",
        "Optimizer": "SGD",
        "Device": "CPU",
        "Host": "7",
        "Versions": "keras 3.1, build 7",
        "Measured": "weights every step, activations every 20 steps",
    }


@pytest.mark.parametrize(
    ("live", "status", "name"),
    [
        (False, "finished", "Ended"),
        (False, "running", "Last written"),
        (True, "finished", "Last written"),
    ],
)
def test_a_run_that_did_not_end_was_written_last(live, status, name):
    rows = rows_of(live, updated="2026-01-02T03:04:05", status=status)
    assert rows == {name: "2026-01-02 03:04:05 UTC"}


def test_the_time_of_a_step_tells_how_much_of_it_is_waiting():
    seconds = [9.0, 0.02, 0.02, 0.02, 0.02]  # the first step traces
    waits = [0.0, 0.005, 0.005, np.nan, 0.005]
    assert rows_of(series={"loss": [1.0] * 5, "step_seconds": seconds})[
        "Time of a step"
    ] == ("20 ms")
    rows = rows_of(
        series={"loss": [1.0] * 5, "step_seconds": seconds, "data_seconds": waits}
    )
    assert rows["Time of a step"] == "20 ms, 25% of it waiting for data"
    assert rows["Steps"] == "5"


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ([0.125, 0.125], "0.125"),
        ([0.5, 0.5, 0.125], "0.5 at first, 0.125 now"),
        ([0.5, 0.125, 0.5], "0.5 at first, 0.5 now"),
    ],
)
def test_the_rate_is_told_at_both_ends_if_it_changes(rates, words):
    assert rows_of(series={"learning_rate": rates})["Learning rate"] == words


def test_the_batch_size_is_read_if_it_was_not_written_down():
    sizes = [32.0, 32.0, 32.0, np.inf, 7.0]
    assert rows_of(series={"batch_size": sizes})["Batch size"] == "32"
    assert rows_of(series={"batch_size": sizes}, batch_size=64)["Batch size"] == "64"


def test_the_loss_of_the_task_stands_in_for_one_not_written_down():
    assert rows_of(task={"loss": "log_cosh"})["Loss"] == "log cosh"
    assert rows_of(task={"loss": "log_cosh"}, loss="mae")["Loss"] == "mae"
    assert "Loss" not in rows_of(task="odd")


def test_fits_are_counted_from_the_second_on():
    fits = [{"step": 0, "epoch": 0}, {"step": 40, "epoch": 2}]
    assert "Fits" not in rows_of(fits=fits[:1])
    assert rows_of(fits=fits)["Fits"] == "2, begun at steps 0, 40"


def test_epochs_are_told_once_there_are_steps():
    series = {"loss": [1.0, 2.0], "epoch_loss": [1.5, 1.5]}
    assert rows_of(series=series, epochs=9)["Epochs"] == "1 of 9"
    assert rows_of(series=series)["Epochs"] == "1"
    assert "Epochs" not in rows_of(epochs=9)


def test_only_a_run_that_goes_on_has_time_left():
    known = {
        "series": {"loss": [1.0, 2.0], "epoch_loss": [1.5, 1.5]},
        "epochs": 4,
        "started": "2026-01-02T03:04:00",
        "updated": "2026-01-02T03:04:20",
        "status": "running",
    }
    assert rows_of(live=True, **known)["Time left"] == "about 1 min 0 s"
    assert "Time left" not in rows_of(live=False, **known)


def test_what_else_is_known_is_one_plain_value_a_row():
    record = TrainingRecord()
    record.metadata = {
        "batch_size": 32,
        "input_shapes": [None, 8],
        "share_of_it": 0.123456,
        "data": {"rows_seen": 5, "deeper": {"a_b": True}},
        "nothing": None,
        "none": [],
        "words": "",
        "zero": 0,
        "optimizer": {"class_name": "SGD", "config": {"learning_rate": 0.5}},
    }
    assert other_facts(Readings(record)) == [
        ("Input shapes", "None, 8"),
        ("Share of it", "0.123"),
        ("Data, rows seen", "5"),
        ("Data, deeper, a b", "True"),
        ("Zero", "0"),
        ("Optimizer, learning rate", "0.5"),
    ]
    record.metadata = {"optimizer": {"momentum": 0.9}}
    assert other_facts(Readings(record)) == [("Optimizer, momentum", "0.9")]
