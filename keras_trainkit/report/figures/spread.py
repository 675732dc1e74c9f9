"""How activations and gradients spread from the first layer to the last."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Series
from keras_trainkit.report.drawing.declaration import Declaration, Source
from keras_trainkit.report.drawing.specification import (
    Choice,
    Specification,
    decades,
    encode,
    plain,
    short,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_MEASURES = (
    "activation_mean",
    "activation_std",
    "activation_gradient_std",
)
_EPOCHS = 40
_NAMES_SHOWN = 24


def layer_spread(record: Source) -> "Figure":
    """Draws activations and gradients from the first layer to the last.

    Args:
        record: The record, its file, or the run directory.

    Returns:
        Mean activation with one standard deviation either way, and the standard
        deviations of activations and gradients on a logarithmic axis, each the last
        reading of the epoch that the slider chooses.
    """
    return FIGURES[0].plotted(record)


def draw(readings: Readings) -> Specification | None:
    """Draws mean and standard deviation layer by layer, epoch by epoch."""
    recorded = {
        measure: {series.layer: series for series in readings.select(measure)}
        for measure in _MEASURES
    }
    layers = [
        layer
        for layer in readings.layers
        if any(layer in of_layer for of_layer in recorded.values())
    ]
    if not layers:
        return None
    epochs = _epochs(readings, recorded)
    broken: np.ndarray = np.zeros((len(epochs), len(layers)), bool)
    tables = {
        measure: _table(readings, of_layer, layers, epochs, broken)
        for measure, of_layer in recorded.items()
    }
    options: list[dict[str, Any]] = [
        {
            "label": f"epoch {epoch}",
            "data": {
                "y": [
                    *(encode(tables[measure][row]) for measure in _MEASURES),
                    encode(np.where(broken[row], 0.0, np.nan)),
                ],
                "error_y.array": [
                    encode(tables["activation_std"][row]),
                    None,
                    None,
                    None,
                ],
            },
        }
        for row, epoch in enumerate(epochs)
    ]
    return Specification(
        name="layer-spread",
        title="Activations and gradients, first layer to last",
        caption="Above, the mean activation of each layer with one standard deviation "
        "either way; below, the standard deviations on a logarithmic axis, where a "
        "healthy network is nearly flat. Each value is the last reading of its epoch.",
        traces=_traces(layers, options[-1]["data"], bool(broken.any())),
        layout=_layout(layers, tables),
        choice=Choice("Epoch", options, selected=len(options) - 1, slider=True)
        if len(options) > 1
        else None,
        wide=True,
    )


def _traces(
    layers: Sequence[str], data: dict[str, Any], any_broken: bool
) -> list[dict[str, Any]]:
    shared = {
        "type": "scatter",
        "x": encode(np.arange(len(layers))),
        "text": [plain(layer) for layer in layers],
        "marker": {"size": 6},
    }
    hover = "%{text}<br>%{y:.3g}<extra>"
    return [
        {
            **shared,
            "mode": "markers",
            "name": "activation, mean ± deviation",
            "y": data["y"][0],
            "error_y": {
                "type": "data",
                "array": data["error_y.array"][0],
                "color": "@train_faint",
                "thickness": 3,
                "width": 0,
            },
            "marker": {"size": 7, "color": "@train"},
            "hovertemplate": hover + "mean activation</extra>",
            "yaxis": "y",
        },
        {
            **shared,
            "mode": "lines+markers",
            "name": "activation, deviation",
            "y": data["y"][1],
            "line": {"color": "@train", "width": 2},
            "hovertemplate": hover + "deviation of activations</extra>",
            "yaxis": "y2",
        },
        {
            **shared,
            "mode": "lines+markers",
            "name": "gradient, deviation",
            "y": data["y"][2],
            "line": {"color": "@series3", "width": 2},
            "hovertemplate": hover + "deviation of gradients</extra>",
            "yaxis": "y2",
        },
        {
            **shared,
            "mode": "markers",
            "name": "not finite",
            "y": data["y"][3],
            "marker": {"symbol": "x-thin-open", "size": 9, "color": "@bad"},
            "hovertemplate": "%{text}<br>NaN or infinite<extra></extra>",
            "showlegend": any_broken,
            "yaxis": "y",
        },
    ]


def _layout(layers: Sequence[str], tables: dict[str, np.ndarray]) -> dict[str, Any]:
    stride = -(-len(layers) // _NAMES_SHOWN)
    named = range(0, len(layers), stride)
    return {
        "xaxis": {
            "tickmode": "array",
            "tickvals": list(named),
            "ticktext": [plain(short(layers[index], 18)) for index in named],
            "tickangle": -40 if len(layers) > 6 else 0,
            "range": [-0.6, len(layers) - 0.4],
            "anchor": "y2",
        },
        "yaxis": {
            "title": {"text": "Activation"},
            "domain": [0.56, 1],
            "zeroline": True,
            "zerolinecolor": "@axis",
        },
        "yaxis2": {
            "title": {"text": "Deviation"},
            "domain": [0, 0.48],
            **_decades(tables),
        },
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    }


def _decades(tables: dict[str, np.ndarray]) -> dict[str, Any]:
    """One range for all epochs, so that the eye can compare them."""
    both = np.concatenate(
        [tables["activation_std"].ravel(), tables["activation_gradient_std"].ravel()]
    )
    both = both[np.isfinite(both) & (both > 1e-12)]
    if not len(both):
        return {"type": "log"}
    low, high = float(both.min()), float(both.max())
    ends = [float(np.log10(low)) - 0.3, float(np.log10(high)) + 0.3]
    return {**decades(low, high), "range": ends}


def _epochs(readings: Readings, recorded: dict[str, dict[str, Series]]) -> list[int]:
    """Epochs to choose from: all, or evenly spaced ones with the first and last."""
    every = [series for of in recorded.values() for series in of.values()]
    last = [readings.arrays(series)[1][-1] for series in every]
    epochs = np.union1d(readings.arrays(every[0])[1], last)
    if len(epochs) > _EPOCHS:
        places = np.linspace(0, len(epochs) - 1, _EPOCHS).round().astype(int)
        epochs = epochs[places]
    return [int(epoch) for epoch in epochs]


def _table(
    readings: Readings,
    of_layer: dict[str, Series],
    layers: Sequence[str],
    epochs: Sequence[int],
    broken: np.ndarray,
) -> np.ndarray:
    """Last reading of each epoch, shape `(epochs, layers)`; NaN where there is none.

    Marks in `broken`, of the same shape, the readings that are not finite.
    """
    table = np.full((len(epochs), len(layers)), np.nan)
    for column, layer in enumerate(layers):
        if layer in of_layer:
            values, found = readings.found_at_epochs(of_layer[layer], epochs)
            table[found, column] = values[found]
            broken[:, column] |= found & ~np.isfinite(values)
    return table


FIGURES = (
    Declaration(
        "activations and gradients of layers",
        50,
        draw,
        (*_MEASURES, "activation_gradient_mean"),
    ),
)
