import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.report import TensorBoardExport
from tests.report.records import full_record, sick_record

accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator",
    reason="tensorboard is not installed",
)


def read(directory):
    guidance = dict.fromkeys(("scalars", "histograms", "images"), 0)  # keep them all
    events = accumulator.EventAccumulator(str(directory), size_guidance=guidance)
    events.Reload()
    return events


def scalars(events, tag):
    found = events.Scalars(tag)
    return [event.step for event in found], [event.value for event in found]


@pytest.mark.parametrize(
    ("tag", "series"),
    [
        ("loss", ("loss",)),
        ("val_accuracy", ("val_accuracy",)),
        ("update_ratio/dense_1/kernel", ("update_ratio", "dense_1", "kernel")),
        ("dead_fraction/dense_0", ("dead_fraction", "dense_0")),
    ],
)
def test_export_gives_tensorboard_each_number_at_its_step(tag, series, tmp_path):
    record = full_record(layers=2, epochs=3)
    export = TensorBoardExport(tmp_path)
    export.write(record)
    export.close()
    steps, _, values = record.values(*series)
    read_steps, read_values = scalars(read(tmp_path), tag)
    assert read_steps == steps.tolist()
    assert read_values == values.astype(np.float32).tolist()


def test_export_adds_only_what_is_new(tmp_path):
    record = TrainingRecord()
    export = TensorBoardExport(tmp_path)
    for step in range(3):
        record.add("loss", step, step=step, epoch=0)
        pixel = tf.constant([[[step]]], tf.uint8)
        record.add_image("filters", step, tf.io.encode_png(pixel).numpy())
        export.write(record)
        export.write(record)
    export.close()
    events = read(tmp_path)
    assert scalars(events, "loss") == ([0, 1, 2], [0.0, 1.0, 2.0])
    assert [event.step for event in events.Images("filters")] == [0, 1, 2]


def test_export_is_readable_before_it_is_closed(tmp_path):
    record = TrainingRecord()
    record.add("loss", 2.0, step=0, epoch=0)
    export = TensorBoardExport(tmp_path)
    export.write(record)
    assert scalars(read(tmp_path), "loss") == ([0], [2.0])
    export.close()


def test_export_keeps_nan_and_infinity(tmp_path):
    export = TensorBoardExport(tmp_path)
    export.write(sick_record())
    export.close()
    _, values = scalars(read(tmp_path), "update_ratio/dense_1/kernel")
    np.testing.assert_array_equal(values[-3:], [np.inf, np.nan, -np.inf])


def test_export_keeps_the_bins_of_histograms(tmp_path):
    export = TensorBoardExport(tmp_path)
    export.write(full_record(layers=1, epochs=2))
    export.close()
    found = read(tmp_path).Histograms("activation_histogram/dense_0")
    assert [event.step for event in found] == [19, 39]
    histogram = found[0].histogram_value
    assert histogram.bucket == [0, 1, 30, 60, 9]
    assert histogram.bucket_limit == [-10, -1, 0, 1, 10]
    assert histogram.num == 100


def test_export_carries_the_mosaic_as_it_is(tmp_path):
    record = full_record(layers=1, epochs=1)
    export = TensorBoardExport(tmp_path)
    export.write(record)
    export.close()
    (event,) = read(tmp_path).Images("filters")
    assert (event.width, event.height) == (25, 17)
    assert event.encoded_image_string == record.images("filters")[0].png


def test_export_reaches_the_dashboards_of_today(tmp_path):
    served = pytest.importorskip(
        "tensorboard.backend.event_processing.plugin_event_accumulator"
    )
    export = TensorBoardExport(tmp_path)
    export.write(full_record(layers=1, epochs=1))
    export.close()
    events = served.EventAccumulator(str(tmp_path))
    events.Reload()
    for plugin, tag in (
        ("scalars", "update_ratio/dense_0/kernel"),
        ("histograms", "activation_histogram/dense_0"),
        ("images", "filters"),
    ):
        assert tag in events.PluginTagToContent(plugin)


def test_export_closes_twice_and_opens_again(tmp_path):
    record = TrainingRecord()
    export = TensorBoardExport(tmp_path)
    export.close()
    for step in range(2):
        record.add("loss", step, step=step, epoch=0)
        export.write(record)
        export.close()
        export.close()
    assert scalars(read(tmp_path), "loss") == ([0, 1], [0.0, 1.0])


@pytest.mark.parametrize("log_dir", [None, 3, ""])
def test_export_names_a_bad_directory(log_dir):
    with pytest.raises(
        ValueError, match=r"`log_dir` must be a path.*Received: log_dir="
    ):
        TensorBoardExport(log_dir)
