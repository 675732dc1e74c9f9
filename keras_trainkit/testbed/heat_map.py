"""Tests by optimizers, coloured by grade."""

from typing import Any

import numpy as np
import pandas as pd

from keras_trainkit.axes import new_axes
from keras_trainkit.report.drawing.specification import (
    Specification,
    decades,
    encode,
    plain,
    short,
)
from keras_trainkit.testbed.grading import GRADES

# Of the figures in the paper, dimmed: far better blue, good green, unreliable yellow,
# poor orange, partly diverged violet, diverged red; what raised is black.
COLORS = ("#20242c", "#b3202c", "#8d5bb5", "#f08c3a", "#f3dd7a", "#4aa878", "#2f6fd6")

ROW = 20
"""Height of an optimizer in pixels."""


def draw_heat_map(table: pd.DataFrame) -> Specification:
    """Draws the heat map.

    Families stand side by side; within one, tests go from those that want a small
    rate of gradient descent to those that want a large one.

    Args:
        table: As from `Result.to_frame`.
    """
    grades, families = _in_order(table, "grade")
    progress, _ = _in_order(table, "progress")
    codes = grades.apply(lambda found: found.map(GRADES.index)).to_numpy()
    rows = [short(plain(name), 40) for name in grades.index]
    steps = [
        [edge / len(COLORS), color]
        for index, color in enumerate(COLORS)
        for edge in (index, index + 1)
    ]
    trace = {
        "type": "heatmap",
        "z": encode(codes.astype("float32")),
        "x": [plain(name) for name in grades.columns],
        "y": _apart(rows),
        "zmin": -0.5,
        "zmax": len(GRADES) - 0.5,
        "colorscale": steps,
        "hovertext": [
            [f"{grade}, {value:.3g}" for grade, value in zip(*pair, strict=True)]
            for pair in zip(grades.to_numpy(), progress.to_numpy(), strict=True)
        ],
        "hovertemplate": "%{y}<br>%{x}<br>%{hovertext} of the best SGD<extra></extra>",
        "ygap": 1,
        "colorbar": {
            "orientation": "h",
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
            "thickness": 12,
            "tickmode": "array",
            "tickvals": list(range(len(GRADES))),
            "ticktext": list(GRADES),
            "ticks": "",
            "outlinewidth": 0,
        },
    }
    return Specification(
        "heat-map",
        "Tests by optimizers",
        "Each column is a test, in groups by family, from left to right by the rate "
        "that suits gradient descent best. Green and blue pass. Point at a cell for "
        "the name of its test.",
        [trace],
        {
            "xaxis": {"type": "category", "showticklabels": False, "ticks": ""},
            "yaxis": {"type": "category", "autorange": "reversed", "ticks": ""},
            "margin": {"t": 40, "b": 76, "l": 40, "r": 12},
            **_family_marks(families),
        },
        wide=True,
    )


def plot_heat_map(table: pd.DataFrame, axes: Any = None) -> Any:
    """Draws the heat map with matplotlib; see `Result.plot`."""
    axes = new_axes() if axes is None else axes
    grades, families = _in_order(table, "grade")
    codes = grades.apply(lambda found: found.map(GRADES.index)).to_numpy(int)
    pixels = np.array([tuple(bytes.fromhex(color[1:])) for color in COLORS])[codes]
    axes.imshow(pixels.astype("uint8"), aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(grades)), grades.index, fontsize=7)
    begins = [i for i, f in enumerate(families) if i == 0 or f != families[i - 1]]
    ends = [*begins[1:], len(families)]
    middles = [(begin + end) / 2 for begin, end in zip(begins, ends, strict=True)]
    axes.set_xticks(middles, [families[begin] for begin in begins], fontsize=8)
    axes.tick_params(length=0)
    for begin in begins[1:]:
        axes.axvline(begin - 0.5, color="white", linewidth=2)
    for grade, color in zip(GRADES, COLORS, strict=True):
        axes.plot([], [], "s", color=color, label=grade)
    axes.legend(ncols=len(GRADES), loc="lower center", bbox_to_anchor=(0.5, 1))
    return axes


def draw_rates(table: pd.DataFrame) -> Specification | None:
    """Draws pass rates over rates, a line a rule; `None` if no rule has two rates."""
    passed = table.assign(passed=table["verdict"].eq("pass"))
    passed = passed[np.isfinite(passed["rate"]) & (passed["rate"] > 0)]
    lines = passed.groupby(["rule", "rate"], sort=False)["passed"].mean()
    traces = []
    for rule in dict.fromkeys(passed["rule"]):
        line = lines[rule].sort_index()
        if len(line) > 1:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": plain(short(rule, 40)),
                    "x": line.index.tolist(),
                    "y": line.tolist(),
                    "hovertemplate": "rate %{x:.2g}: %{y:.3f}",
                }
            )
    if not traces:
        return None
    rates = [rate for trace in traces for rate in trace["x"]]
    axis: dict[str, Any] = decades(min(rates), max(rates))
    return Specification(
        "rates",
        "How sensitive is it to its rate",
        "The part of the tests that a rule passes at each rate. A broad top is worth "
        "more than a high one where the right rate is not known.",
        traces,
        {
            "xaxis": {"title": {"text": "learning rate"}, **axis},
            "yaxis": {"title": {"text": "pass rate"}, "range": [0, 1]},
        },
        wide=True,
    )


def _in_order(table: pd.DataFrame, column: str) -> tuple[pd.DataFrame, list[str]]:
    """A column as optimizers by tests, and the family of each test."""
    tests = table.drop_duplicates("test").set_index("test")
    place = {family: index for index, family in enumerate(dict.fromkeys(tests.family))}
    order = tests.assign(place=tests.family.map(place)).sort_values(
        ["place", "sgd_rate"], kind="stable"
    )
    matrix = table.pivot_table(
        column, "optimizer", "test", aggfunc="first", dropna=False, sort=False
    )
    names = list(dict.fromkeys(table["optimizer"]))
    return matrix.reindex(index=names, columns=order.index), list(order.family)


def _apart(rows: list[str]) -> list[str]:
    """Names that shortening has made alike, told apart by their number."""
    return [
        f"{row} ({rows[:index].count(row) + 1})" if row in rows[:index] else row
        for index, row in enumerate(rows)
    ]


def _family_marks(families: list[str]) -> dict[str, Any]:
    """Lines between families, and the name of each that is wide enough for it."""
    shapes, annotations = [], []
    begin = 0
    for index in range(1, len(families) + 1):
        if index < len(families) and families[index] == families[begin]:
            continue
        if begin:
            shapes.append(
                {
                    "type": "line",
                    "x0": begin - 0.5,
                    "x1": begin - 0.5,
                    "y0": 0,
                    "y1": 1,
                    "yref": "paper",
                    "line": {"color": "@surface", "width": 3},
                }
            )
        share = (index - begin) / len(families)
        annotations.append(
            {
                "text": plain(families[begin]),
                "x": (begin + index - 1) / 2,
                "y": 1,
                "yref": "paper",
                "yanchor": "bottom",
                "showarrow": False,
                "textangle": 0 if share > 0.12 else -25,
                "font": {"size": 11, "color": "@muted"},
            }
        )
        begin = index
    return {"shapes": shapes, "annotations": annotations}
