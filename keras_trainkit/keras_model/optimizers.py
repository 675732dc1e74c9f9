"""The optimizers of a model, and how many steps they gather for one update."""

from typing import Any

import keras


def optimizers_of(model: Any) -> list[Any]:
    """All optimizers a train step may use, those of a custom one included."""
    values = [getattr(model, "optimizer", None), *vars(model).values()]
    found = {
        id(value): value
        for value in values
        if isinstance(value, keras.optimizers.Optimizer)
    }
    return list(found.values())


def inner_optimizer(model: Any) -> Any:
    """The optimizer of a model, the one inside where the loss is scaled; or `None`."""
    optimizer = getattr(model, "optimizer", None)
    return getattr(optimizer, "inner_optimizer", optimizer)


def steps_per_update(model: Any) -> int:
    """Steps whose gradients the model's optimizer gathers for one update."""
    inner = inner_optimizer(model)
    return getattr(inner, "gradient_accumulation_steps", None) or 1
