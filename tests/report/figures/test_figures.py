"""What the figures draw is what the record holds."""

import inspect

import numpy as np
import pytest

from keras_trainkit.record import Measure
from keras_trainkit.record.series import Series
from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.report import figures
from keras_trainkit.report.drawing.theme import DARK, LIGHT
from tests.report.records import (
    HOSTILE_NAMES,
    empty_record,
    full_record,
    hostile_record,
    sick_record,
)

PUBLIC = [getattr(figures, name) for name in figures.__all__]
NAMED = pytest.mark.parametrize(
    "draw", [pytest.param(draw, id=draw.__name__) for draw in PUBLIC]
)


def shown(figure):
    return [trace for trace in figure.data if trace.visible in (None, True)]


@NAMED
@pytest.mark.parametrize("make", [full_record, sick_record, hostile_record])
def test_figure_holds_something_and_its_title(draw, make):
    figure = draw(make())
    assert figure.data or figure.layout.images
    assert figure.layout.title.text


@NAMED
def test_figure_of_nothing_says_so(draw):
    figure = draw(empty_record())
    assert not figure.data
    assert "Not in this record" in figure.layout.annotations[0].text


@NAMED
def test_figure_leaves_no_colour_open(draw):
    assert not [role for role in LIGHT if f'"{role}"' in draw(full_record()).to_json()]


@NAMED
def test_figure_is_drawn_from_a_run_directory(draw, tmp_path):
    record = TrainingRecord(tmp_path / "record.sqlite")
    source = full_record(layers=1, epochs=1)
    for series in source.series:
        steps, epochs, values = source.values(*series)
        record.append([series], steps, epochs, values[:, None])
    for image in source.images():
        record.add_image(*image)
    record.close()
    assert draw(tmp_path).to_json() == draw(source).to_json()


@NAMED
def test_figure_is_documented(draw):
    assert "Args:" in inspect.getdoc(draw)


def test_both_schemes_know_the_same_roles():
    assert LIGHT.keys() == DARK.keys()


@pytest.mark.parametrize(
    ("draw", "measure"),
    [(figures.loss_curve, "loss"), (figures.learning_rate, "learning_rate")],
)
def test_single_lines_draw_the_readings(draw, measure):
    record = full_record()
    steps, _, values = record.values(measure)
    trace = draw(record).data[0]
    np.testing.assert_array_equal(trace.x, steps)
    np.testing.assert_array_equal(trace.y, values)


@pytest.mark.parametrize(
    ("metric", "train", "validation"),
    [
        ("loss", "train_loss_eval", "val_loss"),
        ("accuracy", "train_accuracy_eval", "val_accuracy"),
        ("top_k", "top_k", "val_top_k"),
    ],
)
def test_validation_figure_draws_both_sides(metric, train, validation):
    record = full_record()
    figure = figures.train_against_validation(record, metric)
    sides = [trace for trace in figure.data if trace.line.width == 2]
    for trace, name in zip(sides, (train, validation), strict=True):
        _, epochs, values = record.values(name)
        np.testing.assert_array_equal(trace.x, epochs)
        np.testing.assert_array_equal(trace.y, values)


def test_validation_figure_shades_where_both_sides_are_known():
    record = TrainingRecord()
    for epoch in range(6):
        record.add("epoch_loss", 1.0, step=epoch, epoch=epoch)
        if epoch % 2:
            value = np.nan if epoch == 3 else 2.0
            record.add("val_loss", value, step=epoch, epoch=epoch)
    low, high = figures.train_against_validation(record).data[:2]
    assert high.fill == "tonexty"
    np.testing.assert_array_equal(low.x, [1, 5])
    np.testing.assert_array_equal(high.y, [2.0, 2.0])


def test_validation_figure_names_a_metric_it_does_not_know():
    with pytest.raises(ValueError, match=r"must be one of 'loss', .*metric='f1'"):
        figures.train_against_validation(full_record(), "f1")


@pytest.mark.parametrize(
    ("draw", "measure"),
    [
        (figures.update_ratios, "update_ratio"),
        (figures.silent_units, "dead_fraction"),
        (figures.weight_and_gradient_norms, "gradient_norm"),
    ],
)
@pytest.mark.parametrize("steps_per_epoch", [20, 60], ids=["plain", "smoothed"])
def test_layer_lines_draw_the_readings(draw, measure, steps_per_epoch):
    record = full_record(layers=2, steps_per_epoch=steps_per_epoch)
    figure = draw(record)
    for series in record.select(measure):
        steps, _, values = record.values(*series)
        name = "/".join(part for part in series[1:] if part)
        lines = [trace for trace in shown(figure) if trace.meta == name]
        np.testing.assert_array_equal(lines[0].x, steps)
        np.testing.assert_array_equal(lines[0].y, values)
        assert len(lines) == 1 + (len(steps) >= 120)


