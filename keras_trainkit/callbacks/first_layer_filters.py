"""Shows the filters of the first layer as pictures."""

import os
from collections.abc import Sequence
from typing import Any

from keras_trainkit.arguments import check_integer, received
from keras_trainkit.callbacks.monitor import Monitor
from keras_trainkit.recording.instruments.filters import Filters


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
        self.directory = check_directory(directory)
        self.every_epochs = check_integer("every_epochs", every_epochs, 1)
        self.image_shape = check_image_shape(image_shape)
        super().__init__(Filters(self.directory, self.every_epochs, self.image_shape))


def check_directory(value: Any) -> str | None:
    """Returns `directory` as a string, `None` as it is, or says why it is no path."""
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ValueError(
            f"`directory` must be None or a path. {received('directory', value)}"
        )
    return os.fsdecode(value)


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
