"""Shows the filters of the first layer as pictures."""

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import check_integer, received
from keras_trainkit.callbacks.monitor import Monitor
from keras_trainkit.keras_model.layers import MeasuredLayer, measured_layers
from keras_trainkit.measures import smoothness

_GAP = 1
_MOST_TILES = 400
# Small filters are enlarged, pixel by pixel, to about this many pixels a side.
_SIDE = 24


class FirstLayerFilters(Monitor):
    """Draws the first layer's filters, one mosaic an epoch.

    Filters of three channels are shown in colour, of one in grey, of any other
    number each channel as a grey tile of its own, a row a filter. Each filter is
    scaled to its own range. `filter_smoothness` says how alike neighbouring pixels
    are: near 1 for smooth filters, near 0 for noise, which speaks for too little
    training or regularisation.

    Args:
        directory: Where to write `filters_epoch_0000.png` and so on; `None` keeps
            the pictures in the record only.
        every_epochs: Epochs between two pictures, int >= 1.
        image_shape: `(height, width)` or `(height, width, channels)` of the input
            picture, if the first layer is dense.

    Raises:
        ValueError: If an argument is outside its range; before training begins, if
            `image_shape` does not fit the first layer.

    Example:
        ```python
        model.fit(x, y, callbacks=[FirstLayerFilters("runs/filters")])
        ```

    Reference:
        [CS231n notes, first-layer visualizations](https://cs231n.github.io/neural-networks-3/#vis)
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        every_epochs: int = 1,
        image_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.directory = None if directory is None else os.fspath(directory)
        self.every_epochs = check_integer("every_epochs", every_epochs, 1)
        self.image_shape = check_image_shape(image_shape)

    def begin(self) -> None:
        """Checks that the filters can be drawn."""
        first = _first_layer(self.model)
        if first is None or self.image_shape is None:
            return
        size = int(first[1].shape[0])
        if len(first[1].shape) == 2 and size != int(np.prod(self.image_shape)):
            raise ValueError(
                f"`image_shape` must have as many pixels as the layer "
                f"'{first[0].label}' has inputs, {size}. "
                + received("image_shape", self.image_shape)
            )

    def read_epoch(self, epoch: int, logs: dict[str, Any]) -> None:
        """Draws the filters as they are at the end of the epoch."""
        if epoch % self.every_epochs == 0:
            self.draw(epoch)

    def draw(self, epoch: int) -> None:
        """Draws the filters as they are now, if the first layer has any."""
        first = _first_layer(self.model)
        filters = None if first is None else self._filters(first[1])
        if first is None or filters is None:
            return
        recorder = self._joined()
        record = recorder.record
        if min(filters.shape[:2]) > 1:
            record.add(
                "filter_smoothness",
                smoothness(filters),
                step=max(recorder.steps - 1, 0),
                epoch=epoch,
                layer=first[0].label,
            )
        png = tf.io.encode_png(mosaic(filters)).numpy()
        record.add_image("filters", epoch, png)
        if self.directory is not None:
            os.makedirs(self.directory, exist_ok=True)
            path = os.path.join(self.directory, f"filters_epoch_{epoch:04d}.png")
            with open(path, "wb") as file:
                file.write(png)

    def _filters(self, kernel: Any) -> np.ndarray | None:
        """The kernel as `(height, width, channels, filters)`, if it is a picture."""
        values = np.asarray(kernel.value)
        if values.ndim == 4:
            return values
        if values.ndim == 3:  # one dimension: the signal lies down
            return values[np.newaxis]
        if values.ndim == 2 and self.image_shape is not None:
            return values.reshape(*self.image_shape, values.shape[1])
        return None


def check_image_shape(value: Any) -> tuple[int, int, int] | None:
    """Returns `image_shape` with its channels, or says why it is not one."""
    if value is None:
        return None
    if (
        not isinstance(value, Sequence)
        or isinstance(value, str)
        or len(value) not in (2, 3)
        or not all(isinstance(size, int) and size >= 1 for size in value)
    ):
        raise ValueError(
            "`image_shape` must be None, (height, width) or (height, width, "
            f"channels), integers >= 1. {received('image_shape', value)}"
        )
    height, width, channels = (*value, 1)[:3]
    return height, width, channels


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
