"""What a compiled model reports, and which way of it is better."""

from collections.abc import Iterable
from typing import Any

import keras

_DIRECTIONS = {"up": "max", "down": "min"}


def metric_directions(model: Any) -> dict[str, str | None]:
    """Says of what a compiled model reports whether more of it is better.

    A loss is to fall; a Keras metric declares its direction. Nothing is read from a
    name.

    Args:
        model: A compiled model.

    Returns:
        From name (without `val_`) to `"min"`, `"max"`, or `None` where the metric
        does not say.
    """
    outputs = list(getattr(model, "output_names", None) or [])
    if len(outputs) == 1:
        outputs = []
    found: dict[str, str | None] = {"loss": "min"}
    found |= {f"{output}_loss": "min" for output in outputs}
    for name, direction in _metrics(model):
        for key in (name, *(f"{output}_{name}" for output in outputs)):
            found.setdefault(key, direction)
    return found


def _metrics(model: Any) -> Iterable[tuple[str, str | None]]:
    # Keras makes its metric objects from what `compile` was given only when the
    # first batch arrives, and shows them nowhere before.
    compiled = getattr(model, "_compile_metrics", None)
    for source, prefix in (("metrics", ""), ("weighted_metrics", "weighted_")):
        for metric in _flat(getattr(compiled, f"_user_{source}", None)):
            name, direction = _described(metric)
            yield name, direction
            if prefix:
                yield prefix + name, direction
    for metric in model.metrics:
        if metric is not compiled:
            yield metric.name, _declared(metric)


def _flat(metrics: Any) -> Iterable[Any]:
    if isinstance(metrics, dict):
        metrics = list(metrics.values())
    if isinstance(metrics, (list, tuple)):
        for metric in metrics:
            yield from _flat(metric)
    elif metrics is not None:
        yield metrics


def _described(metric: Any) -> tuple[str, str | None]:
    if not isinstance(metric, str):
        name = getattr(metric, "name", None) or getattr(metric, "__name__", "")
        return str(name), _declared(metric)
    if metric.lower() in ("acc", "accuracy"):
        return metric, "max"
    if metric.lower() in ("ce", "crossentropy"):
        return metric, "min"
    try:
        return metric, _declared(keras.metrics.get(metric))
    except (TypeError, ValueError):  # a metric that needs arguments
        return metric, None


def _declared(metric: Any) -> str | None:
    if not isinstance(metric, keras.metrics.Metric):
        # A bare function: Keras wraps it, and knows those that are losses.
        if not callable(metric):
            return None
        metric = keras.metrics.MeanMetricWrapper(metric)
    return _DIRECTIONS.get(getattr(metric, "_direction", ""))
