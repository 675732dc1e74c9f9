"""A figure whose reader chooses one of several measures."""

from collections.abc import Sequence
from typing import Any

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.vocabulary import Measure
from keras_trainkit.report.drawing.lines import layer_lines
from keras_trainkit.report.drawing.specification import (
    Choice,
    Specification,
    decades,
    plain,
)


def draw_measures(
    readings: Readings,
    measures: Sequence[str],
    **about: Any,
) -> Specification | None:
    """Draws the lines of the first measure recorded, the others by choice.

    Args:
        readings: The record.
        measures: Names of what the reader chooses from.
        **about: Name, title, caption, layout of the specification.
    """
    traces: list[dict[str, Any]] = []
    rest: list[int] = []
    options: list[dict[str, Any]] = []
    for name in measures:
        chosen = readings.select(name)
        if not chosen:
            continue
        measure = readings.record.measure(name)
        more, demanded, low, high = layer_lines(readings, chosen, measure)
        if options:
            for trace in more:
                trace["visible"] = False
        start = len(traces)
        rest += [start + index for index in demanded]
        traces += more
        options.append(
            {"label": measure.words, "traces": list(range(start, len(traces)))}
        )
        changes = decades(low, high) if measure.logarithmic else {}
        if not about["layout"]["yaxis"]["title"]["text"]:
            changes |= {"title": {"text": _axis_title(measure)}}
        if changes:
            options[-1]["layout"] = {f"yaxis.{key}": to for key, to in changes.items()}
    if not options:
        return None
    about["layout"] = {
        "xaxis": {"title": {"text": "Step"}, "rangemode": "nonnegative"},
        **about["layout"],
    }
    if "layout" in options[0]:
        about["layout"]["yaxis"] |= {
            key.removeprefix("yaxis."): to for key, to in options[0]["layout"].items()
        }
    choice = Choice("Measure", options) if len(options) > 1 else None
    return Specification(traces=traces, rest=rest, choice=choice, over="step", **about)


def _axis_title(measure: Measure) -> str:
    unit = {"s": "seconds", "fraction": "fraction"}.get(measure.unit, "")
    return plain(measure.words + (f" ({unit})" if unit else ""))
