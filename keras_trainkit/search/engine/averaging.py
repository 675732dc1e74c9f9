"""The average of the weights, where a search optimises the score of one."""

import contextlib
from collections.abc import Sequence
from typing import Any, Protocol

from keras_trainkit.search.engine.objective import objective_parts


class Averaging(Protocol):
    """A callback that averages weights and validates the average.

    Attributes:
        name: It logs `val_{name}_loss` and so on.
        count: Points in the average so far; without any it is the weights themselves.
    """

    name: str
    count: int

    def applied(self) -> contextlib.AbstractContextManager[None]:
        """Gives the model its averaged weights for as long as the block runs."""


def averaging_of(callbacks: Sequence[Any], objective: Any) -> Averaging | None:
    """The callback whose average the objective tells of, `None` if there is none."""
    for callback in callbacks:
        if not hasattr(type(callback), "applied"):
            continue
        name = getattr(callback, "name", None)
        if any(
            part.name.startswith(f"val_{name}_") for part in objective_parts(objective)
        ):
            return callback
    return None


def applied(averaging: Averaging | None) -> contextlib.AbstractContextManager[None]:
    """The block in which the model holds what its score is of."""
    if averaging is None or not averaging.count:
        return contextlib.nullcontext()
    return averaging.applied()
