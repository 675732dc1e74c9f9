"""The filters of the first layer, as pictures."""

import os
import warnings
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.keras_model.layers import MeasuredLayer, measured_layers
from keras_trainkit.measures import noise_smoothness, smoothness
from keras_trainkit.record.vocabulary import measure_named
from keras_trainkit.recording.instrument import Instrument
from keras_trainkit.recording.place import Place

if TYPE_CHECKING:
    from keras_trainkit.record.training_record import TrainingRecord

_GAP = 1
_MOST_TILES = 400
# Small filters are enlarged, pixel by pixel, to about this many pixels a side.
_SIDE = 24


class Filters(Instrument):
    """Draws the first layer's filters, one mosaic an epoch.

    Args:
        directory: Where to write `filters_epoch_0000.png` and so on; `None` keeps
            the pictures in the record only.
        every_epochs: Epochs between two pictures, int >= 1.
        image_shape: `(height, width, channels)` of the input picture, if the first
            layer is dense.
    """

    measures = (measure_named("filter_smoothness"), measure_named("noise_smoothness"))
    channel = "epochs"

    def __init__(
        self,
        directory: str | None = None,
        every_epochs: int = 1,
        image_shape: tuple[int, int, int] | None = None,
    ) -> None:
        self._directory = directory
        self._every_epochs = every_epochs
        self._image_shape = image_shape

    def begin(self, model: Any) -> None:
        """Checks that the filters can be drawn."""
        if self._image_shape is None:
            return
        first = _first_layer(model)
        if first is None:
            return
        size = int(first[1].shape[0])
        if len(first[1].shape) == 2 and size != int(np.prod(self._image_shape)):
            raise ValueError(
                f"`image_shape` must have as many pixels as the layer "
                f"'{first[0].label}' has inputs, {size}. "
                + received("image_shape", self._image_shape)
            )

    def end_epoch(self, record: "TrainingRecord", place: Place) -> None:
        """Draws the filters as they are now, if the first layer has any."""
        if place.epoch % self._every_epochs:
            return
        first = _first_layer(place.model)
        filters = None if first is None else self._filters(first[1])
        if first is None or filters is None:
            return
        if min(filters.shape[:2]) > 1:
            for name, measured in (
                ("filter_smoothness", smoothness),
                ("noise_smoothness", noise_smoothness),
            ):
                value = measured(filters)
                record.add(name, value, layer=first[0].label, **place.moment)
        png = tf.io.encode_png(mosaic(filters)).numpy()
        record.add_image("filters", place.epoch, png)
        if self._directory is not None:
            self._write(f"filters_epoch_{place.epoch:04d}.png", png)

    def _write(self, name: str, png: bytes) -> None:
        path = os.path.join(str(self._directory), name)
        try:
            os.makedirs(str(self._directory), exist_ok=True)
            with open(path, "wb") as file:
                file.write(png)
        except OSError as error:
            warnings.warn(
                f"The filters cannot be drawn to {path!r} ({error.strerror}). Training "
                "goes on; the pictures are in the record.",
                stacklevel=2,
            )

    def _filters(self, kernel: Any) -> np.ndarray | None:
        """The kernel as `(height, width, channels, filters)`, if it is a picture."""
        values = np.asarray(kernel.value)
        if values.ndim == 4:
            return values
        if values.ndim == 3:  # one dimension: the signal lies down
            return values[np.newaxis]
        if values.ndim == 2 and self._image_shape is not None:
            return values.reshape(*self._image_shape, values.shape[1])
        return None


def mosaic(filters: np.ndarray) -> np.ndarray:
    """Lays filters out as one picture.

    Args:
        filters: Shape `(height, width, channels, filters)`; at most 400 tiles are
            shown.

    Returns:
        Bytes, shape `(rows, columns, 3)`. Each filter is scaled to its own range;
        pixels that are not finite are magenta.
    """
    height, width, channels, count = filters.shape
    in_colour = channels == 3
    if in_colour or channels == 1:
        shown = min(count, _MOST_TILES)
        columns = int(np.ceil(np.sqrt(shown)))
        tiles = [filters[..., index] for index in range(shown)]
    else:
        columns = min(channels, _MOST_TILES)
        rows = min(count, max(1, _MOST_TILES // columns))
        tiles = [
            filters[:, :, channel : channel + 1, index]
            for index in range(rows)
            for channel in range(columns)
        ]
    scale = max(1, _SIDE // max(height, width))
    rows = int(np.ceil(len(tiles) / columns))
    step_y, step_x = height * scale + _GAP, width * scale + _GAP
    picture = np.full((rows * step_y + _GAP, columns * step_x + _GAP, 3), 255, np.uint8)
    for place, tile in enumerate(tiles):
        y, x = divmod(place, columns)
        y, x = y * step_y + _GAP, x * step_x + _GAP
        large = np.kron(_as_bytes(tile), np.ones((scale, scale, 1), np.uint8))
        picture[y : y + height * scale, x : x + width * scale] = large
    return picture


def _as_bytes(tile: np.ndarray) -> np.ndarray:
    finite = np.isfinite(tile)
    low = tile[finite].min() if finite.any() else 0.0
    span = (tile[finite].max() - low) if finite.any() else 0.0
    with np.errstate(invalid="ignore"):
        scaled = (tile - low) / span if span else np.full(tile.shape, 0.5)
    levels = np.nan_to_num(255 * scaled, nan=0, posinf=0, neginf=0).astype(np.uint8)
    levels = np.broadcast_to(levels, (*tile.shape[:2], 3)).copy()
    levels[~finite.all(axis=-1)] = (255, 0, 255)
    return levels


def _first_layer(model: Any) -> tuple[MeasuredLayer, Any] | None:
    """The first layer that looks at the input, with its kernel."""
    for layer in measured_layers(model):
        kernel = getattr(layer.layer, "kernel", None)
        if isinstance(kernel, keras.Variable) and len(kernel.shape) >= 2:
            return layer, kernel
        if layer.variables and any(len(v.shape) >= 2 for v in layer.variables):
            return None  # an embedding or recurrent layer comes first
    return None
