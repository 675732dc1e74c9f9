"""Where the trials of a search in stages come from."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_trainkit.arguments import received
from keras_trainkit.search.engine.keras_tuner import (
    HyperParameters,
    TrialStatus,
    hyperparameter_config,
    hyperparameter_from_config,
)
from keras_trainkit.search.engine.oracle import DependableOracle
from keras_trainkit.search.engine.progress import own_values
from keras_trainkit.search.ranges.edges import rank
from keras_trainkit.search.ranges.narrowing import narrow
from keras_trainkit.search.tuners.stage import Stage

STAGE, EPOCHS, CARRIED = "tuner/stage", "tuner/epochs", "tuner/trial_id"


class CoarseToFineOracle(DependableOracle):
    """Proposes the trials of each stage within the ranges that the last one left.

    The values of a trial follow from the seed, its number and the trials of the
    stage before: nothing else has to be remembered for a resume, and a search by
    several processes proposes the same trials as one by a single process.

    Args:
        stages: The stages.
        folds: Trainings of each trial, `None` for one on fixed data.
        **settings: Arguments of `DependableOracle`.
    """

    course = ("folds",)

    def __init__(
        self, stages: Sequence[Stage], *, folds: int | None = None, **settings: Any
    ) -> None:
        self.stages = tuple(stages)
        self.folds = folds
        trials = sum(stage.trials for stage in self.stages)
        super().__init__(max_trials=trials, **settings)
        self.stage_spaces: list[list[Any]] = []

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Values for a trial; see `keras_tuner.Oracle.populate_space`."""
        stage, place = self._locate(len(self.trials))
        if stage > 0 and any(
            trial.trial_id not in self.end_order for trial in self.trials_of(stage - 1)
        ):
            return {"status": TrialStatus.IDLE, "values": None}
        while len(self.stage_spaces) <= stage:
            self.stage_spaces.append(self._next_space(len(self.stage_spaces)))
        values: dict[str, Any] = {
            STAGE: stage + 1,
            EPOCHS: self.stages[stage].epochs,
        }
        carried = self._carried(stage)
        if place < len(carried):
            values |= own_values(carried[place]) | {CARRIED: carried[place].trial_id}
        else:
            count = self.stages[stage].trials - len(carried)
            values |= self._draw(stage, place - len(carried), count)
        return {"status": TrialStatus.RUNNING, "values": values}

    def trials_of(self, stage: int) -> list[Any]:
        """The trials of a stage so far, in their order."""
        return [
            self.trials[trial_id]
            for index, trial_id in enumerate(self.start_order)
            if self._locate(index)[0] == stage
        ]

    def present_stage(self) -> tuple[list[Any], list[Any]]:
        """The ranges of the stage that runs or ran last, and its trials."""
        stage = max(0, len(self.stage_spaces) - 1)
        return self.space_of(stage), self.trials_of(stage)

    def space_of(self, stage: int) -> list[Any]:
        """The hyperparameters as a stage draws them, as declared where it has none."""
        known = self.stage_spaces[stage] if stage < len(self.stage_spaces) else []
        narrowed = {_key(hp): hp for hp in known}
        return [narrowed.get(_key(hp), hp) for hp in self.hyperparameters.space]

    def get_state(self) -> dict[str, Any]:
        """Everything needed to go on, for `oracle.json`."""
        return super().get_state() | {
            "stages": _plan(self.stages),
            "stage_spaces": [
                [hyperparameter_config(hp) for hp in space]
                for space in self.stage_spaces
            ],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes back to a stored state; stages that have not begun may be changed."""
        begun = len(state["stage_spaces"])
        if state["stages"][:begun] != _plan(self.stages)[:begun]:
            raise ValueError(
                "`stages` must begin with those that the stored search has begun: "
                f"{state['stages'][:begun]}, each trials, epochs, keep and carry. "
                + received("stages", _plan(self.stages))
            )
        super().set_state(state)
        self.stage_spaces = [
            [hyperparameter_from_config(hp) for hp in space]
            for space in state["stage_spaces"]
        ]

    def _locate(self, index: int) -> tuple[int, int]:
        """The stage of a trial and its place there."""
        for number, stage in enumerate(self.stages):
            if index < stage.trials:
                return number, index
            index -= stage.trials
        raise IndexError(index)

    def _carried(self, stage: int) -> list[Any]:
        if stage == 0:
            return []
        ranked = rank(self.trials_of(stage - 1), self.objective.direction)
        completed = [one for one in ranked if one.status == TrialStatus.COMPLETED]
        return completed[: min(self.stages[stage].carry, self.stages[stage].trials)]

    def _next_space(self, stage: int) -> list[Any]:
        if stage == 0:
            return list(self.hyperparameters.space)
        ranked = rank(self.trials_of(stage - 1), self.objective.direction)
        names = [hp.name for hp in self.hyperparameters.space]
        # Of two with one name a trial does not tell which of them it had.
        return [
            narrow(hp, ranked, self.stages[stage - 1].keep)
            if names.count(hp.name) == 1
            else hp
            for hp in self.space_of(stage - 1)
        ]

    def _draw(self, stage: int, place: int, count: int) -> dict[str, Any]:
        """Values for one of `count` trials that part every range evenly among them."""
        values = HyperParameters()
        for number, hp in enumerate(self.space_of(stage)):
            values.merge([hp])
            if values.is_active(hp):
                generator = np.random.default_rng([self.seed, stage, number])
                part = generator.permutation(count)[place]
                probability = (part + generator.random(count)[place]) / count
                # A sum of both can round up to 1.
                probability = min(float(probability), 1 - 1e-12)
                values.values[hp.name] = hp.prob_to_value(probability)
        return values.values


def _key(hp: Any) -> tuple[str, str]:
    return hp.name, repr([condition.get_config() for condition in hp.conditions])


def _plan(stages: Sequence[Stage]) -> list[list[float]]:
    return [[one.trials, one.epochs, one.keep, one.carry] for one in stages]
