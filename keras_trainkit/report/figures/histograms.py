"""Histograms of activations and of their gradients, epoch by epoch."""

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Series
from keras_trainkit.report.drawing.declaration import Declaration, Source
from keras_trainkit.report.drawing.specification import (
    Choice,
    Specification,
    decode,
    encode,
    integers,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_EPOCHS = 60


def histogram_heatmap(record: Source) -> "Figure":
    """Draws the histograms of activations and gradients, one column an epoch.

    Args:
        record: The record, its file, or the run directory.

    Returns:
        The share of values in each bin; a menu chooses the layer.
    """
    return FIGURES[0].plotted(record)


def draw(readings: Readings) -> Specification | None:
    """Draws one heat map a layer and tensor, chosen by the reader."""
    by_place: dict[tuple[str, str], list[Series]] = {}
    for name in readings.record.measures:
        if readings.record.measure(name).bins:
            for series in readings.select(name):
                by_place.setdefault((name, series.layer), []).append(series)
    if not by_place:
        return None
    options = [
        _option(
            readings,
            f"{readings.record.measure(name).words} of {layer}",
            sorted(chosen, key=lambda one: one.edges),
        )
        for (name, layer), chosen in by_place.items()
    ]
    trace = {
        "type": "heatmap",
        "colorscale": [[0, "@surface"], [1, "@train"]],
        "colorbar": {
            "title": {"text": "Share", "font": {"size": 13}},
            "tickfont": {"size": 12},
            "thickness": 12,
            "outlinewidth": 0,
        },
        "hovertemplate": "epoch %{x}<br>%{y}<br>share %{z:.3g}<extra></extra>",
        **{name: values[0] for name, values in options[0]["data"].items()},
    }
    return Specification(
        name="histograms",
        title="Histograms over the epochs",
        caption="How the values of a layer are distributed; one column an epoch, "
        "strong where most values lie. A column that collapses into one bin says "
        "that the layer no longer tells its inputs apart.",
        traces=[trace],
        layout={
            "xaxis": {
                "title": {"text": "Epoch (the first is 0)"},
                **integers(decode(options[0]["data"]["x"][0])),
            },
            "yaxis": {"title": {"text": "Value"}, "type": "category", "nticks": 12},
        },
        choice=Choice("Tensor", options) if len(options) > 1 else None,
        over="epoch",
    )


def _option(readings: Readings, words: str, chosen: list[Series]) -> dict[str, Any]:
    epochs = np.unique(
        np.concatenate([readings.arrays(series)[1] for series in chosen])
    )
    if len(epochs) > _EPOCHS:
        places = np.linspace(0, len(epochs) - 1, _EPOCHS).round().astype(int)
        epochs = epochs[places]
    counts = np.array([readings.at_epochs(series, epochs) for series in chosen])
    counts = np.where(np.isfinite(counts), counts, 0.0)
    totals = counts.sum(axis=0)
    share = (counts / np.where(totals > 0, totals, 1.0)).astype(np.float32)
    names = [_interval(*series.edges) for series in chosen]
    return {
        "label": words,
        "data": {
            "x": [encode(epochs)],
            "y": [names],
            "z": [encode(share)],
        },
    }


def _interval(left: float, right: float) -> str:
    if left == right:
        return f"{left:.2g}"
    if left == -np.inf:
        return f"below {right:.2g}"
    if right == np.inf:
        return f"above {left:.2g}"
    return f"{left:.2g} to {right:.2g}"


FIGURES = (Declaration("histograms", 90, draw),)
