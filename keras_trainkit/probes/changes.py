"""Changes that a probe tries on a model, each undone when its trial is over."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_trainkit.keras_model.layers import measured_layers
from keras_trainkit.keras_model.optimizers import inner_optimizer


@dataclasses.dataclass(frozen=True)
class Change:
    """One change to try.

    Args:
        name: What is changed, in words.
        category: Of the findings that it would confirm, see `Finding`.
        advice: What to do if it helps.
        make: Applies it to a model and its inputs, for the time of a context, and
            gives the optimizer and the inputs to train with; `None` where there is
            nothing to change.
    """

    name: str
    category: str
    advice: str
    make: Callable[[Any, Any], Any]


@contextlib.contextmanager
def as_it_is(model: Any, x: Any) -> Iterator[tuple[Any, Any]]:
    """No change: the optimizer made anew, the inputs as they are."""
    yield optimizer_like(model), x


def optimizer_like(model: Any, times: float = 1.0) -> Any:
    """Returns a new optimizer of the model's kind, at its present rate `times` it."""
    own = inner_optimizer(model)
    config = own.get_config()
    rate = float(keras.ops.convert_to_numpy(own.learning_rate))
    return type(own).from_config({**config, "learning_rate": times * rate})


def _rate(times: float) -> Any:
    @contextlib.contextmanager
    def change(model: Any, x: Any) -> Iterator[tuple[Any, Any]]:
        yield optimizer_like(model, times), x

    return change


@contextlib.contextmanager
def _adam(model: Any, x: Any) -> Iterator[tuple[Any, Any] | None]:
    is_adam = "adam" in type(inner_optimizer(model)).__name__.lower()
    yield None if is_adam else (keras.optimizers.Adam(1e-3), x)


@contextlib.contextmanager
def _scaled(model: Any, x: Any) -> Iterator[tuple[Any, Any] | None]:
    leaves = keras.tree.flatten(x)
    if not all(np.asarray(leaf).dtype.kind == "f" for leaf in leaves):
        yield None
        return

    def scaled(leaf: Any) -> Any:
        values = np.asarray(leaf, np.float64)
        spread = values.std(axis=0)
        centred = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        return centred.astype(np.asarray(leaf).dtype)

    yield optimizer_like(model), keras.tree.map_structure(scaled, x)


@contextlib.contextmanager
def _standard_weights(model: Any, x: Any) -> Iterator[tuple[Any, Any]]:
    for measured in measured_layers(model):
        rectifies = _activation(measured.layer) == "relu"
        standard = (
            keras.initializers.HeNormal(seed=0)
            if rectifies
            else keras.initializers.GlorotUniform(seed=0)
        )
        for variable in measured.variables:
            if variable.path.endswith("kernel") and len(variable.shape) >= 2:
                variable.assign(standard(variable.shape, variable.dtype))
            elif variable.path.endswith("bias") and not hasattr(measured.layer, "cell"):
                variable.assign(keras.ops.zeros(variable.shape, variable.dtype))
    yield optimizer_like(model), x


@contextlib.contextmanager
def _leaky(model: Any, x: Any) -> Iterator[tuple[Any, Any] | None]:
    layers = [
        measured.layer
        for measured in measured_layers(model)
        if _activation(measured.layer) == "relu"
    ]
    if not layers:
        yield None
        return
    before = [layer.activation for layer in layers]
    try:
        for layer in layers:
            layer.activation = keras.activations.leaky_relu
        yield optimizer_like(model), x
    finally:
        for layer, activation in zip(layers, before, strict=True):
            layer.activation = activation


@contextlib.contextmanager
def _free(model: Any, x: Any) -> Iterator[tuple[Any, Any] | None]:
    dropped = [
        layer
        for layer in (measured.layer for measured in measured_layers(model))
        if isinstance(layer, keras.layers.Dropout) and layer.rate > 0
    ]
    penalized = [v for v in model.trainable_variables if v.regularizer is not None]
    optimizer = optimizer_like(model)
    decays = bool(getattr(optimizer, "weight_decay", None))
    if not dropped and not penalized and not decays:
        yield None
        return
    rates = [layer.rate for layer in dropped]
    penalties = [variable.regularizer for variable in penalized]
    optimizer.weight_decay = None
    try:
        for layer in dropped:
            layer.rate = 0.0
        for variable in penalized:
            variable.regularizer = None
        yield optimizer, x
    finally:
        for layer, rate in zip(dropped, rates, strict=True):
            layer.rate = rate
        for variable, penalty in zip(penalized, penalties, strict=True):
            variable.regularizer = penalty


def _activation(layer: Any) -> str:
    return str(getattr(getattr(layer, "activation", None), "__name__", ""))


CHANGES = (
    Change(
        "learning rate x 10",
        "learning rate",
        "Multiply the learning rate by 10.",
        _rate(10.0),
    ),
    Change(
        "learning rate / 10",
        "learning rate",
        "Divide the learning rate by 10.",
        _rate(0.1),
    ),
    Change("Adam at 1e-3", "learning rate", "Use keras.optimizers.Adam(1e-3).", _adam),
    Change(
        "inputs standardised",
        "data",
        "Put keras.layers.Normalization first, adapted to the inputs.",
        _scaled,
    ),
    Change(
        "standard initial weights",
        "initialisation",
        "Keep Keras' initialisers: he_normal for ReLU, glorot_uniform else.",
        _standard_weights,
    ),
    Change("leaky ReLU", "activation", 'Use activation="leaky_relu".', _leaky),
    Change(
        "no regularisation",
        "regularisation",
        "Lower penalties, weight decay and dropout.",
        _free,
    ),
)
