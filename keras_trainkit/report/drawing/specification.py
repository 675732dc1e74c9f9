"""A figure as plain data: what the page embeds and Plotly draws."""

import base64
import dataclasses
from typing import Any

import numpy as np

from keras_trainkit.report.drawing.theme import LOG_TICKS, POWER_SIZE

LONGEST = 26
_TYPES = {"f4": "<f4", "f8": "<f8", "i4": "<i4"}


@dataclasses.dataclass
class Choice:
    """A control that shows one of several states of a figure.

    Args:
        label: What is chosen, e.g. "Epoch".
        options: One dictionary a state: its `label` and either `traces`, the
            indices shown, or `data`, attributes by name with one value a trace;
            `layout` changes may come with both.
        selected: Index of the state the figure starts in.
        slider: Whether the options are points on a scale rather than names.
    """

    label: str
    options: list[dict[str, Any]]
    selected: int = 0
    slider: bool = False


@dataclasses.dataclass
class Specification:
    """One figure.

    Args:
        name: Identifier, unique in the page.
        title: Heading.
        caption: How to read it, one or two sentences.
        traces: Plotly traces as dictionaries.
        layout: Plotly layout, on top of the shared template.
        rest: Indices of the traces shown only on demand.
        choice: A control beside the figure, if it has states.
        logarithmic: Name of an axis that the reader may switch between linear and
            logarithmic; "" for none.
        wide: Whether it takes the full width of a wide page.
        over: "step" or "epoch", if that is what the horizontal axis counts.
    """

    name: str
    title: str
    caption: str
    traces: list[dict[str, Any]]
    layout: dict[str, Any]
    rest: list[int] = dataclasses.field(default_factory=list)
    choice: Choice | None = None
    logarithmic: str = ""
    wide: bool = False
    over: str = ""


def encode(values: Any) -> dict[str, str]:
    """Packs an array as Plotly reads it fastest, without loss.

    Args:
        values: Numbers, shape `(n,)` or `(rows, n)`; NaN and infinity allowed.

    Returns:
        A typed array specification; 4 bytes a number where these are exact.
    """
    array = np.asarray(values)
    whole = array.dtype.kind in "iu"
    wide = array.astype("<i8" if whole else "<f8").tobytes()
    with np.errstate(over="ignore", invalid="ignore"):
        small = array.astype("<i4" if whole else "<f4")
    # Compared as bytes, NaN equals NaN.
    if small.astype("<i8" if whole else "<f8").tobytes() == wide:
        kind, data = "i4" if whole else "f4", small.tobytes()
    else:
        kind, data = "f8", array.astype("<f8").tobytes()
    packed = {"dtype": kind, "bdata": base64.b64encode(data).decode("ascii")}
    if array.ndim == 2:
        packed["shape"] = f"{array.shape[0]}, {array.shape[1]}"
    return packed


def decode(packed: dict[str, str]) -> np.ndarray:
    """Unpacks what `encode` packed."""
    data = base64.b64decode(packed["bdata"])
    array = np.frombuffer(data, _TYPES[packed["dtype"]])
    if "shape" in packed:
        rows, columns = packed["shape"].split(",")
        array = array.reshape(int(rows), int(columns))
    return array


def integers(values: np.ndarray) -> dict[str, int]:
    """Axis settings that keep ticks on whole numbers, for short ranges."""
    few = bool(len(values)) and values.max() - values.min() <= 12
    return {"dtick": 1} if few else {}


def decades(low: float, high: float) -> dict[str, Any]:
    """Axis settings that keep the ticks of a logarithmic axis apart."""
    if not 0 < low < high < np.inf:
        return {"type": "log", **LOG_TICKS}
    span = float(np.log10(high) - np.log10(low))
    if span < 2:
        return {"type": "log", "dtick": "D2", "tickfont": {"size": 12}, **LOG_TICKS}
    return {
        "type": "log",
        "dtick": max(1, round(span / 8)),
        "tickfont": {"size": POWER_SIZE},
        "tickformat": "",
    }


def sentence(name: str) -> str:
    """A name of a program as the beginning of a sentence."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def plain(text: str) -> str:
    """Escapes a name for Plotly, which reads text as a little HTML."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A dollar sign at both ends would ask for TeX.
    return text.replace("$", "&#36;")


def short(text: str, length: int = LONGEST) -> str:
    """Shortens a name in its middle: both ends of layer names tell them apart."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[head + 1 - length :]}"


def number(value: float) -> str:
    """Writes a number for a reader: three digits, NaN and infinity by name."""
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    return f"{value:.3g}"
