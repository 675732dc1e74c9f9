"""Records of runs that never were, of every kind the report must cope with."""

import numpy as np
import tensorflow as tf

from keras_trainkit.finding import Finding
from keras_trainkit.record.series import Series
from keras_trainkit.record.training_record import TrainingRecord

HOSTILE = "</script><img src=x onerror=alert(1)>"
HOSTILE_NAMES = (
    HOSTILE,
    "<!--<script>",
    "%{x} {{ 7 * 7 }} ${y}",
    '" onmouseover="alert(2)',
    "@train",
    "<a href='javascript:alert(3)'>b</a>&amp;",
)


def hostile_finding(category="data"):
    """A finding that is markup wherever it may be."""
    return Finding(
        HOSTILE,
        HOSTILE,
        evidence={HOSTILE: HOSTILE},
        advice=HOSTILE,
        code="odd",
        category=category,
    )


def full_record(layers=6, epochs=5, steps_per_epoch=20, names=None):
    """Everything that a record may hold."""
    random = np.random.default_rng(0)
    names = names or [f"dense_{index}" for index in range(layers)]
    columns = [Series("loss"), Series("learning_rate"), Series("step_seconds")]
    for layer in names:
        for variable in ("kernel", "bias"):
            for measure in (
                "weight_norm",
                "gradient_norm",
                "update_norm",
                "update_ratio",
            ):
                columns.append(Series(measure, layer, variable))
            columns.append(Series("nonfinite_count", layer, variable, "gradient"))
        for measure in (
            "activation_mean",
            "activation_std",
            "zero_fraction",
            "saturated_fraction",
            "activation_gradient_mean",
            "activation_gradient_std",
        ):
            columns.append(Series(measure, layer))
    counts = [column.measure == "nonfinite_count" for column in columns]
    record = TrainingRecord()
    for epoch in range(epochs):
        steps = np.arange(epoch * steps_per_epoch, (epoch + 1) * steps_per_epoch)
        values = np.exp(random.normal(-6, 0.4, (len(steps), len(columns))))
        values = values.astype(np.float32)
        values[:, counts] = 0
        record.append(columns, steps, np.full(len(steps), epoch), values)
        _end_epoch(record, names, int(steps[-1]), epoch, random)
    record.metadata = {
        "model_name": "many_layers",
        "model_summary": "Model: many_layers",
        "layers": list(names),
        "optimizer": {"class_name": "SGD", "learning_rate": 0.01},
        "versions": {"keras": "3"},
        "seed": 3,
        "input_shapes": [[None, 8]],
        "status": "finished",
        "started": "2026-01-02T03:04:05",
        "updated": "2026-01-02T03:14:05",
        "epochs": epochs,
        "overhead": 0.021,
    }
    return record


def _end_epoch(record, names, step, epoch, random):
    fall = float(np.exp(-epoch / 4))
    metrics = {
        "epoch_loss": 1.1 * fall,
        "train_loss_eval": fall,
        "val_loss": fall + 0.1,
        "accuracy": 1 - 0.6 * fall,
        "train_accuracy_eval": 1 - 0.5 * fall,
        "val_accuracy": 0.95 - 0.5 * fall,
        "top_k": 1 - 0.1 * fall,
        "val_top_k": 1 - 0.2 * fall,
    }
    for name, value in metrics.items():
        record.add(name, value, step=step, epoch=epoch)
    place = {"step": step, "epoch": epoch}
    for suffix in ("", "_smoothed", "_trend"):
        record.add(f"overfitting_gap{suffix}", 0.1, metric="loss", **place)
    for layer in names:
        record.add("dead_fraction", random.uniform(0, 0.2), layer=layer, **place)
        for edges, count in (("-inf:-1", 1), ("-1:0", 30), ("0:1", 60), ("1:inf", 9)):
            for measure in ("activation_histogram", "activation_gradient_histogram"):
                record.add(measure, count, layer=layer, bin=edges, **place)
    record.add("filter_smoothness", 0.2, layer=names[0], **place)
    pixels = random.integers(0, 255, (17, 25, 1), dtype=np.uint8)
    record.add_image("filters", epoch, tf.io.encode_png(pixels).numpy())


def sick_record():
    """A run whose numbers become NaN and infinite, and zero before that."""
    record = full_record(layers=3, epochs=2)
    columns = (
        Series("loss"),
        Series("update_ratio", "dense_0", "kernel"),
        Series("update_ratio", "dense_1", "kernel"),
        Series("nonfinite_count", "dense_2", "kernel", "gradient"),
        Series("activation_std", "dense_2"),
        Series("dead_fraction", "dense_1"),
    )
    values = np.array(
        [
            [1e30, 0.0, np.inf, 0, np.inf, 1.0],
            [np.inf, 0.0, np.nan, 7, np.nan, 1.0],
            [np.nan, np.nan, -np.inf, 9, -np.inf, np.nan],
        ]
    )
    record.append(columns, np.arange(40, 43), np.full(3, 2), values)
    for name in ("epoch_loss", "val_loss"):
        record.add(name, float("nan"), step=42, epoch=2)
    record.metadata["status"] = "interrupted"
    return record


def hostile_record():
    """Every name in the record wants to be more than a name."""
    record = full_record(epochs=2, names=list(HOSTILE_NAMES))
    for metric in ("<b>metric</b>", "</script>"):
        for name in (metric, f"val_{metric}"):
            record.add(name, 0.5, step=39, epoch=1)
    record.metadata.update(
        model_name=HOSTILE,
        model_summary=HOSTILE,
        optimizer={HOSTILE: HOSTILE},
        status=HOSTILE,
        started=HOSTILE,
        overhead=HOSTILE,
        epochs=HOSTILE,
    )
    return record


def extreme_record():
    """The largest, smallest and most negative numbers of single precision."""
    record = full_record(layers=2, epochs=2)
    extremes = np.array([3.4e38, -3.4e38, 1e-45, -0.0, np.inf, np.nan])
    columns = [
        series
        for series in record.series
        if not series.measure.endswith(("fraction", "histogram", "count"))
    ]
    values = np.tile(extremes[:, None], len(columns))
    record.append(columns, np.arange(40, 46), np.arange(2, 8), values)
    return record


def empty_record():
    """What is there before the first step."""
    return TrainingRecord()
