"""The layers of a model: all, the leaves, and those that are measured."""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Any

import keras

# Their inner layers run inside a loop, where a step's tensors cannot be tapped.
_LOOPING = (keras.layers.RNN, keras.layers.TimeDistributed)

# Bounds of the bounded Keras activations, by function name; `None` is unbounded.
_BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "sparse_sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "relu6": (None, 6.0),
}
_RECTIFIERS = {"relu", "relu6", "threshold", "hard_shrink", "soft_shrink"}
# Activations of Keras that leave no exact zeros behind.
_DENSE_ACTIVATIONS = {
    "celu",
    "elu",
    "exponential",
    "gelu",
    "glu",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "tanh",
    "tanh_shrink",
}


@dataclasses.dataclass(frozen=True)
class MeasuredLayer:
    """A layer as the record knows it.

    Args:
        layer: The Keras layer.
        label: Its name in the record: its own where unique, else its path.
        variables: The trainable variables it owns, those of sublayers excluded
            unless the sublayers are not measured themselves.
        bounds: Lower and upper bound of its activation, `None` if unbounded.
        rectifies: Whether a unit of it can fall silent for good.
    """

    layer: Any
    label: str
    variables: tuple[Any, ...]
    bounds: tuple[float | None, float | None] | None
    rectifies: bool

    def unit_axis(self, rank: int) -> int:
        """Axis of the units in an output of the given rank."""
        channels_first = getattr(self.layer, "data_format", None) == "channels_first"
        return 1 if channels_first else rank - 1


def all_layers(root: Any) -> list[Any]:
    """Returns `root` and every layer below it, hidden functional graphs included."""
    if not isinstance(root, keras.layers.Layer):
        return []
    layers = list(root._flatten_layers(include_self=True, recursive=True))
    hidden = [getattr(layer, "_functional", None) for layer in layers]
    return layers + [graph for graph in hidden if graph is not None]


def sublayers(layer: Any) -> list[Any]:
    """Returns the layers right below one, in attributes and wrappers as well."""
    # Private, and the only way to the sublayers of a layer that is not a model;
    # `model.layers` shows neither cells nor what wrappers hold.
    return list(layer._flatten_layers(include_self=False, recursive=False))


def is_leaf(layer: Any) -> bool:
    """Whether a layer has no layers below it."""
    return not sublayers(layer)


def leaf_layers(root: Any) -> list[Any]:
    """Returns the layers below `root`, itself included, that have none below them.

    A recurrent layer counts as one, and what it holds does not: its cells run inside
    a loop, where nothing can be read.
    """
    layers = all_layers(root)
    recurrent = [layer for layer in layers if isinstance(layer, keras.layers.RNN)]
    inside = {id(part) for one in recurrent for part in all_layers(one)[1:]}
    return [
        layer
        for layer in layers
        if id(layer) not in inside
        and (isinstance(layer, keras.layers.RNN) or is_leaf(layer))
    ]


def could_learn(layer: Any) -> bool:
    """Whether a layer has weights that are trained unless it is frozen."""
    # Private, and the only list of them while the layer is frozen: statistics and
    # tables, as of Normalization, are trained in no case.
    parts = layer._flatten_layers(include_self=True, recursive=True)
    return any(part._trainable_variables for part in parts)


def normalizing_layers(model: Any) -> list[Any]:
    """Returns the BatchNormalization layers of a model that keep statistics."""
    return [
        layer
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]


def measured_layers(model: Any) -> list[MeasuredLayer]:
    """Lists the layers of a model that do something of their own.

    These are the layers without sublayers, and those that own weights beside
    their sublayers. A recurrent layer counts as one, its cells do not.

    Args:
        model: A built Keras model of any kind.

    Returns:
        One entry a layer, a shared layer once, in the order of definition.
    """
    found = list(_walk(model, "", set()))
    names = Counter(layer.name for layer, _, _ in found)
    return [
        MeasuredLayer(
            layer,
            layer.name if names[layer.name] == 1 else path,
            variables,
            _bounds(layer),
            _rectifies(layer),
        )
        for layer, path, variables in found
    ]


def short_name(variable: Any, owner: MeasuredLayer | None) -> str:
    """Name of a variable within its layer, e.g. "kernel"; its path if ambiguous."""
    if owner is None:
        return str(getattr(variable, "path", variable.name))
    names = Counter(other.name for other in owner.variables)
    if names.get(variable.name, 0) <= 1:
        return str(variable.name)
    # Several cells or sublayers own a "kernel": tell them apart by their path.
    return str(variable.path).rpartition(f"{owner.layer.name}/")[2]


def _walk(
    parent: Any, path: str, seen: set[int]
) -> Iterator[tuple[Any, str, tuple[Any, ...]]]:
    for layer in sublayers(parent):
        if id(layer) in seen or isinstance(layer, keras.layers.InputLayer):
            continue
        seen.add(id(layer))
        place = f"{path}/{layer.name}" if path else layer.name
        children = sublayers(layer)
        if not children or isinstance(layer, _LOOPING):
            yield layer, place, tuple(layer.trainable_variables)
            continue
        below = {id(v) for child in children for v in child.trainable_variables}
        own = tuple(v for v in layer.trainable_variables if id(v) not in below)
        if own:
            yield layer, place, own
        yield from _walk(layer, place, seen)


def _activation_name(layer: Any) -> str | None:
    if isinstance(layer, keras.layers.ReLU):
        return "relu6" if layer.max_value == 6 else "relu"
    activation = getattr(layer, "activation", None)
    return getattr(activation, "__name__", None) if callable(activation) else None


def _bounds(layer: Any) -> tuple[float | None, float | None] | None:
    return _BOUNDS.get(_activation_name(layer) or "")


def _rectifies(layer: Any) -> bool:
    if isinstance(layer, keras.layers.ReLU):
        return not layer.negative_slope
    activation = getattr(layer, "activation", None)
    if not callable(activation) or isinstance(layer, keras.layers.RNN):
        return False
    name = _activation_name(layer)
    return name in _RECTIFIERS or name not in _DENSE_ACTIVATIONS
