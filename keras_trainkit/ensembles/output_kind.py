"""What a model's outputs are: probabilities, logits or values."""

from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.keras_model.outputs import (
    last_activation,
    loss_family,
    loss_option,
)

_OVERRIDES = {"softmax": "class logits", "sigmoid": "label logits"}
AS_SAID = "no logits"
FROM_LOGITS = (None, True, False, *_OVERRIDES)


def output_kinds(
    model: keras.Model, outputs: Any, from_logits: Any = None
) -> tuple[str, ...]:
    """Says what each output of a model is, from its loss and last activation.

    Args:
        model: A Keras model, compiled or not.
        outputs: What it returned when it was called, in its structure.
        from_logits: What the user says: `None` to find out, a boolean, "softmax"
            or "sigmoid" (logits of exclusive classes, of independent labels), or
            these in the structure of the outputs.

    Returns:
        For each output, in the order of `keras.tree.flatten`: "classes"
        (probabilities of exclusive classes), "labels" (independent ones), "class
        logits", "label logits", "values", "unknown", or "no logits" of which no more
        is known.

    Raises:
        ValueError: If `from_logits` has none of these forms.
    """
    symbols = getattr(model, "outputs", None)
    names = getattr(model, "output_names", None)
    kinds = []
    for index, (path, output) in enumerate(keras.tree.flatten_with_path(outputs)):
        symbol = symbols[index] if symbols else None
        name = names[index] if names else None
        kind = _kind(
            last_activation(symbol, output),
            _loss(model.loss, path, index, name),
            output,
        )
        kinds.append(_as_said(kind, _at(from_logits, path), output))
    return tuple(kinds)


def as_probabilities(output: Any, kind: str) -> Any:
    """Returns logits as probabilities, in float32 at least; all else as it is.

    Raises:
        ValueError: If the output is not of a floating-point type.
    """
    if not output.dtype.is_floating:
        raise ValueError(
            "Members must predict floating-point numbers: probabilities, logits or "
            f"values. {received('dtype', output.dtype.name)}"
        )
    if kind == AS_SAID or not kind.endswith("logits"):
        return output
    output = output if output.dtype == tf.float64 else tf.cast(output, tf.float32)
    return tf.nn.softmax(output) if kind == "class logits" else tf.nn.sigmoid(output)


def _kind(activation: str, loss: tuple[str, bool] | None, output: Any) -> str:
    probable = activation in ("softmax", "sigmoid", "either")
    family, logits = loss or ("", False)
    if not family:
        family = {"softmax": "classes", "sigmoid": "labels"}.get(activation, "")
        return family or "unknown"
    if family == "values":
        # A regression loss on a softmax still trains a classifier.
        return "classes" if activation == "softmax" else "values"
    if family == "classes" and output.shape[-1] == 1:
        family = "labels"
    if logits and not probable:
        return {"classes": "class logits", "labels": "label logits"}[family]
    return family


def _as_said(kind: str, said: Any, output: Any) -> str:
    if said is None:
        return kind
    if isinstance(said, str):
        return _OVERRIDES[said]
    known = {"class logits": "classes", "label logits": "labels"}
    kind = known.get(kind, kind)
    if kind not in ("classes", "labels"):
        if not said:
            return AS_SAID if kind == "unknown" else kind
        kind = "labels" if output.shape[-1] == 1 else "classes"
    return {"classes": "class logits", "labels": "label logits"}[kind] if said else kind


def _at(said: Any, path: tuple) -> Any:
    """Returns what was said of one output."""
    for step in path:
        if isinstance(said, dict):
            said = said.get(step)
        elif isinstance(said, list | tuple):
            said = said[step] if step < len(said) else None
    if isinstance(said, dict | list | tuple) or said not in FROM_LOGITS:
        raise ValueError(
            '`from_logits` must be None, True, False, "softmax" or "sigmoid", or '
            "these in the structure of the outputs. " + received("from_logits", said)
        )
    return said


def _loss(
    losses: Any, path: tuple, index: int, name: str | None
) -> tuple[str, bool] | None:
    """Returns the family of an output's loss and whether it expects logits."""
    if isinstance(losses, dict):
        losses = losses.get(path[0] if path else name, losses.get(name))
    elif isinstance(losses, list | tuple):
        losses = losses[index] if index < len(losses) else None
    if losses is None or isinstance(losses, dict | list | tuple):
        return None
    try:
        loss = keras.losses.get(losses)
    except ValueError:
        return None
    family = loss_family(loss)
    if family is None:
        return None
    return family, family != "values" and bool(loss_option(loss, "from_logits"))
