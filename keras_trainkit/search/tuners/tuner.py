"""The base of all tuners here: a KerasTuner tuner that one can depend on."""

import contextlib
import io
import os
import time
import traceback
from collections.abc import Callable
from typing import Any

import keras

from keras_trainkit.arguments import check_choice, check_integer, received
from keras_trainkit.search.distribute.messages import this_place
from keras_trainkit.search.distribute.processes import run_here
from keras_trainkit.search.engine.declared_space import find_space
from keras_trainkit.search.engine.executions import run_executions
from keras_trainkit.search.engine.garbage_collection import imports_set_apart
from keras_trainkit.search.engine.keras_tuner import (
    EngineTuner,
    TrialStatus,
    distributed_by,
    keras_tuner,
)
from keras_trainkit.search.engine.objective import (
    check_measured,
    objective_parts,
    read_objective,
    settle_objective,
)
from keras_trainkit.search.engine.oracle import DependableOracle
from keras_trainkit.search.engine.outcome import Outcome, read_outcome
from keras_trainkit.search.engine.retracing_warnings import no_retracing_warnings
from keras_trainkit.search.engine.stored_state import read_config
from keras_trainkit.search.engine.trial_record import TrialRecord
from keras_trainkit.search.engine.weights import TrialWeights, load_weights
from keras_trainkit.search.ranges.edges import warning_lines


