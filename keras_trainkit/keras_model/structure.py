"""What the kernels of a model say of its units: how many, and whether alike."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_trainkit.keras_model.layers import measured_layers

# Of the largest weight, within which units of one layer are the same.
_ALIKE = 1e-3


def layers_of_alike_units(model: Any) -> list[str]:
    """Lists the layers all of whose units have the same weights.

    Units that start alike get the same gradient and stay alike, so that a layer is
    worth one of its units.

    Args:
        model: A built Keras model.

    Returns:
        Labels of layers with a trainable kernel of at least two units.
    """
    found = []
    for label, kernel in _kernels(model):
        units = np.asarray(kernel.value).reshape(-1, kernel.shape[-1])
        apart = np.abs(units - units[:, :1]).max()
        if units.shape[1] > 1 and apart <= _ALIKE * np.abs(units).max():
            found.append(label)
    return found


def narrowest_layer(model: Any) -> tuple[str, int] | None:
    """Returns the layer with the fewest units, and how many, the last layer left out.

    Args:
        model: A built Keras model.

    Returns:
        Its label and units, `None` if there is no hidden layer with a kernel.
    """
    widths = [(label, int(kernel.shape[-1])) for label, kernel in _kernels(model)][:-1]
    return min(widths, key=lambda item: item[1], default=None)


def _kernels(model: Any) -> Iterator[tuple[str, Any]]:
    for measured in measured_layers(model):
        for variable in measured.variables:
            if variable.name == "kernel" and len(variable.shape) > 1:
                yield measured.label, variable
