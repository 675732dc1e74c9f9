"""The optimizers of a model, and how they count their steps and updates."""

from typing import Any

import keras

from keras_trainkit.keras_model.reach import reached


def optimizers_of(model: Any) -> list[Any]:
    """All optimizers that a train step may use, wherever the model keeps them.

    Those of a custom step in attributes, lists and dicts, and those of models inside
    it are among them; one that scales the loss stands for the one inside it.
    """
    found = [one for one in reached(model) if _is_optimizer(one)]
    inside = {id(part) for one in found for part in parts_of_optimizer(one)[1:]}
    compiled = getattr(model, "optimizer", None)
    # The compiled one first.
    found.sort(key=lambda one: one is not compiled)
    return [one for one in found if id(one) not in inside]


def parts_of_optimizer(optimizer: Any) -> list[Any]:
    """An optimizer and those that it hands its work to."""
    return [optimizer] + [
        one for one in reached(optimizer) if _is_optimizer(one) and one is not optimizer
    ]


def inner_of(optimizer: Any) -> Any:
    """The optimizer itself, or the one inside where the loss is scaled."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def inner_optimizer(model: Any) -> Any:
    """The optimizer of a model, the one inside where the loss is scaled; or `None`."""
    return inner_of(getattr(model, "optimizer", None))


def steps_per_update(model: Any) -> int:
    """Steps whose gradients the model's optimizer gathers for one update."""
    return steps_gathered(getattr(model, "optimizer", None))


def steps_gathered(optimizer: Any) -> int:
    """Steps whose gradients an optimizer gathers for one update, 1 for none."""
    inner = inner_of(optimizer)
    return getattr(inner, "gradient_accumulation_steps", None) or 1


def step_counter(optimizer: Any) -> Any:
    """The variable that counts the steps of an optimizer.

    Unlike `iterations`, which counts updates, it grows with each step whose gradients
    are gathered.
    """
    variables = inner_of(optimizer).variables
    return next(one for one in variables if one.name == "iteration")


def updates_made(optimizer: Any) -> int:
    """How many updates an optimizer has made."""
    return int(inner_of(optimizer).iterations)


def schedule_position(optimizer: Any) -> int:
    """The count that the schedule of an optimizer goes by.

    Under gradient accumulation the schedules of Keras' own optimizers count every
    step; those of our update rules count updates.
    """
    updates = updates_made(optimizer)
    if getattr(inner_of(optimizer), "schedules_count_updates", False):
        return updates
    return updates * steps_gathered(optimizer)


def _is_optimizer(item: Any) -> bool:
    return isinstance(item, keras.optimizers.Optimizer)