def test_update_ratios_show_the_worst_eight_first():
    record = TrainingRecord()
    ratios = np.geomspace(1e-3, 1.0, 30)
    for layer in np.random.default_rng(0).permutation(30):
        place = {"step": 0, "epoch": 0, "layer": f"layer_{layer}"}
        record.add("update_ratio", ratios[layer], variable="kernel", **place)
    figure = figures.update_ratios(record)
    names = [trace.meta for trace in figure.data]
    assert names == [f"layer_{layer}/kernel" for layer in range(29, -1, -1)]
    assert [trace.meta for trace in shown(figure)] == names[:8]
    assert {trace.visible for trace in figure.data[8:]} == {"legendonly"}


@pytest.mark.parametrize("broken", [np.nan, np.inf, 0.0])
def test_broken_layers_come_before_all_others(broken):
    record = TrainingRecord()
    for layer, ratio in enumerate([1e-3, 0.9, broken, 1e-6]):
        place = {"step": 0, "epoch": 0, "layer": f"layer_{layer}"}
        record.add("update_ratio", ratio, **place)
    assert figures.update_ratios(record).data[0].meta == "layer_2"


def marks(figure):
    names = ("not finite", "was 0 before", "zero")
    return {trace.name: trace for trace in figure.data if trace.name in names}


def test_marks_show_where_readings_cannot_be_drawn():
    found = marks(figures.update_ratios(sick_record()))
    crosses = found["not finite"]
    assert sorted(zip(crosses.x.tolist(), crosses.text, strict=True)) == [
        (40, "dense_1/kernel<br>becomes inf"),
        (42, "dense_0/kernel<br>becomes nan"),
    ]
    assert found["zero"].x.tolist() == [40]
    assert found["zero"].text == ("dense_0/kernel<br>becomes 0",)
    loss = marks(figures.loss_curve(sick_record()))["not finite"]
    assert loss.x.tolist() == [41]
    assert loss.y.tolist() == [pytest.approx(1e30)]


def test_zeros_stand_on_the_floor_of_a_logarithmic_figure():
    record = TrainingRecord()
    for step, ratio in enumerate([1e-3, 1e-5, 0.0, 0.0, 1e-4, 0.0]):
        place = {"step": step, "epoch": 0, "layer": "a", "variable": "kernel"}
        record.add("update_ratio", ratio, **place)
    figure = figures.update_ratios(record)
    zeros = marks(figure)["zero"]
    assert zeros.x.tolist() == [2, 5]
    np.testing.assert_allclose(zeros.y, [1e-5, 1e-5])
    assert figure.layout.yaxis.range[0] < -5


def test_the_first_update_of_what_was_zero_is_no_fault():
    record = TrainingRecord()
    for step, (ratio, norm) in enumerate([(np.inf, 0.0), (0.1, 1.0), (np.inf, 1.0)]):
        place = {"step": step, "epoch": 0, "layer": "a", "variable": "bias"}
        record.add("update_ratio", ratio, **place)
        record.add("weight_norm", norm, **place)
    found = marks(figures.update_ratios(record))
    assert found["was 0 before"].x.tolist() == [0]
    assert found["not finite"].x.tolist() == [2]


def test_update_ratio_axis_always_holds_the_band():
    low, high = figures.update_ratios(full_record()).layout.yaxis.range
    assert low < -4 < -2 < high
    record = TrainingRecord()
    record.add("update_ratio", 50.0, step=0, epoch=0)
    record.add("update_ratio", 1e-30, step=1, epoch=0)
    low, high = figures.update_ratios(record).layout.yaxis.range
    assert -9 < low < -8
    assert high > np.log10(50.0)


def test_layer_spread_draws_the_last_reading_of_the_epoch():
    record = full_record(layers=3, epochs=4)
    figure = figures.layer_spread(record)
    mean, deviation, gradient, broken = figure.data
    assert not broken.showlegend
    assert np.isnan(broken.y).all()
    assert list(mean.text) == ["dense_0", "dense_1", "dense_2"]

    def last(measure, epoch):
        found = []
        for layer in record.layers:
            _, epochs, values = record.values(measure, layer)
            found.append(values[epochs == epoch][-1])
        return found

    np.testing.assert_array_equal(mean.y, last("activation_mean", 3))
    np.testing.assert_array_equal(mean.error_y.array, last("activation_std", 3))
    np.testing.assert_array_equal(deviation.y, last("activation_std", 3))
    np.testing.assert_array_equal(gradient.y, last("activation_gradient_std", 3))
    (slider,) = figure.layout.sliders
    assert slider.active == 3
    changes = slider.steps[1].args[0]
    np.testing.assert_array_equal(changes["y"][0], last("activation_mean", 1))
    np.testing.assert_array_equal(
        changes["error_y.array"][0], last("activation_std", 1)
    )


