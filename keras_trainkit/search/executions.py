"""The trainings of one trial: each with its seed, the median one stands for all."""

import hashlib
from typing import Any

from keras_trainkit.search.boards import place_boards
from keras_trainkit.search.engine import keras_tuner
from keras_trainkit.search.epoch_watch import BatchHooks, EpochWatch
from keras_trainkit.search.outcome import Outcome, choose_execution, read_outcome


def run_executions(
    tuner: Any, trial: Any, fit_args: Any, fit_kwargs: dict[str, Any]
) -> Outcome:
    """Trains a trial's model as often as the tuner says.

    Args:
        tuner: The `DependableTuner`.
        trial: The trial.
        fit_args: Positional arguments of `fit`.
        fit_kwargs: Keyword arguments of `fit`; callbacks are copied for each.

    Returns:
        The metrics of the execution that stands for the trial; its weights are
        those that the trial keeps.
    """
    callbacks = fit_kwargs.pop("callbacks", None) or []
    fit_kwargs["verbose"] = 2 if tuner._verbose == 2 else 0
    weights = tuner._weights(trial.trial_id)
    outcomes = []
    for execution in range(tuner.executions_per_trial):
        copies = tuner._deepcopy_callbacks(callbacks)
        place_boards(copies, trial, execution)
        paths = weights.of_execution(execution)
        copies.append(EpochWatch(tuner, trial, execution, tuner._record, *paths))
        if _has_batch_hooks(tuner):
            copies.append(BatchHooks(tuner, trial))
        tuner._next_seed = training_seed(tuner.oracle.seed, trial.trial_id, execution)
        results = tuner._build_and_fit_model(
            trial, *fit_args, callbacks=copies, **fit_kwargs
        )
        outcomes.append(read_outcome(results, tuner.oracle.objective))
    chosen = choose_execution(outcomes, tuner.oracle.objective)
    weights.keep(chosen)
    return outcomes[chosen]


def training_seed(seed: int, trial_id: str, execution: int) -> int:
    """The seed of one training, the same each time it runs, in [0, 2**31)."""
    text = f"{seed}/{trial_id}/{execution}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def _has_batch_hooks(tuner: Any) -> bool:
    return any(
        getattr(type(tuner), name) is not getattr(keras_tuner.Tuner, name)
        for name in ("on_batch_begin", "on_batch_end")
    )
