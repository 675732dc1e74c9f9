"""Members that differ in their random numbers only."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from keras_trainkit.arguments import check_integer, received

Fit = Callable[[keras.Model], Any] | Mapping[str, Any] | None


def members_from_seeds(
    build_model: Callable[[], keras.Model], members: int, fit: Fit, seed: int
) -> list[keras.Model]:
    """Builds and trains the members; see `Ensemble.from_seeds`."""
    if not callable(build_model):
        raise ValueError(
            "`build_model` must be a function without arguments that returns a new "
            f"model. {received('build_model', build_model)}"
        )
    check_integer("members", members, minimum=1)
    train = training(fit)
    trained: list[keras.Model] = []
    for each in member_seeds(seed, members):
        keras.utils.set_random_seed(each)
        model = build_model()
        if not isinstance(model, keras.Model) or any(model is m for m in trained):
            raise ValueError(
                "`build_model` must return a new Keras model each time. "
                + received("build_model()", model)
            )
        train(model)
        trained.append(model)
    _check_different(trained)
    return trained


def member_seeds(seed: int, members: int) -> list[int]:
    """Returns a seed for each member; more members begin with the same seeds."""
    check_integer("seed", seed, minimum=0)
    children = np.random.SeedSequence(seed).spawn(members)
    return [int(child.generate_state(1)[0]) for child in children]


def training(fit: Fit) -> Callable[[keras.Model], Any]:
    """Returns the function that trains a model as the user says.

    Raises:
        ValueError: If `fit` is neither a function nor a mapping nor `None`.
    """
    if fit is None:
        return lambda model: None
    if isinstance(fit, Mapping):
        options = {"verbose": 0, **fit}
        return lambda model: model.fit(**options)
    if callable(fit):
        return fit
    raise ValueError(
        "`fit` must be a function that trains a model, or a dict of arguments of "
        f"`model.fit`. {received('fit', fit)}"
    )


def _check_different(models: list[keras.Model]) -> None:
    seen: dict[tuple, int] = {}
    for index, model in enumerate(models):
        weights = tuple(np.asarray(w).tobytes() for w in model.get_weights())
        if weights and seen.setdefault(weights, index) != index:
            raise ValueError(
                f"Members {seen[weights]} and {index} have the same weights to the "
                "last bit. `build_model` and `fit` must leave the seed alone. "
                + received("members", len(models))
            )
