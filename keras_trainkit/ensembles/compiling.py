"""How an ensemble is evaluated, read from how a member was compiled."""

from typing import Any

import keras

_TAKEN = ("loss", "loss_weights", "metrics", "weighted_metrics")


def evaluation_options(model: keras.Model) -> dict[str, Any] | None:
    """Returns loss and metrics of a model, for predictions that are probabilities.

    Args:
        model: A compiled model.

    Returns:
        Options of `compile`; `None` if the loss cannot be had from its
        configuration, or if a metric's threshold was meant for logits.
    """
    compiled = model.get_compile_config()
    if not compiled or not compiled.get("loss"):
        return None
    found = {"logits": False, "threshold": False}
    options = _without_logits({name: compiled.get(name) for name in _TAKEN}, found)
    if found["logits"] and found["threshold"]:
        return None
    try:
        return {
            name: keras.saving.deserialize_keras_object(value)
            for name, value in options.items()
        }
    except (TypeError, ValueError):
        return None


def _without_logits(node: Any, found: dict[str, bool]) -> Any:
    if isinstance(node, list | tuple):
        return [_without_logits(item, found) for item in node]
    if not isinstance(node, dict):
        return node
    found["logits"] |= node.get("from_logits") is True
    found["threshold"] |= bool(node.get("threshold") or node.get("thresholds"))
    found["threshold"] |= 0 in (node.get("threshold"), node.get("thresholds"))
    changed = {name: _without_logits(item, found) for name, item in node.items()}
    if changed.get("from_logits") is True:
        changed["from_logits"] = False
    return changed
