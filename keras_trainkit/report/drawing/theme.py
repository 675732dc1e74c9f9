"""Colours by role, for a light and a dark page, and what all figures share.

A figure names a role, such as `"@train"`, wherever a colour goes; the role is
resolved when the figure is drawn, so that one figure serves both schemes.
"""

from typing import Any

LIGHT = {
    "@text": "#1c2330",
    "@muted": "#5b6575",
    "@grid": "#e6e9ee",
    "@axis": "#c3cad4",
    "@surface": "#ffffff",
    "@train": "#2463c9",
    "@train_faint": "rgba(36,99,201,0.30)",
    "@validation": "#c8580a",
    "@gap": "rgba(200,88,10,0.15)",
    "@good": "#16804a",
    "@good_faint": "rgba(22,128,74,0.10)",
    "@bad": "#c62b3a",
    "@series0": "#2463c9",
    "@series1": "#c8580a",
    "@series2": "#16804a",
    "@series3": "#b3267f",
    "@series4": "#6d4bc3",
    "@series5": "#8a6a00",
    "@series6": "#0b7f93",
    "@series7": "#5b6575",
}
DARK = {
    "@text": "#e6e9ef",
    "@muted": "#9aa5b5",
    "@grid": "#2a313d",
    "@axis": "#465063",
    "@surface": "#171c25",
    "@train": "#6aa5ff",
    "@train_faint": "rgba(106,165,255,0.32)",
    "@validation": "#ff9d52",
    "@gap": "rgba(255,157,82,0.18)",
    "@good": "#4cc38a",
    "@good_faint": "rgba(76,195,138,0.12)",
    "@bad": "#ff7480",
    "@series0": "#6aa5ff",
    "@series1": "#ff9d52",
    "@series2": "#4cc38a",
    "@series3": "#f07cc0",
    "@series4": "#b197fc",
    "@series5": "#e3c04d",
    "@series6": "#4fc9dc",
    "@series7": "#a3adbb",
}
SERIES_COLORS = 8
# Plotly writes powers of ten a quarter larger than it is told.
POWER_SIZE = 9.6
# Ticks between the powers of ten bear their whole number, not its first digit.
LOG_TICKS = {"tickformat": "~g"}

_AXIS = {
    "gridcolor": "@grid",
    "linecolor": "@axis",
    "zerolinecolor": "@grid",
    "tickcolor": "@axis",
    "ticks": "outside",
    "ticklen": 4,
    "automargin": True,
    "tickfont": {"size": 12},
    "exponentformat": "power",
    "title": {"standoff": 8, "font": {"size": 13}},
}
TEMPLATE: dict[str, Any] = {
    "layout": {
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "@text"},
        "paper_bgcolor": "@surface",
        "plot_bgcolor": "@surface",
        "hoverlabel": {
            "bgcolor": "@surface",
            "bordercolor": "@axis",
            "font": {"color": "@text"},
            "align": "left",
        },
        "hovermode": "closest",
        "legend": {"bgcolor": "@surface", "font": {"size": 12}, "traceorder": "normal"},
        "margin": {"l": 56, "r": 16, "t": 30, "b": 44},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "colorway": [f"@series{index}" for index in range(SERIES_COLORS)],
    }
}


def resolve(node: Any, colors: dict[str, str] = LIGHT) -> Any:
    """Returns a copy of a figure in which every role has become a colour.

    Only under keys that hold colours: a layer may well be called "@train".
    """
    if isinstance(node, dict):
        return {
            key: _colors_in(value, colors)
            if key.endswith(("color", "colorscale", "colorway"))
            else resolve(value, colors)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [resolve(item, colors) for item in node]
    return node


def _colors_in(node: Any, colors: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_colors_in(item, colors) for item in node]
    return colors.get(node, node) if isinstance(node, str) else node
