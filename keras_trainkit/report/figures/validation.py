"""Training against validation, with the gap between them."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_trainkit.arguments import received
from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Series
from keras_trainkit.report.drawing.declaration import Declaration, Source
from keras_trainkit.report.drawing.specification import (
    Choice,
    Specification,
    decode,
    encode,
    integers,
    plain,
    sentence,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def train_against_validation(record: Source, metric: str = "loss") -> "Figure":
    """Draws a metric on training and on validation data, the gap shaded.

    The training side is the one re-measured in evaluation mode where the record has
    it (`train_<metric>_eval`), else the running mean of the epoch.

    Args:
        record: The record, its file, or the run directory.
        metric: Name of the metric as Keras reports it, without `val_`.

    Raises:
        ValueError: If the record has metrics, but not this one.
    """
    readings = Readings.of(record)
    if readings.metrics and metric not in readings.metrics:
        known = ", ".join(repr(name) for name in readings.metrics)
        raise ValueError(
            f"`metric` must be one of {known}. {received('metric', metric)}"
        )
    declared = Declaration("metrics of epochs", 0, partial(draw, metric=metric))
    return declared.plotted(readings)


def draw(readings: Readings, metric: str) -> Specification | None:
    """Draws one metric; `None` if it was not recorded."""
    traces = _traces(readings, metric)
    if not traces:
        return None
    return _specification(f"metric-{metric}", metric, traces)


def draw_others(readings: Readings) -> Specification | None:
    """Draws all metrics but the loss, one at a time by choice."""
    names = [name for name in readings.metrics if name != "loss"]
    drawings = {name: more for name in names if (more := _traces(readings, name))}
    if len(drawings) < 2:
        return draw(readings, next(iter(drawings))) if drawings else None
    traces: list[dict[str, Any]] = []
    options = []
    for name, more in drawings.items():
        options.append(
            {
                "label": name,
                "traces": list(range(len(traces), len(traces) + len(more))),
                "layout": {"yaxis.title.text": plain(sentence(name))},
            }
        )
        traces += [{**trace, "visible": not options[:-1]} for trace in more]
    figure = _specification("metrics", next(iter(drawings)), traces)
    figure.title = "Other metrics"
    figure.choice = Choice("Metric", options)
    return figure


def _specification(
    name: str, metric: str, traces: list[dict[str, Any]]
) -> Specification:
    return Specification(
        name="".join(letter if letter.isalnum() else "-" for letter in name),
        title=f"{sentence(metric)}: training against validation",
        caption="A gap that keeps growing is overfitting. Only a training side "
        "measured in evaluation mode compares fairly: the running mean of an epoch "
        "lags behind and includes dropout.",
        traces=traces,
        layout={
            "xaxis": {
                "title": {"text": "Epoch (the first is 0)"},
                **integers(np.concatenate([decode(trace["x"]) for trace in traces])),
            },
            "yaxis": {"title": {"text": plain(sentence(metric))}},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        },
        logarithmic="yaxis",
        over="epoch",
    )


def _traces(readings: Readings, metric: str) -> list[dict[str, Any]]:
    train, evaluated = readings.training_series(metric)
    validation = readings.validation_series(metric)
    traces = []
    if train and validation:
        traces += _gap(readings, train, validation)
    if train and evaluated:
        running = metric if metric != "loss" else "epoch_loss"
        name = "training, evaluation mode"
        if Series(running) in readings.select(running):
            faint = _line(readings, Series(running), "training, running mean", "@train")
            faint["line"].update(width=1.2, dash="dot")
            traces.append(faint)
    else:
        name = "training, running mean"
    if train:
        traces.append(_line(readings, train, name, "@train"))
    if validation:
        traces.append(_line(readings, validation, "validation", "@validation"))
    return traces


def _line(readings: Readings, series: Series, name: str, color: str) -> dict[str, Any]:
    _, epochs, values = readings.arrays(series)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": encode(epochs),
        "y": encode(values),
        "line": {"width": 2, "color": color},
        "marker": {"size": 5 if len(epochs) <= 60 else 1},
        "hovertemplate": f"epoch %{{x}}: %{{y:.4g}}<extra>{name}</extra>",
    }


def _gap(readings: Readings, train: Series, validation: Series) -> list[dict[str, Any]]:
    """Two edges without lines, over the epochs both sides know, filled between."""
    _, epochs, low = readings.arrays(train)
    _, others, high = readings.arrays(validation)
    both, here, there = np.intersect1d(epochs, others, return_indices=True)
    low, high = low[here], high[there]
    known = np.isfinite(low) & np.isfinite(high)
    edge = {
        "type": "scatter",
        "mode": "lines",
        "x": encode(both[known]),
        "line": {"width": 0},
        "hoverinfo": "skip",
    }
    return [
        {**edge, "y": encode(low[known]), "showlegend": False},
        {
            **edge,
            "y": encode(high[known]),
            "name": "gap",
            "fill": "tonexty",
            "fillcolor": "@gap",
        },
    ]


FIGURES = (
    Declaration(
        "the loss, training against validation",
        20,
        partial(draw, metric="loss"),
        (
            "val_loss",
            "train_loss_eval",
            "epoch_loss",
            "overfitting_gap",
            "overfitting_gap_smoothed",
            "overfitting_gap_trend",
        ),
    ),
    Declaration("other metrics", 30, draw_others),
)
