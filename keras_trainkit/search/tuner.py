"""The base of all tuners here: a KerasTuner tuner that one can depend on."""

import contextlib
import hashlib
import io
import os
import time
from typing import Any

import keras

from keras_trainkit.arguments import received
from keras_trainkit.search.atomic import read_json
from keras_trainkit.search.engine import keras_tuner
from keras_trainkit.search.epoch_watch import BatchHooks, EpochWatch
from keras_trainkit.search.objective import objective_parts, settle_objective
from keras_trainkit.search.oracle import (
    DependableOracle,
    TrialStatus,
    check_on_changed_space,
)
from keras_trainkit.search.outcome import Outcome, choose_execution, read_outcome
from keras_trainkit.search.trial_record import TrialRecord


class DependableTuner(keras_tuner.Tuner):
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

    Args:
        oracle: The `DependableOracle` that proposes the trials.
        hypermodel: A function from hyperparameters to a compiled model, or a
            `keras_tuner.HyperModel`.
        on_changed_space: What a resume does if the program declares another search
            space than the stored one: `"error"`, or `"widen"` to go on with ranges
            that hold the stored ones.
        **settings: Arguments of `keras_tuner.Tuner`: `directory`, `project_name`,
            `overwrite`, `executions_per_trial`, `max_model_size`, `optimizer`,
            `loss`, `metrics`, `distribution_strategy`. With several executions a
            trial counts by its median one (the worse of two), whose weights are
            the ones saved, so that score and model agree.

    Raises:
        ValueError: If the objective's name or direction is unknown to the model, or
            a stored project does not fit the program.
    """

    # Whether a later trial goes on from the last weights of an earlier one.
    continues_trials = False

    def __init__(
        self,
        oracle: Any,
        hypermodel: Any = None,
        *,
        on_changed_space: str = "error",
        **settings: Any,
    ) -> None:
        if not isinstance(oracle, DependableOracle):
            raise ValueError(
                f"`oracle` must be a DependableOracle. {received('oracle', oracle)}"
            )
        oracle.on_changed_space = check_on_changed_space(on_changed_space)
        self._next_seed: int | None = None
        self._record: TrialRecord | None = None
        self._verbose: Any = 1
        self._ready = False
        # Files and space wait until the tuner is whole; KerasTuner would begin in
        # the middle and print where it reads from.
        with contextlib.redirect_stdout(io.StringIO()):
            super().__init__(oracle, hypermodel, **settings)
        self._ready = True
        self._populate_initial_space()
        settle_objective(
            oracle.objective, self._sample_model(), only_model=self._plain_training()
        )
        oracle.declare_space()
        if os.path.exists(oracle._get_oracle_fname()):
            self.reload()

    # The search.

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
        self._verbose = verbose
        self._check_validation(fit_args, fit_kwargs)
        self.oracle.stopped_because = None
        self.on_search_begin()
        while True:
            self.pre_create_trial()
            trial = self.oracle.create_trial(self.tuner_id)
            if trial.status == TrialStatus.STOPPED:
                break
            if trial.status == TrialStatus.IDLE:
                time.sleep(0.2)
                continue
            self.on_trial_begin(trial)
            self._try_run_and_update_trial(trial, *fit_args, **fit_kwargs)
            self.on_trial_end(trial)
        self.on_search_end()
        if self.oracle.stopped_because is not None:
            raise RuntimeError(self.oracle.stopped_because)

    def run_trial(self, trial: Any, *fit_args: Any, **fit_kwargs: Any) -> Outcome:
        """Trains a trial's model, once or several times.

        Returns:
            The metrics of the execution that stands for the trial.
        """
        callbacks = fit_kwargs.pop("callbacks", None) or []
        fit_kwargs["verbose"] = 2 if self._verbose == 2 else 0
        outcomes = []
        for execution in range(self.executions_per_trial):
            copies = self._deepcopy_callbacks(callbacks)
            if any(type(copy).__name__ == "TensorBoard" for copy in copies):
                self._configure_tensorboard_dir(copies, trial, execution)
            copies.append(
                EpochWatch(
                    self,
                    trial,
                    execution,
                    self._record,
                    self._checkpoint(trial.trial_id, execution),
                    self._last_checkpoint(trial.trial_id, execution),
                )
            )
            if self._has_batch_hooks():
                copies.append(BatchHooks(self, trial))
            self._next_seed = self._training_seed(trial.trial_id, execution)
            results = self._build_and_fit_model(
                trial, *fit_args, callbacks=copies, **fit_kwargs
            )
            outcomes.append(read_outcome(results, self.oracle.objective))
        chosen = choose_execution(outcomes, self.oracle.objective)
        self._keep_execution(trial.trial_id, chosen)
        return outcomes[chosen]

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
        model = self._try_build(trial.hyperparameters)
        self._load_weights(
            model, trial.trial_id, self._get_checkpoint_fname(trial.trial_id)
        )
        return model

    # Files.

    def save(self) -> None:
        """Stores the project; done after every step of a search."""
        if not self._is_worker():
            self.oracle.save()

    def reload(self) -> None:
        """Goes on with the stored project."""
        if self._ready and not self._is_worker():
            self.oracle.reload()

    # Private steps.

    def _populate_initial_space(self) -> None:
        if self._ready:
            super()._populate_initial_space()

    def _activate_all_conditions(self) -> None:
        # As KerasTuner does, but with defaults where it draws values without a
        # seed: the space found must be the same each time the program starts.
        never: list[Any] = []
        once: list[Any] = []
        hp = self.oracle.get_space()
        while True:
            self.hypermodel.build(hp)
            self.oracle.update_space(hp)
            for scope in hp.active_scopes:
                if scope not in once:
                    once.append(list(scope))
                if scope in never:
                    never.remove(scope)
            never += [
                list(scope)
                for scope in hp.inactive_scopes
                if scope not in once and scope not in never
            ]
            if not never:
                return
            hp = self.oracle.get_space()
            for condition in never[0]:
                hp.values[condition.name] = condition.values[0]
            _fill_with_defaults(hp)

    def _sample_model(self) -> Any:
        if self.hypermodel is None:
            return None
        model = self._build_hypermodel(self.oracle.get_space())
        return model if getattr(model, "compiled", False) else None

    def _plain_training(self) -> bool:
        """Whether all metrics come from the model's own `fit`."""
        return (
            type(self).run_trial is DependableTuner.run_trial
            and self.hypermodel is not None
            and type(self.hypermodel).fit is keras_tuner.HyperModel.fit
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

    def _try_run_and_update_trial(self, trial: Any, *args: Any, **kwargs: Any) -> None:
        self._record = TrialRecord(
            self.get_trial_dir(trial.trial_id),
            {"hyperparameters": dict(trial.hyperparameters.values)},
        )
        try:
            super()._try_run_and_update_trial(trial, *args, **kwargs)
        finally:
            self._record.finish(status=trial.status)
            self._record = None

    def _run_and_update_trial(self, trial: Any, *args: Any, **kwargs: Any) -> None:
        results = self.run_trial(trial, *args, **kwargs)
        if isinstance(results, Outcome) or not self._reported(trial):
            outcome = read_outcome(results, self.oracle.objective)
            self.oracle.update_trial(trial.trial_id, dict(outcome), step=outcome.step)

    def _reported(self, trial: Any) -> bool:
        """Whether `run_trial` told the oracle itself, as old programs do."""
        metrics = self.oracle.get_trial(trial.trial_id).metrics
        return metrics.exists(self.oracle.objective.name)

    def _build_hypermodel(self, hp: Any) -> Any:
        # Here, after KerasTuner has cleared Keras' session and its seeds.
        if self._next_seed is not None:
            keras.utils.set_random_seed(self._next_seed)
            self._next_seed = None
        return super()._build_hypermodel(hp)

    def _training_seed(self, trial_id: str, execution: int) -> int:
        text = f"{self.oracle.seed}/{trial_id}/{execution}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1

    def _load_weights(self, model: Any, trial_id: str, path: str) -> None:
        if not model.built:
            model.build_from_config(self._read_build_config(trial_id))
        # Without its variables the optimizer's state in the file would be skipped.
        if model.optimizer is not None and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        model.load_weights(path)

    def _read_build_config(self, trial_id: str) -> Any:
        return read_json(self._get_build_config_fname(trial_id))

    def _checkpoint(self, trial_id: str, execution: int) -> str:
        if self.executions_per_trial == 1:
            return self._get_checkpoint_fname(trial_id)
        name = f"execution_{execution + 1}.weights.h5"
        return os.path.join(self.get_trial_dir(trial_id), name)

    def _last_checkpoint(self, trial_id: str, execution: int | None) -> str | None:
        if not self.continues_trials:
            return None
        directory = self.get_trial_dir(trial_id)
        if execution is None or self.executions_per_trial == 1:
            return os.path.join(directory, "last.weights.h5")
        return os.path.join(directory, f"last_{execution + 1}.weights.h5")

    def _keep_execution(self, trial_id: str, chosen: int) -> None:
        """Leaves the chosen execution's weights as those of the trial."""
        if self.executions_per_trial == 1:
            return
        for execution in range(self.executions_per_trial):
            moves = {
                self._checkpoint(trial_id, execution): self._get_checkpoint_fname(
                    trial_id
                ),
                self._last_checkpoint(trial_id, execution): self._last_checkpoint(
                    trial_id, None
                ),
            }
            for path, kept in moves.items():
                if path is None or kept is None or not os.path.exists(path):
                    continue
                if execution == chosen:
                    os.replace(path, kept)
                else:
                    os.remove(path)

    def _has_batch_hooks(self) -> bool:
        return any(
            getattr(type(self), name) is not getattr(keras_tuner.Tuner, name)
            for name in ("on_batch_begin", "on_batch_end")
        )

    def _check_any_completed(self) -> None:
        if self.oracle.get_best_trials(1):
            return
        trials = list(self.oracle.trials.values())
        counts = {
            status: sum(trial.status == status for trial in trials)
            for status in (TrialStatus.FAILED, TrialStatus.RUNNING)
        }
        raise RuntimeError(
            "No trial completed yet: "
            + ", ".join(f"{count} {status}" for status, count in counts.items())
            + f". {received('project', self.project_dir)}"
        )


def _fill_with_defaults(hp: Any) -> None:
    for each in hp.space:
        if hp.is_active(each):
            hp.values.setdefault(each.name, each.default)
        else:
            hp.values.pop(each.name, None)
