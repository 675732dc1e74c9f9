"""What a search minimises or maximises: told by the metric itself, or asked for."""

from collections.abc import Iterable
from typing import Any

import keras

from keras_trainkit.arguments import check_choice, received
from keras_trainkit.keras_model.metrics import metric_directions
from keras_trainkit.search.engine.keras_tuner import keras_tuner

_HOW_TO_ASK = 'Say it: objective=("{name}", "max") or ("{name}", "min").'


def read_objective(objective: Any) -> Any:
    """Puts the forms an objective may have into the one that KerasTuner takes.

    Args:
        objective: A metric's name, `(name, "min" or "max")`, a
            `keras_tuner.Objective`, a list of these (their sum, what is to be
            maximised counted negative), or `None` if `fit` or `run_trial` returns
            one number to minimise.

    Returns:
        `None`, a `keras_tuner.Objective` or a list of them. The direction is `None`
        where only a name was given; `settle_objective` finds it.

    Raises:
        ValueError: If it has none of these forms.
    """
    if objective is None or isinstance(objective, keras_tuner.Objective):
        return objective
    if isinstance(objective, str):
        return keras_tuner.Objective(objective, None)
    if isinstance(objective, tuple) and len(objective) == 2:
        name, direction = objective
        if isinstance(name, str):
            check_choice("direction", direction, ("min", "max"))
            return keras_tuner.Objective(name, direction)
    if isinstance(objective, list) and objective:
        return [read_objective(each) for each in objective]
    raise ValueError(
        '`objective` must be a metric\'s name, a pair (name, "min" or "max"), a '
        f"keras_tuner.Objective or a list of these. {received('objective', objective)}"
    )


def settle_objective(objective: Any, model: Any, *, only_model: bool) -> None:
    """Fills in the direction that the metric itself declares.

    A loss is minimised; a Keras metric says whether more is better. Nothing is ever
    read from a name, so a metric that does not say it must be asked for with its
    direction.

    Args:
        objective: What the oracle holds, with directions that may be `None`;
            changed in place.
        model: A compiled model of the search, `None` if there is none to look at.
        only_model: Whether the values come from the model's own `fit`, so that a
            name it does not measure is a mistake.

    Raises:
        ValueError: If a name is unknown to the model or its direction is.
    """
    parts = objective_parts(objective)
    measured = {} if model is None else metric_directions(model)
    only_model = only_model and _reports_plainly(model)
    for part in parts:
        if part.direction is None:
            part.direction = _direction(part.name, measured, only_model)
    if hasattr(objective, "name_to_direction"):
        objective.name_to_direction.update(
            {part.name: part.direction for part in parts}
        )


def check_measured(objective: Any, model: Any) -> None:
    """Raises a `ValueError` if the model's own `fit` cannot report the objective.

    To be asked only where no callback may add a value of its own.
    """
    if model is None or not _reports_plainly(model):
        return
    measured = metric_directions(model)
    for part in objective_parts(objective):
        if part.name.removeprefix("val_") not in measured:
            raise ValueError(_unknown(part.name, measured))


def objective_parts(objective: Any) -> list[Any]:
    """The single objectives of an objective that may be a sum of several."""
    return list(getattr(objective, "objectives", [objective]))


def _direction(name: str, measured: dict[str, str | None], only_model: bool) -> str:
    bare = name.removeprefix("val_")
    if bare == "loss":
        return "min"
    if bare not in measured and measured and only_model:
        raise ValueError(_unknown(name, measured))
    direction = measured.get(bare)
    if direction is None:
        raise ValueError(
            f"`objective` must come with its direction, for {name!r} does not tell "
            f"whether more of it is better. {_HOW_TO_ASK.format(name=name)} "
            f"{received('objective', name)}"
        )
    return direction


def _reports_plainly(model: Any) -> bool:
    """Whether a model reports its losses and metrics and nothing else."""
    steps = ("train_step", "test_step", "compute_metrics", "get_metrics_result", "fit")
    return model is not None and all(
        getattr(type(model), name) is getattr(keras.Model, name) for name in steps
    )


def _unknown(name: str, measured: Iterable[str]) -> str:
    names = ", ".join([*measured, *(f"val_{bare}" for bare in measured)])
    return (
        f"`objective` must be one of what the model reports: {names}. A value that a "
        f'callback adds must come with its direction: objective=("{name}", "min"). '
        f"{received('objective', name)}"
    )
