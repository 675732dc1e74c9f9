"""Lines where another `fit` began, in a record that goes on over several."""

from typing import Any

from keras_trainkit.record.readings import Readings
from keras_trainkit.report.drawing.specification import Specification


def mark_fits(readings: Readings, figure: Specification) -> None:
    """Adds a dotted line to a figure over steps or epochs for each later fit."""
    later = readings.record.fits[1:]
    if not later or not figure.over:
        return
    shapes: list[dict[str, Any]] = list(figure.layout.get("shapes", []))
    notes: list[dict[str, Any]] = list(figure.layout.get("annotations", []))
    for number, fit in enumerate(later, start=2):
        place = (fit.step if figure.over == "step" else fit.epoch) - 0.5
        shapes.append(
            {
                "type": "line",
                "x0": place,
                "x1": place,
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": {"width": 1.2, "dash": "dot", "color": "@muted"},
            }
        )
        notes.append(
            {
                "text": f"fit {number}",
                "x": place,
                "y": 1,
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "top",
                "showarrow": False,
                "font": {"size": 11, "color": "@muted"},
            }
        )
    figure.layout["shapes"], figure.layout["annotations"] = shapes, notes
