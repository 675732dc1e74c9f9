"""Runs a Keras model in another precision, and puts everything back."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import keras

from keras_trainkit.keras_model.layers import all_layers


@contextlib.contextmanager
def double_precision(root: Any, enabled: bool = True) -> Iterator[None]:
    """Makes every layer and loss under `root` compute in float64.

    Args:
        root: A layer, a model or a loss.
        enabled: `False` turns the context into one that changes nothing.

    Yields:
        Nothing; the change lasts as long as the context.
    """
    with computing_in(root, "float64" if enabled else None):
        yield


@contextlib.contextmanager
def computing_in(root: Any, dtype: str | None) -> Iterator[None]:
    """Makes every layer and loss under `root` compute in one precision.

    Keras has no public way to change the precision of a built model in place:
    cloning fails on subclassed and `Lambda` models, and `set_floatx` comes too
    late for built layers and breaks image augmentation. So the dtype attributes
    themselves are exchanged for the time of one trace and then restored, the
    very objects that were there before. Preprocessing layers without gradients
    (augmentation) stay as they are; they come before every parameter.

    Args:
        root: A layer, a model or a loss.
        dtype: "float32" or "float64"; `None` changes nothing.

    Yields:
        Nothing; the change lasts as long as the context.
    """
    if dtype is None:
        yield
        return
    undo: list[tuple[Any, str, Any]] = []

    def swap(owner: Any, name: str, value: Any) -> None:
        undo.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    policy = keras.dtype_policies.DTypePolicy(dtype)
    try:
        layers = all_layers(root)
        for layer in layers:
            if not _precedes_parameters(layer):
                swap(layer, "_dtype_policy", policy)
            # Through cuDNN's recurrent layers differences came out wrong, and they
            # have no second derivative.
            if getattr(layer, "use_cudnn", False):
                swap(layer, "use_cudnn", False)
            if isinstance(layer, keras.layers.InputLayer) and _is_float(layer._dtype):
                swap(layer, "_dtype", dtype)
            for tensor in getattr(layer, "_inputs", None) or ():
                if _is_float(tensor._dtype):
                    swap(tensor, "_dtype", dtype)
            for variable in layer.variables:
                if _is_float(variable._dtype):
                    swap(variable, "_dtype", dtype)
        for loss in _losses(root, layers):
            swap(loss, "_dtype_policy", policy)
            swap(loss, "_dtype", dtype)
        yield
    finally:
        for owner, name, value in reversed(undo):
            setattr(owner, name, value)


def computes_otherwise(model: Any, dtype: str) -> bool:
    """Whether a layer computes in, or holds weights of, another precision."""
    return any(
        layer.compute_dtype != dtype or any(v.dtype != dtype for v in layer.weights)
        for layer in all_layers(model)
    )


def widest_dtype(variables: Iterable[Any]) -> str:
    """Returns "float64" if a variable is of it, else "float32"."""
    return "float64" if any(v.dtype == "float64" for v in variables) else "float32"


def _precedes_parameters(layer: Any) -> bool:
    kinds = [cls.__name__ for cls in type(layer).__mro__]
    return "DataLayer" in kinds or "TFDataLayer" in kinds


def _is_float(dtype: Any) -> bool:
    return "float" in str(keras.backend.standardize_dtype(dtype))


def _losses(root: Any, layers: list[Any]) -> list[Any]:
    """Loss objects cast to their own dtype: those compiled, and those in layers."""
    queue = [root, getattr(root, "_compile_loss", None)]
    for layer in layers:
        queue.extend(vars(layer).values())
    found: dict[int, Any] = {}
    while queue:
        item = queue.pop()
        if isinstance(item, keras.losses.Loss) and id(item) not in found:
            found[id(item)] = item
            queue.append(getattr(item, "_user_loss", None))
            queue.append(getattr(item, "_flat_losses", None))
        elif isinstance(item, dict):
            queue.extend(item.values())
        elif isinstance(item, list | tuple):
            queue.extend(item)
    return list(found.values())
