"""Turns the plain data of a figure into a Plotly figure for notebooks."""

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_trainkit.report.drawing.mosaic import Mosaic
from keras_trainkit.report.drawing.specification import (
    Choice,
    Specification,
    decode,
    plain,
)
from keras_trainkit.report.drawing.theme import LIGHT, TEMPLATE, resolve

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT = 420


def figure(specification: Specification | None, what: str) -> "Figure":
    """Makes a Plotly figure, or an empty one that says that `what` is missing."""
    if specification is None:
        return _empty(what)
    layout: dict[str, Any] = {
        "title": {"text": plain(specification.title)},
        "height": _HEIGHT,
        **specification.layout,
    }
    layout["margin"] = {"t": 96}
    if specification.choice is not None:
        layout |= _control(specification.choice, specification)
    return _figure(specification.traces, layout)


def mosaic_figure(mosaics: list[Mosaic]) -> "Figure":
    """Makes a Plotly figure that shows one picture at a time."""
    if not mosaics:
        return _empty("filters")
    last = mosaics[-1]
    hidden = {"visible": False, "constrain": "domain"}
    steps = [
        {
            "label": str(mosaic.epoch),
            "method": "relayout",
            "args": [{"images[0].source": mosaic.address}],
        }
        for mosaic in mosaics
    ]
    layout = {
        "title": {"text": "Filters of the first layer"},
        "height": _HEIGHT,
        "xaxis": {**hidden, "range": [0, last.width]},
        "yaxis": {**hidden, "range": [last.height, 0], "scaleanchor": "x"},
        "images": [
            {
                "source": last.address,
                "xref": "x",
                "yref": "y",
                "x": 0,
                "y": 0,
                "sizex": last.width,
                "sizey": last.height,
                "sizing": "stretch",
            }
        ],
        "sliders": [
            {
                "steps": steps,
                "active": len(steps) - 1,
                "currentvalue": {"prefix": "Epoch "},
            }
        ],
    }
    return _figure([], layout)


def _control(choice: Choice, specification: Specification) -> dict[str, Any]:
    steps = [
        {
            "label": plain(option["label"]),
            "method": "update",
            "args": [_changes(option, specification), option.get("layout", {})],
        }
        for option in choice.options
    ]
    if choice.slider:
        return {"sliders": [{"steps": steps, "active": choice.selected}]}
    place = {"x": 1, "xanchor": "right", "y": 1.04, "yanchor": "bottom"}
    return {"updatemenus": [{"buttons": steps, "active": choice.selected, **place}]}


def _changes(option: dict[str, Any], specification: Specification) -> dict[str, Any]:
    if "traces" not in option:
        # Plotly reads packed arrays in traces, but not in the steps of a control.
        return {
            name: [
                value.tolist() if isinstance(value, np.ndarray) else value
                for value in unpacked(values)
            ]
            for name, values in option["data"].items()
        }
    shown = set(option["traces"])
    rest = set(specification.rest)
    return {
        "visible": [
            ("legendonly" if index in rest else True) if index in shown else False
            for index in range(len(specification.traces))
        ]
    }


def unpacked(node: Any) -> Any:
    """Returns a copy in which every packed array is an array again."""
    if isinstance(node, dict):
        if "bdata" in node:
            return decode(node)
        return {key: unpacked(value) for key, value in node.items()}
    return [unpacked(item) for item in node] if isinstance(node, list) else node


def _empty(what: str) -> "Figure":
    hidden = {"visible": False}
    text = f"Not in this record: {what}."
    annotation = {"text": text, "showarrow": False, "x": 0.5, "y": 0.5}
    annotation |= {"xref": "paper", "yref": "paper"}
    return _figure([], {"xaxis": hidden, "yaxis": hidden, "annotations": [annotation]})


def _figure(traces: list[dict[str, Any]], layout: dict[str, Any]) -> "Figure":
    from plotly.graph_objects import Figure

    return Figure(
        unpacked(resolve(traces, LIGHT)),
        {"template": resolve(TEMPLATE, LIGHT), **resolve(layout, LIGHT)},
    )
