"""What a model's outputs are: their last activation, and the kind of their loss."""

from typing import Any

import keras


def last_activation(symbol: Any, output: Any = None) -> str:
    """Names the activation that an output comes from.

    Args:
        symbol: The symbolic output of the model, `None` if it has none.
        output: A tensor that the model returned there, if there is one.

    Returns:
        Its name, such as "softmax"; "either" if a softmax or a sigmoid left its
        logits on the tensor; "" where it is not known.
    """
    history = getattr(symbol, "_keras_history", None)
    layer = None if history is None else history.operation
    # A nested model's last layer speaks for it.
    while isinstance(layer, keras.Model) and len(getattr(layer, "outputs", [])) == 1:
        layer = layer.outputs[0]._keras_history.operation
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    if isinstance(layer, keras.layers.ReLU):
        return "relu"
    activation = getattr(layer, "activation", None)
    if activation is not None:
        return str(getattr(activation, "__name__", type(activation).__name__))
    return "either" if hasattr(output, "_keras_logits") else ""


def loss_name(loss: Any) -> str:
    """Names the function of a loss, such as "mean_squared_error"."""
    function = getattr(loss, "fn", loss)
    return str(getattr(function, "__name__", "") or type(loss).__name__)


def loss_option(loss: Any, name: str) -> Any:
    """An option that a loss was made with, such as "from_logits"; `None` if none."""
    wrapped = getattr(loss, "_fn_kwargs", None) or {}
    return wrapped.get(name, getattr(loss, name, None))


def loss_family(loss: Any) -> str | None:
    """Says what a loss compares.

    Args:
        loss: A Keras loss or a function.

    Returns:
        "labels" for independent probabilities, "classes" for exclusive ones,
        "values" for numbers, `None` where it is not known.
    """
    # A loss class wraps the function of the same name; older ones only that.
    words = f"{getattr(loss, '__name__', '')} {type(loss).__name__}".lower()
    words = words.replace("_", "")
    if "binarycrossentropy" in words or "binaryfocal" in words:
        return "labels"
    if "categorical" in words or "kldivergence" in words:
        return "classes"
    known = ("mean", "huber", "logcosh", "poisson", "cosine", "error")
    return "values" if any(word in words for word in known) else None
