"""Grid search: every combination, in order."""

import itertools
from collections.abc import Iterator
from functools import partial
from typing import Any

from keras_trainkit.arguments import check_integer
from keras_trainkit.search.engine.keras_tuner import TrialStatus
from keras_trainkit.search.engine.oracle import DependableOracle
from keras_trainkit.search.tuners.tuner import DependableTuner

_MOST_COUNTED = 10_000


class GridOracle(DependableOracle):
    """Goes through all combinations; what it has tried is all it must remember.

    Args:
        points: Values taken of a range without a step, int >= 2.
        **settings: Arguments of `DependableOracle`.
    """

    course = ("points",)

    def __init__(self, *, points: int = 10, **settings: Any) -> None:
        super().__init__(**settings)
        self.points = check_integer("points", points, 2)
        self._walk: Iterator[dict[str, Any]] | None = None
        self._walked_space = -1

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Values for a trial; see `keras_tuner.Oracle.populate_space`."""
        space = self.hyperparameters.space
        if self._walk is None or self._walked_space != len(space):
            # A hyperparameter that a trial brought to light adds combinations
            # everywhere: begin again and skip what was tried.
            self._walk = self._combinations({}, 0)
            self._walked_space = len(space)
        for values in self._walk:
            if not self.tried(values):
                return {"status": TrialStatus.RUNNING, "values": values}
        if self.ongoing_trials:
            self._walk = None
            return {"status": TrialStatus.IDLE, "values": None}
        return {"status": TrialStatus.STOPPED, "values": None}

    def count_trials(self) -> int | None:
        """The combinations as far as they are known, at most `max_trials`."""
        most = self.max_trials or _MOST_COUNTED
        count = sum(1 for _ in itertools.islice(self._combinations({}, 0), most + 1))
        if count <= most:
            return count
        return self.max_trials

    def _combinations(
        self, chosen: dict[str, Any], place: int
    ) -> Iterator[dict[str, Any]]:
        """All values from the hyperparameter at `place` on, the last one fastest."""
        space = self.hyperparameters.space
        if place == len(space):
            yield dict(chosen)
            return
        hp = space[place]
        if not all(condition.is_active(chosen) for condition in hp.conditions):
            yield from self._combinations(chosen, place + 1)
            return
        for value in grid_values(hp, self.points):
            yield from self._combinations(chosen | {hp.name: value}, place + 1)


def grid_values(hp: Any, points: int = 10) -> list[Any]:
    """The values of a hyperparameter on the grid.

    Args:
        hp: A KerasTuner hyperparameter.
        points: Values to take of a range without a step, int >= 2.

    Returns:
        Its own values, in order, where they can be counted. Of a range without a
        step `points` values evenly spread on its scale, **both ends among them**.
    """
    if getattr(hp, "step", 0) is not None:
        return list(hp.values)
    if hp.min_value == hp.max_value:
        return [hp.min_value]
    inner = [hp.prob_to_value(place / (points - 1)) for place in range(1, points - 1)]
    return list(dict.fromkeys([hp.min_value, *inner, hp.max_value]))


class GridSearch(DependableTuner):
    """Tries every combination, the last hyperparameter of the space fastest.

    Costs the product of all counts; random search finds as good a place in fewer
    trials unless one wants the whole picture of two hyperparameters.

    Args:
        hypermodel: A function from hyperparameters to a compiled model.
        objective: What to optimise; see `DependableTuner`.
        max_trials: Number of trials at most; all combinations if `None`.
        points: Values taken of a range without a step, evenly on its scale, with both
            ends, int >= 2.
        **settings: Arguments of `DependableTuner`, such as `seed` and `directory`.

    Example:
        ```python
        tuner = GridSearch(build_model, "val_loss", points=5, seed=0)
        tuner.search(x, y, epochs=3, validation_split=0.2)
        ```
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_trials: int | None = None,
        *,
        points: int = 10,
        **settings: Any,
    ) -> None:
        oracle = partial(GridOracle, points=points, max_trials=max_trials)
        super().__init__(oracle, hypermodel, objective, **settings)