def test_layer_spread_marks_layers_that_are_not_finite():
    broken = figures.layer_spread(sick_record()).data[3]
    assert broken.showlegend
    np.testing.assert_array_equal(broken.y, [np.nan, np.nan, 0.0])


def test_layer_spread_leaves_out_layers_without_readings():
    record = full_record(layers=2, epochs=1)
    record.metadata["layers"] = ["input", "dense_1", "dense_0"]
    assert list(figures.layer_spread(record).data[0].text) == ["dense_1", "dense_0"]


def test_layer_spread_names_some_of_many_layers():
    axis = figures.layer_spread(full_record(layers=100, epochs=1)).layout.xaxis
    assert len(axis.tickvals) == len(axis.ticktext) <= 24


def test_histograms_draw_shares_in_the_order_of_the_bins():
    figure = figures.histogram_heatmap(full_record(layers=1, epochs=2))
    (trace,) = figure.data
    assert list(trace.y) == ["below -1", "-1 to 0", "0 to 1", "above 1"]
    assert trace.z.shape == (4, 2)
    np.testing.assert_allclose(trace.z[:, 0], [0.01, 0.3, 0.6, 0.09], rtol=1e-6)


def test_filter_mosaics_show_each_epoch():
    record = full_record(layers=1, epochs=3)
    figure = figures.filter_mosaics(record)
    (slider,) = figure.layout.sliders
    assert [step.label for step in slider.steps] == ["0", "1", "2"]
    assert figure.layout.images[0].source == slider.steps[2].args[0]["images[0].source"]
    assert list(figure.layout.xaxis.range) == [0, 25]


def test_pictures_that_are_no_png_are_left_out():
    record = TrainingRecord()
    record.add_image("filters", 0, b"no picture")
    assert not figures.filter_mosaics(record).layout.images


def test_names_are_escaped_for_plotly():
    figure = figures.update_ratios(hostile_record())
    names = {trace.meta.rpartition("/")[0] for trace in figure.data if trace.meta}
    assert not [name for name in names if "<" in name or "$" in name]
    assert len(names) == len(HOSTILE_NAMES)


def test_norms_offer_the_weights_by_choice():
    record = full_record(layers=1)
    figure = figures.weight_and_gradient_norms(record)
    (menu,) = figure.layout.updatemenus
    assert [button.label for button in menu.buttons] == ["Gradients", "Weights"]
    visible = menu.buttons[1].args[0]["visible"]
    chosen = [trace for trace, on in zip(figure.data, visible, strict=True) if on]
    names = {(trace.meta) for trace in chosen}
    assert names == {"dense_0/kernel", "dense_0/bias"}
    weights = record.values(*Series("weight_norm", "dense_0", "kernel"))[2]
    (kernel,) = [trace for trace in chosen if trace.meta == "dense_0/kernel"]
    np.testing.assert_array_equal(kernel.y, weights)


def test_measures_without_a_figure_are_drawn_all_the_same():
    record = full_record(layers=2, epochs=2)
    record.describe(Measure("sharpness", of="layer", words="Sharpness", unit="s"))
    for step in range(3):
        record.add("sharpness", step, step=step, epoch=0, layer="dense_0")
        record.add("auc", step, step=step, epoch=0)
    figure = figures.other_measures(record)
    labels = [button.label for button in figure.layout.updatemenus[0].buttons]
    assert labels == ["Time of a step", "Sharpness"]
    assert figure.layout.yaxis.title.text == "Time of a step (seconds)"
    shown = [trace for trace in figure.data if trace.meta == "dense_0"]
    assert shown[0].y.tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("draw", "places"),
    [
        (figures.loss_curve, [59.5, 79.5]),
        (figures.train_against_validation, [2.5, 3.5]),
    ],
)
def test_a_line_shows_where_each_later_fit_began(draw, places):
    record = full_record(layers=1, epochs=5)
    assert not draw(record).layout.shapes
    record.metadata["fits"] = [
        {"step": 20 * epoch, "epoch": epoch} for epoch in (0, 3, 4)
    ]
    lines = draw(record).layout.shapes
    assert [line.x0 for line in lines] == places
    assert [note.text for note in draw(record).layout.annotations] == ["fit 2", "fit 3"]
