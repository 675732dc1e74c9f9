"""The pictures of the first layer's filters, epoch by epoch."""

import base64
import struct
from typing import NamedTuple

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Image

_MOST = 60
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Mosaic(NamedTuple):
    """One picture, as it is embedded in a page."""

    epoch: int
    address: str
    width: int
    height: int
    smoothness: str


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
