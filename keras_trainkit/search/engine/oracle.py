"""The bookkeeping of a search that survives a kill at any point."""

import math
import os
import threading
import warnings
from typing import Any

import numpy as np

from keras_trainkit.arguments import check_choice, check_integer
from keras_trainkit.search.engine.keras_tuner import (
    EngineOracle,
    HyperParameters,
    Trial,
    TrialStatus,
)
from keras_trainkit.search.engine.objective import objective_parts
from keras_trainkit.search.engine.resuming import (
    check_course,
    check_space,
    widened_space,
)
from keras_trainkit.search.engine.stored_state import (
    FORMAT,
    damaged,
    read_state,
    read_trial,
    write_state,
)

# Drawn again so often before a space counts as used up.
_ATTEMPTS = 21
_ENDED = (TrialStatus.COMPLETED, TrialStatus.FAILED)
_INTERRUPTED = "Interrupted before it ended; runs again."
_LOST = "Its process ended or fell silent {count} times while it ran this trial."


class DependableOracle(EngineOracle):
    """Bookkeeping for an oracle of KerasTuner, to be put before it as a base.

    The project lives in `oracle.json` and one `trial_*/trial.json` a trial. The
    trial's file is always written first and `oracle.json`, replaced in one step,
    decides: a trial that it does not know was never proposed, one that it does not
    list as ended runs again from its start. So a run that is killed and started
    again goes through the same states as one that was not.

    Args:
        seed: Seed of all proposals and trainings, int >= 0; `None` draws one, which
            is stored and so is the same after a resume.
        max_consecutive_failed_trials: Failed trials in a row that end the search,
            int >= 1. Rates too high by far make trials fail in any wide search, so
            this is more than KerasTuner's 3.
        max_retries_per_trial: How often a trial that raised an error runs again,
            int >= 0. One that diverged would diverge again and is not repeated.
        on_changed_space: What a resume does with another search space than the
            stored one: `"error"`, or `"widen"` to go on with ranges that hold the
            stored ones.
        **settings: Arguments of the KerasTuner oracle.

    Attributes:
        stopped_because: Why the search ended early, `None` if it did not.
        on_changed_space: The argument; a tuner sets it from its own.
    """

    # Arguments that decide the course of a search, by attribute.
    course: tuple[str, ...] = ()
    hyperparameters: Any

    def __init__(
        self,
        *,
        seed: int | None = None,
        max_consecutive_failed_trials: int = 10,
        max_retries_per_trial: int = 0,
        on_changed_space: str = "error",
        **settings: Any,
    ) -> None:
        if seed is not None:
            seed = check_integer("seed", seed, 0)
        if settings.get("max_trials") is not None:
            check_integer("max_trials", settings["max_trials"], 1)
        super().__init__(
            seed=None if seed is None else seed % 2**32,  # NumPy's old generator
            max_consecutive_failed_trials=check_integer(
                "max_consecutive_failed_trials", max_consecutive_failed_trials, 1
            ),
            max_retries_per_trial=check_integer(
                "max_retries_per_trial", max_retries_per_trial, 0
            ),
            **settings,
        )
        self._given_seed = seed
        if seed is not None:
            self.start_seed(seed)
        self._lock = threading.RLock()
        self._failures_in_a_row = 0
        self._losses: dict[str, int] = {}
        self.tuner_course: dict[str, Any] = {}
        self._declared_space: list[dict[str, Any]] = []
        self.stopped_because: str | None = None
        self.on_changed_space = check_choice(
            "on_changed_space", on_changed_space, ("error", "widen")
        )

    # What a tuner calls while it searches.

    def create_trial(self, tuner_id: str) -> Any:
        """Gives a tuner its next trial; see `keras_tuner.Oracle.create_trial`."""
        with self._lock:
            if tuner_id in self.ongoing_trials:  # its process came back
                return self._begin(self.ongoing_trials[tuner_id], tuner_id)
            self.tuner_ids.add(tuner_id)
            if self.stopped_because is not None:
                return self._no_trial(TrialStatus.STOPPED, tuner_id)
            if self.waiting:
                return self._begin(self.trials[self.waiting.pop(0)], tuner_id)
            if self.max_trials and len(self.trials) >= self.max_trials:
                return self._wait_or_stop(tuner_id)
            # Always six digits, whatever `max_trials` is now or later: names sort.
            trial_id = f"{len(self.trials):06d}"
            response = self.populate_space(trial_id)
            if response["status"] == TrialStatus.STOPPED:
                return self._wait_or_stop(tuner_id)
            if response["status"] == TrialStatus.IDLE:
                return self._no_trial(TrialStatus.IDLE, tuner_id)
            hyperparameters = self.hyperparameters.copy()
            hyperparameters.values = response["values"] or {}
            trial = Trial(hyperparameters, trial_id, TrialStatus.RUNNING)
            self.remember_values(trial)
            self.trials[trial_id] = trial
            self.start_order.append(trial_id)
            return self._begin(trial, tuner_id)

    def update_trial(
        self, trial_id: str, metrics: dict[str, float], step: int = 0
    ) -> Any:
        """Takes metrics of a trial; see `keras_tuner.Oracle.update_trial`."""
        with self._lock:
            trial = self.trials[trial_id]
            self.check_reported(metrics)
            directions = {part.name: part.direction for part in self._objectives()}
            for name, value in metrics.items():
                if not trial.metrics.exists(name):
                    # Only the objective's direction is ever used.
                    trial.metrics.register(name, directions.get(name, "min"))
                trial.metrics.metrics[name].update(float(value), step)
            self.save_trial(trial)
            return trial

    def end_trial(self, trial: Any) -> None:
        """Books a trial that ended; see `keras_tuner.Oracle.end_trial`."""
        with self._lock:
            booked = self.trials[trial.trial_id]
            booked.hyperparameters = trial.hyperparameters
            booked.status, booked.message = trial.status, trial.message
            self.update_space(booked.hyperparameters)
            if booked.status == TrialStatus.COMPLETED:
                self._score(booked)
            self.remember_values(booked)
            self.times_run[booked.trial_id] += 1
            self._close(booked)
            self.save_trial(booked)
            self.save()

    def give_up(self, tuner_id: str, *, most_losses: int = 2) -> str | None:
        """Takes back the trial of a tuner whose process is gone.

        The trial goes to the next tuner that asks. One that has cost `most_losses`
        processes counts as failed.

        Returns:
            The trial's id, `None` if the tuner had none.
        """
        with self._lock:
            self.tuner_ids.discard(tuner_id)
            trial = self.ongoing_trials.pop(tuner_id, None)
            if trial is None:
                return None
            count = self._losses[trial.trial_id] = (
                self._losses.get(trial.trial_id, 0) + 1
            )
            if count < most_losses:
                self._reset(trial)
                self.waiting.append(trial.trial_id)
            else:
                trial.status = TrialStatus.FAILED
                trial.message = _LOST.format(count=count)
                self._close(trial)
            self.save_trial(trial)
            self.save()
            return trial.trial_id

    def get_best_trials(self, num_trials: int = 1) -> list[Any]:
        """The best completed trials, best first; fewer if fewer completed."""
        with self._lock:
            completed = [
                trial
                for trial in self.trials.values()
                if trial.status == TrialStatus.COMPLETED
            ]
        return sorted(
            completed,
            key=lambda trial: trial.score,
            reverse=self.objective.direction == "max",
        )[:num_trials]

    def count_trials(self) -> int | None:
        """How many trials the whole search has, `None` if that is not known."""
        return self.max_trials

    def finished(self) -> bool:
        """Whether no trial runs or waits to run again."""
        with self._lock:
            return not self.ongoing_trials and not self.waiting

    def resume(self) -> None:
        """Lets a search that stopped go on, with its failures counted anew."""
        with self._lock:
            if self._failures_in_a_row >= self.max_consecutive_failed_trials:
                self._failures_in_a_row = 0
            self.stopped_because = None

    def identity(self) -> dict[str, Any]:
        """What the chief and the workers of one search have in common."""
        course = self._course()
        del course["seed"]  # may be drawn, by the chief alone
        return {"space": self._declared_space, "course": course}

    def random_values(self) -> dict[str, Any] | None:
        """Values for the next trial, drawn from each range; `None` if all were tried.

        They follow from the seed, the number of the trial and the attempt at it:
        nothing has to be stored, and seeds have no trials in common.
        """
        for attempt in range(_ATTEMPTS):
            # The seed stands last: a number of more than 32 bits takes two places.
            parts = [len(self.trials), attempt, self.seed]
            generator = np.random.default_rng(parts)
            drawn = HyperParameters()
            for hp in self.hyperparameters.space:
                drawn.merge([hp])
                if drawn.is_active(hp):
                    drawn.values[hp.name] = hp.prob_to_value(generator.random())
            if not self.tried(drawn.values):
                return drawn.values
        return None

    # What is stored.

    def declare_space(self) -> None:
        """Takes the space found so far as the one that the program declares."""
        self._declared_space = self.hyperparameters.get_config()["space"]

    def get_state(self) -> dict[str, Any]:
        """Everything needed to go on, for `oracle.json`."""
        return super().get_state() | {
            "keras_trainkit": FORMAT,
            "course": self._course(),
            "declared_space": self._declared_space,
            "failures_in_a_row": self._failures_in_a_row,
            "losses": self._losses,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes back to a stored state."""
        super().set_state(state)
        self._failures_in_a_row = state["failures_in_a_row"]
        self._losses = state["losses"]

    def save_trial(self, trial: Any) -> None:
        """Writes the trial's file in one step."""
        path = os.path.join(self.trial_directory(trial.trial_id), "trial.json")
        write_state(path, trial.get_state())

    def save(self) -> None:
        """Writes `oracle.json` in one step."""
        with self._lock:
            write_state(self.state_path, self.get_state())

    def reload(self) -> None:
        """Goes on with a stored project.

        Raises:
            ValueError: If the program now asks for another search than the stored
                one, the project is not one of ours, or a file of it is damaged.
        """
        state = read_state(self.state_path, foreign=True)
        course = self._course()
        if self._given_seed is None:
            course["seed"] = state.get("course", {}).get("seed")
        check_course(course, state, self.project_path)
        declared = self.hyperparameters
        widened = check_space(
            self._declared_space,
            state["declared_space"],
            self.on_changed_space,
            self.project_path,
        )
        for trial_id in state["start_order"]:
            path = os.path.join(self.trial_directory(trial_id), "trial.json")
            self.trials[trial_id] = trial = read_trial(path, trial_id)
            if trial_id in state["end_order"] and trial.status not in _ENDED:
                raise damaged(path, "it is older than oracle.json")
        self.set_state(state)
        if widened:
            self.hyperparameters = widened_space(declared, self.hyperparameters)
        self.ongoing_trials: dict[str, Any] = {}
        ended = set(self.end_order)
        self.waiting = [each for each in self.start_order if each not in ended]
        for trial_id in self.waiting:
            self._reset(self.trials[trial_id])

    # Private steps.

    def _begin(self, trial: Any, tuner_id: str) -> Any:
        self._reset(trial)
        trial.status, trial.message = TrialStatus.RUNNING, None
        self.ongoing_trials[tuner_id] = trial
        self.save_trial(trial)
        self.save()
        return trial

    def _wait_or_stop(self, tuner_id: str) -> Any:
        # A trial that runs elsewhere may come back if its process is lost.
        status = TrialStatus.STOPPED if self.finished() else TrialStatus.IDLE
        return self._no_trial(status, tuner_id)

    def _no_trial(self, status: str, tuner_id: str) -> Any:
        if status == TrialStatus.STOPPED:
            self.tuner_ids.discard(tuner_id)
        return Trial(self.hyperparameters.copy(), f"{len(self.trials):06d}", status)

    def _score(self, trial: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the best of NaN
            self.score_trial(trial)
        if trial.score is None or not math.isfinite(trial.score):
            trial.status = TrialStatus.FAILED
            trial.message = f"Training diverged: the score is {trial.score}."
            trial.score = None

    def _close(self, trial: Any) -> None:
        for tuner_id, ongoing in list(self.ongoing_trials.items()):
            if ongoing.trial_id == trial.trial_id:
                del self.ongoing_trials[tuner_id]
        if trial.status == TrialStatus.INVALID:
            if self.times_run[trial.trial_id] <= self.max_retries_per_trial:
                self.waiting.append(trial.trial_id)
                return
            trial.status = TrialStatus.FAILED
        self.end_order.append(trial.trial_id)
        if trial.status != TrialStatus.FAILED:
            self._failures_in_a_row = 0
            return
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= self.max_consecutive_failed_trials:
            self.stopped_because = (
                f"{self._failures_in_a_row} trials in a row failed, the last one "
                f"(trial {trial.trial_id}) with:\n{(trial.message or '').strip()}\n"
                f"Everything is kept in {self.project_path}; search() again goes on "
                "from here."
            )

    @staticmethod
    def _reset(trial: Any) -> None:
        trial.metrics = type(trial.metrics)()
        trial.score, trial.best_step = None, 0
        trial.status, trial.message = TrialStatus.INVALID, _INTERRUPTED

    def _objectives(self) -> list[Any]:
        return objective_parts(self.objective)

    def _course(self) -> dict[str, Any]:
        return {
            "oracle": type(self).__name__,
            "objective": [[part.name, part.direction] for part in self._objectives()],
            "seed": self.seed,
            **{name: getattr(self, name) for name in self.course},
            **self.tuner_course,
        }
