import pytest

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.report.layer_table import tabulate
from tests.report.records import full_record


def test_table_has_a_column_for_each_measure_recorded():
    table = tabulate(Readings(full_record(layers=2)))
    assert len(table.columns) == 9
    assert all(len(row.cells) == 9 for row in table.rows)
    assert tabulate(Readings(TrainingRecord())) == ([], [])


def test_table_gives_each_variable_a_row_of_its_layer():
    record = TrainingRecord()
    place = {"step": 0, "epoch": 0, "layer": "a"}
    for variable, ratio in (("kernel", 2e-3), ("bias", 1e-7)):
        record.add("update_ratio", ratio, variable=variable, **place)
    record.add("zero_fraction", 0.5, **place)
    rows = tabulate(Readings(record)).rows
    assert [(row.layer, row.variable) for row in rows] == [
        ("a", "kernel"),
        ("a", "bias"),
    ]
    texts = [[cell.text for cell in row.cells] for row in rows]
    assert texts == [["0.002", "50%"], ["1e-07", ""]]
    assert {cell.state for row in rows for cell in row.cells} == {""}


@pytest.mark.parametrize(
    ("measure", "value", "cell"),
    [
        ("dead_fraction", 0.75, ("75%", 0.75, "warning")),
        ("zero_fraction", 0.75, ("75%", 0.75, "")),
        ("activation_mean", -0.125, ("-0.125", -0.125, "")),
        ("activation_std", float("nan"), ("NaN", None, "bad")),
        ("weight_norm", float("-inf"), ("-infinity", None, "bad")),
    ],
)
def test_table_marks_what_stands_out(measure, value, cell):
    record = TrainingRecord()
    record.add(measure, value, step=0, epoch=0, layer="a")
    assert tabulate(Readings(record)).rows[0].cells == [cell]


def test_table_shows_the_most_conspicuous_layer_first():
    record = TrainingRecord()
    for layer, ratio, dead in (
        ("fine", 1e-3, 0.0),
        ("far", 1e-5, 0.0),
        ("dead", 1e-3, 1.0),
        ("broken", float("nan"), 0.0),
    ):
        place = {"step": 0, "epoch": 0, "layer": layer}
        record.add("update_ratio", ratio, variable="kernel", **place)
        record.add("dead_fraction", dead, **place)
    rows = tabulate(Readings(record)).rows
    assert [row.layer for row in rows] == ["broken", "dead", "far", "fine"]
    assert [row.place for row in rows] == [3, 2, 1, 0]


def test_table_leaves_cells_of_unmeasured_layers_empty():
    record = full_record(layers=1)
    record.add("dead_fraction", 0.5, step=0, epoch=0, layer="other")
    other = tabulate(Readings(record)).rows[0]
    assert other.layer == "other"
    assert [cell.text for cell in other.cells] == [""] * 8 + ["50%"]
