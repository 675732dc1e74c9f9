"""The pictures of the first layer's filters, epoch by epoch."""

import base64
import struct
from typing import TYPE_CHECKING

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Image
from keras_trainkit.record.vocabulary import measure_named
from keras_trainkit.report.drawing.declaration import Source
from keras_trainkit.report.drawing.mosaic import Mosaic
from keras_trainkit.report.drawing.notebook import mosaic_figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_MOST = 60
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def filter_mosaics(record: Source) -> "Figure":
    """Shows the first layer's filters, with a slider over the epochs.

    Args:
        record: The record, its file, or the run directory.
    """
    return mosaic_figure(mosaics(Readings.of(record)))


def mosaics(readings: Readings) -> list[Mosaic]:
    """All pictures of the filters, or evenly spaced ones with the first and last."""
    images = [
        image
        for image in readings.record.images("filters")
        if image.png.startswith(_SIGNATURE) and len(image.png) >= 24
    ]
    if len(images) > _MOST:
        places = np.linspace(0, len(images) - 1, _MOST).round().astype(int)
        images = [images[place] for place in places]
    return [_mosaic(readings, image) for image in images]


def _mosaic(readings: Readings, image: Image) -> Mosaic:
    width, height = struct.unpack(">II", image.png[16:24])
    data = base64.b64encode(image.png).decode("ascii")
    address = f"data:image/png;base64,{data}"
    words = f"Epoch {image.epoch}{_words(readings, image.epoch)}"
    return Mosaic(image.epoch, address, width, height, words)


def _words(readings: Readings, epoch: int) -> str:
    """How smooth the filters are, whether noise is too, and whether they are alive."""
    value = _reading(readings, "filter_smoothness", epoch)
    if value is None:
        return ""
    words = f", smoothness {value:.2f}"
    noise = _reading(readings, "noise_smoothness", epoch)
    if noise is None:
        words += " (noise has 0)"
    elif value <= noise:
        words += f", no more than noise (up to {noise:.2f})"
    else:
        words += f", more than noise (up to {noise:.2f})"
    dead = _reading(readings, "dead_fraction", epoch)
    healthy = measure_named("dead_fraction").healthy
    if dead is not None and healthy is not None and not healthy.holds(dead):
        words += f". {dead:.0%} of these filters are dead: they no longer learn"
    return words


def _reading(readings: Readings, measure: str, epoch: int) -> float | None:
    """The reading of the layer whose filters are shown."""
    layers = [series.layer for series in readings.select("filter_smoothness")]
    for series in readings.select(measure):
        if series.layer in layers[:1]:
            (value,) = readings.at_epochs(series, [epoch])
            return float(value) if np.isfinite(value) else None
    return None
