"""The pictures of the first layer's filters, epoch by epoch."""

import base64
import struct
from typing import TYPE_CHECKING

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Image
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
    smoothness = _smoothness(readings, image.epoch)
    return Mosaic(image.epoch, address, width, height, smoothness)


def _smoothness(readings: Readings, epoch: int) -> str:
    for series in readings.select("filter_smoothness"):
        (value,) = readings.at_epochs(series, [epoch])
        if np.isfinite(value):
            return f"{value:.2f}"
    return ""
