import numpy as np
import pytest

from keras_trainkit.finding import Finding
from keras_trainkit.record.readings import Readings
from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.report.summary import summarise
from tests.report.records import full_record, hostile_record, sick_record


def tiles_of(record, live=False, findings=()):
    return {tile.name: tile for tile in summarise(Readings(record), live, findings)}


def finding(code, severity="warning", category="learning rate", **about):
    return Finding(
        "It is so.", severity=severity, code=code, category=category, **about
    )


def one(measure, value, **names):
    record = TrainingRecord()
    record.add(measure, value, step=7, epoch=2, **names)
    return tiles_of(record)


@pytest.mark.parametrize(
    ("status", "live", "value"),
    [
        ("running", True, "running"),
        ("finished", False, "finished"),
        ("interrupted", False, "interrupted"),
        ("running", False, "not finished"),
        (None, False, "recorded"),
        ("nonsense", False, "recorded"),
    ],
)
def test_status_tells_a_dead_run_from_a_live_one(status, live, value):
    record = TrainingRecord()
    record.metadata["status"] = status
    assert tiles_of(record, live)["Status"].value == value


def test_progress_counts_finished_epochs():
    record = full_record(layers=1, epochs=3)
    assert tiles_of(record)["Epochs done"].value == "3 of 3"
    assert tiles_of(record)["Epochs done"].note == "60 steps"
    record.add("loss", 0.1, step=60, epoch=3)
    assert tiles_of(record)["Epochs done"].value == "3 of 3"
    del record.metadata["epochs"]
    assert tiles_of(record)["Epochs done"].value == "3"


def test_progress_counts_an_epoch_whose_metrics_are_there():
    assert tiles_of(sick_record())["Epochs done"].value == "3 of 2"


def test_progress_of_nothing_says_so():
    assert tiles_of(TrainingRecord())["Progress"].value == "nothing recorded yet"


@pytest.mark.parametrize(
    ("ratio", "value", "state"),
    [
        (1e-3, "0.001", ""),
        (0.05, "0.05", ""),
        (0.0, "0", ""),
        (float("nan"), "NaN", "bad"),
        (float("inf"), "infinity", "bad"),
    ],
)
def test_update_ratio_alone_raises_no_alarm(ratio, value, state):
    tile = one("update_ratio", ratio, layer="a", variable="kernel")["Update ratio"]
    assert (tile.value, tile.state) == (value, state)


def test_update_ratio_is_that_of_kernels_at_first_and_now():
    record = TrainingRecord()
    for step, ratio in enumerate([0.5] * 50 + [1e-3] * 50):
        place = {"step": step, "epoch": step // 50, "layer": "a"}
        record.add("update_ratio", ratio, variable="kernel", **place)
        record.add("update_ratio", 7.0, variable="bias", **place)
    tile = tiles_of(record)["Update ratio"]
    assert tile.value == "0.001"
    assert tile.note.startswith("0.5 in the first steps")


def test_one_long_update_among_the_first_is_told_of():
    record = TrainingRecord()
    for step, ratio in enumerate([4.0] + [0.0] * 60):
        record.add("update_ratio", ratio, step=step, epoch=0, variable="kernel")
    tile = tiles_of(record)["Update ratio"]
    assert tile.value == "0"
    assert tile.note.startswith("0 in the first steps, once 4,")


def test_gap_that_moves_by_rounding_only_is_level():
    record = TrainingRecord()
    record.add("overfitting_gap", -0.00726, step=5, epoch=5, metric="loss")
    for step, trend, note in ((5, 9.9e-19, "level"), (6, 1e-4, "+0.0001 an epoch")):
        place = {"step": step, "epoch": step, "metric": "loss"}
        record.add("overfitting_gap_trend", trend, **place)
        assert tiles_of(record)["Overfitting gap"].note == note


def test_tiles_raise_an_alarm_where_a_finding_does():
    record = full_record(layers=1)
    names = ("Update ratio", "Most dead units", "Overfitting gap")

    def states(*findings):
        tiles = tiles_of(record, findings=findings)
        return [tiles[name].state for name in names]

    assert states() == ["", "", ""]
    assert states(finding("long_updates", "error")) == ["bad", "", ""]
    dead = finding("dead_units", category="initialisation")
    assert states(dead) == ["", "warning", ""]
    assert states(finding("gap", category="overfitting")) == ["", "", "warning"]
    cause = finding("nonfinite", category="numerical", symptoms=(dead,))
    assert states(cause) == ["", "warning", ""]


@pytest.mark.parametrize(
    ("fraction", "value", "note"),
    [(0.0, "0%", "in any layer"), (0.2, "20%", "a"), (0.9, "90%", "a")],
)
def test_most_dead_units_names_the_layer(fraction, value, note):
    tile = one("dead_fraction", fraction, layer="a")["Most dead units"]
    assert tile[1:] == (value, note, "")


def test_time_tells_how_long_a_step_took_and_what_is_left():
    record = full_record(layers=1, epochs=4)
    record.metadata["epochs"] = 8
    times = record.values("step_seconds")[2]
    tile = tiles_of(record)["Time"]
    assert (tile.value, tile.note) == (
        "10 min 0 s",
        f"{np.median(times) * 1000:.3g} ms a step",
    )
    assert tiles_of(record, live=True)["Time"].note.startswith("about 10 min 0 s left")


def test_first_nonfinite_tensor_is_named():
    tile = tiles_of(sick_record())["NaN or infinity"]
    assert tile.state == "bad"
    assert tile.note == "first at step 41 (epoch 2): dense_2/kernel gradient"
    assert tiles_of(full_record())["NaN or infinity"].value == "none"


def test_validation_shows_training_and_the_lowest_loss_beside_it():
    record = full_record(epochs=2)
    record.add("val_loss", 2.0, step=99, epoch=4)
    tile = tiles_of(record)["Validation loss"]
    assert tile.value == "2"
    assert tile.note == "training 0.779, lowest 0.879 in epoch 1"


def test_loss_of_a_batch_stands_in_for_metrics():
    assert one("loss", 0.25)["Loss of a batch"].value == "0.25"


def test_training_metric_stands_in_for_validation():
    assert one("accuracy", 0.75)["Training accuracy"].value == "0.75"


def test_nonsense_in_the_metadata_is_passed_over():
    tiles = tiles_of(hostile_record())
    assert "Cost of watching" not in tiles
    assert tiles["Status"].value == "recorded"
    assert tiles_of(full_record())["Cost of watching"].value == "2.1%"