class DependableTuner(EngineTuner):
    """A KerasTuner tuner with what every tuner of this package promises.

    - A search that is interrupted, killed included, goes on where it was when the
      same program runs again, and gives the same trials and scores as if it had
      never stopped. This is the default; `overwrite=True` begins again.
    - A trial that raises an error, or whose loss or objective becomes NaN or
      infinite, fails with its reason kept, and the search goes on.
    - Every epoch of every trial is kept; see `trials_frame`.
    - Each training starts from its own seed, made from the seed of the search, the
      trial and the execution: weights, dropout and the shuffling of arrays repeat.
      (`keras.utils.set_random_seed` is called for that.) A `tf.data.Dataset` that
      shuffles keeps a state of its own across trials: make it in `HyperModel.fit`.

    Every tuner of this package takes the arguments below, by name, beside its own.

    Args:
        oracle: Makes the oracle that proposes the trials from the arguments that all
            oracles have in common (`objective` to `max_consecutive_failed_trials`):
            a subclass of `DependableOracle`, or `functools.partial` of one with its
            own arguments.
        hypermodel: A function from hyperparameters to a compiled model, or a
            `keras_tuner.HyperModel`. `None` only in a subclass with a `run_trial`
            of its own.
        objective: What to optimise: a metric's name if the metric knows whether more
            of it is better, `(name, "min" or "max")`, a `keras_tuner.Objective`, a
            list of these, or `None` if `HyperModel.fit` or `run_trial` of one's own
            returns one number to minimise.
        seed: Seed of proposals and trainings, int >= 0; drawn and stored if `None`.
        hyperparameters: Search space to begin with or to override by.
        tune_new_entries: Whether hyperparameters that are not in `hyperparameters`
            are searched too.
        allow_new_entries: Whether the model may ask for such hyperparameters.
        max_retries_per_trial: How often a trial that raised an error runs again,
            int >= 0.
        max_consecutive_failed_trials: Failed trials in a row that end the search,
            int >= 1.
        on_changed_space: What a resume does if the program declares another search
            space than the stored one: `"error"`, or `"widen"` to go on with ranges
            that hold the stored ones.
        **settings: Arguments of `keras_tuner.Tuner`: `directory`, `project_name`,
            `overwrite`, `executions_per_trial`, `max_model_size`, `optimizer`,
            `loss`, `metrics`, `distribution_strategy`. With several executions a
            trial counts by its median one (the worse of two), whose weights are
            the ones saved, so that score and model agree.

    Raises:
        ValueError: If an argument is out of its range, the objective's name or
            direction is unknown to the model, or a stored project does not fit the
            program.

    Example:
        ```python
        class Ends(DependableOracle):
            def populate_space(self, trial_id):
                place = 0.999999 if self.trials else 0.0
                space = self.hyperparameters.space
                values = {hp.name: hp.prob_to_value(place) for hp in space}
                return {"status": "RUNNING", "values": values}


        ends = functools.partial(Ends, max_trials=2)
        tuner = DependableTuner(ends, build_model, "val_loss", seed=0)
        ```
    """

    # Whether a later trial goes on from the last weights of an earlier one.
    continues_trials = False
    oracle: Any

    def __init__(
        self,
        oracle: Callable[..., DependableOracle],
        hypermodel: Any = None,
        objective: Any = None,
        *,
        seed: int | None = None,
        hyperparameters: Any = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 10,
        on_changed_space: str = "error",
        **settings: Any,
    ) -> None:
        self._check_any_training(hypermodel, objective)
        own: Any = _made(
            oracle,
            objective=read_objective(objective),
            seed=seed,
            hyperparameters=hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        own.on_changed_space = check_choice(
            "on_changed_space", on_changed_space, ("error", "widen")
        )
        self.next_seed: int | None = None
        self.record: TrialRecord | None = None
        self.verbose: Any = 1
        self._policy: Any = None
        self._ready = False
        self._place: Any = this_place()
        # Files and space wait until the tuner is whole; KerasTuner would begin in
        # the middle and print where it reads from.
        if self.is_worker:
            settings["overwrite"] = False  # that is the chief's to do
        with contextlib.redirect_stdout(io.StringIO()):
            super().__init__(own, hypermodel, **settings)
        self.oracle = own  # not yet the chief's
        self._ready = True
        check_integer("executions_per_trial", self.executions_per_trial, 1)
        own.tuner_course["executions_per_trial"] = self.executions_per_trial
        self.find_space()
        self._sample = self._sample_model()
        settle_objective(own.objective, self._sample, only_model=self._plain_training())
        own.declare_space()
        if os.path.exists(own.state_path):
            self.reload()  # does nothing in a worker

    # The search.

    @imports_set_apart()
    def search(self, *fit_args: Any, verbose: Any = 1, **fit_kwargs: Any) -> None:
        """Runs trials until the search is done.

        Args:
            *fit_args: Passed to `fit` of each model, as in `keras_tuner.Tuner`.
            verbose: 0 prints nothing, 1 what the search is at, 2 also the epochs of
                each training.
            **fit_kwargs: Passed to `fit`, e.g. `epochs`, `validation_data`,
                `callbacks` (copied for each training).

        Raises:
            RuntimeError: If too many trials in a row failed. All trials are kept and
                `search` goes on from there when it is called again.
        """
        self.verbose = verbose
        if self._plain_training() and not fit_kwargs.get("callbacks"):
            check_measured(self.oracle.objective, self._sample)
        self._check_validation(fit_args, fit_kwargs)
        self.oracle.resume()
        failure = run_here(
            self, self._place, lambda seen: self._run_trials(fit_args, fit_kwargs, seen)
        )
        if failure is not None:
            raise RuntimeError(failure)

    def run_trial(self, trial: Any, *fit_args: Any, **fit_kwargs: Any) -> Outcome:
        """Trains a trial's model, once or several times.

        Returns:
            The metrics of the execution that stands for the trial.
        """
        return run_executions(self, trial, fit_args, fit_kwargs)

    def on_trial_end(self, trial: Any) -> None:
        """Books the trial, which stores the project."""
        self.oracle.end_trial(trial)

    # What came out.

    def get_best_models(self, num_models: int = 1) -> list[Any]:
        """The models of the best completed trials, best first.

        Args:
            num_models: How many at most, int >= 1.

        Returns:
            The models with the weights and optimizer state of their best epoch;
            fewer if fewer trials completed.

        Raises:
            RuntimeError: If no trial completed.
        """
        self._check_any_completed()
        return super().get_best_models(num_models)

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[Any]:
        """The hyperparameters of the best completed trials, best first.

        Raises:
            RuntimeError: If no trial completed.
        """
        self._check_any_completed()
        return super().get_best_hyperparameters(num_trials)

    def load_model(self, trial: Any) -> Any:
        """Builds a trial's model and loads the weights of its best epoch."""
        model = self.build_afresh(trial.hyperparameters)
        self._load_weights(model, trial.trial_id, last=False)
        return model

    # Files.

    def save(self) -> None:
        """Stores the project; done after every step of a search."""
        if not self.is_worker:
            self.oracle.save()

    def reload(self) -> None:
        """Goes on with the stored project."""
        if self._ready and not self.is_worker:
            self.oracle.reload()

    # Private steps.

    def _run_trials(self, fit_args: Any, fit_kwargs: Any, seen: Any) -> None:
        self.on_search_begin()
        with no_retracing_warnings():
            self._run_each(fit_args, fit_kwargs, seen)
        self.on_search_end()

    def _run_each(self, fit_args: Any, fit_kwargs: Any, seen: Any) -> None:
        while True:
            self.pre_create_trial()
            trial = self.oracle.create_trial(self.tuner_id)
            seen()
            if trial.status == TrialStatus.STOPPED:
                return
            if trial.status == TrialStatus.IDLE:
                time.sleep(0.2)  # another process may bring or leave one
                continue
            self.on_trial_begin(trial)
            self._run_one(trial, *fit_args, **fit_kwargs)
            self.on_trial_end(trial)
            seen()

    def notes(self) -> list[str]:
        """What to say beside the progress, each once: ranges that are too narrow."""
        return warning_lines(self)

    def find_space(self) -> None:
        """Finds the hyperparameters that the hypermodel declares."""
        if self._ready and self.hypermodel is not None:
            find_space(self.hypermodel, self.oracle)

    def _sample_model(self) -> Any:
        if self.hypermodel is None:
            return None
        model = self.build_model(self.oracle.get_space())
        return model if getattr(model, "compiled", False) else None

    def _plain_training(self) -> bool:
        """Whether all metrics come from the model's own `fit`."""
        return (
            not self._runs_trials_its_own_way()
            and self.hypermodel is not None
            and type(self.hypermodel).fit is keras_tuner.HyperModel.fit
        )

    @classmethod
    def _runs_trials_its_own_way(cls) -> bool:
        """Whether a user's class has a `run_trial` of its own."""
        return cls.run_trial.__module__.partition(".")[0] != __name__.partition(".")[0]

    def _check_any_training(self, hypermodel: Any, objective: Any) -> None:
        if self._runs_trials_its_own_way():
            return
        if hypermodel is None:
            raise ValueError(
                "`hypermodel` must be a function from hyperparameters to a compiled "
                "model, or a keras_tuner.HyperModel; only a subclass with a "
                f"`run_trial` of its own needs none. {received('hypermodel', None)}"
            )
        fit = getattr(type(hypermodel), "fit", keras_tuner.HyperModel.fit)
        if objective is None and fit is keras_tuner.HyperModel.fit:
            raise ValueError(
                '`objective` must say what to optimise, such as "val_loss"; only '
                "`fit` or `run_trial` of one's own may return one number to minimise "
                f"instead. {received('objective', None)}"
            )

    def _check_validation(self, fit_args: Any, fit_kwargs: Any) -> None:
        wanted = [
            part.name
            for part in objective_parts(self.oracle.objective)
            if part.name.startswith("val_")
        ]
        given = {"validation_data", "validation_split"} & fit_kwargs.keys()
        if wanted and self._plain_training() and not given and len(fit_args) <= 6:
            raise ValueError(
                "`validation_data` or `validation_split` must be given to search for "
                f"the best {wanted[0]}. {received('search', sorted(fit_kwargs))}"
            )

    def _run_one(self, trial: Any, *args: Any, **kwargs: Any) -> None:
        self.record = TrialRecord(
            self.get_trial_dir(trial.trial_id),
            {"hyperparameters": dict(trial.hyperparameters.values)},
        )
        try:
            self._run_and_report(trial, *args, **kwargs)
            trial.status = TrialStatus.COMPLETED
        except keras_tuner.errors.FatalError:
            raise
        except keras_tuner.errors.FailedTrialError as error:
            trial.status, trial.message = TrialStatus.FAILED, str(error)
        except Exception:
            trial.status, trial.message = TrialStatus.INVALID, traceback.format_exc()
        finally:
            self.record.finish(status=trial.status)
            self.record = None

    def _run_and_report(self, trial: Any, *args: Any, **kwargs: Any) -> None:
        results = self.run_trial(trial, *args, **kwargs)
        if isinstance(results, Outcome) or not self._reported(trial):
            outcome = read_outcome(results, self.oracle.objective)
            self.oracle.update_trial(trial.trial_id, dict(outcome), step=outcome.step)

    def _reported(self, trial: Any) -> bool:
        """Whether `run_trial` told the oracle itself, as old programs do."""
        metrics = self.oracle.get_trial(trial.trial_id).metrics
        return metrics.exists(self.oracle.objective.name)

    def build_afresh(self, hp: Any) -> Any:
        """Clears Keras' session but for its policy, builds a model and checks it."""
        self._policy = keras.config.dtype_policy()
        return super().build_afresh(hp)

    def build_model(self, hp: Any) -> Any:
        """Builds the model of some hyperparameters, from the seed of its training."""
        # KerasTuner has cleared Keras' session, and with it the policy and seeds.
        if self._policy is not None:
            keras.config.set_dtype_policy(self._policy)
        if self.next_seed is not None:
            keras.utils.set_random_seed(self.next_seed)
            self.next_seed = None
        return super().build_model(hp)

    def _load_weights(self, model: Any, trial_id: str, *, last: bool) -> None:
        path = self.build_config_path(trial_id)
        with distributed_by(self.distribution_strategy):
            weights = self.weights_of(trial_id)
            load_weights(
                model,
                weights.last if last else weights.best,
                None if model.built else read_config(path),
            )

    def weights_of(self, trial_id: str) -> TrialWeights:
        """Where the weights of a trial lie."""
        return TrialWeights(
            self.get_trial_dir(trial_id),
            self.executions_per_trial,
            self.continues_trials,
        )

    def _check_any_completed(self) -> None:
        if not self.oracle.get_best_trials(1):
            raise RuntimeError(
                "No trial completed yet; trials_frame(tuner) says why. "
                f"{received('project', self.project_dir)}"
            )


def _made(oracle: Any, **shared: Any) -> DependableOracle:
    made = oracle(**shared) if callable(oracle) else None
    if not isinstance(made, DependableOracle):
        raise ValueError(
            "`oracle` must be a subclass of DependableOracle, or a function that makes "
            f"one from the shared arguments. {received('oracle', oracle)}"
        )
    return made
