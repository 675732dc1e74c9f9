"""The trainings of one trial: each with its seed, the median one stands for all."""

import hashlib
from collections.abc import Sequence
from typing import Any

from keras_trainkit.search.engine.averaging import averaging_of
from keras_trainkit.search.engine.boards import place_boards
from keras_trainkit.search.engine.epoch_watch import BatchHooks, EpochWatch, LastWeights
from keras_trainkit.search.engine.keras_tuner import keras_tuner
from keras_trainkit.search.engine.outcome import Outcome, choose_execution, read_outcome
from keras_trainkit.search.engine.trainer import Trainer


def run_executions(
    tuner: Trainer, trial: Any, fit_args: Any, fit_kwargs: dict[str, Any]
) -> Outcome:
    """Trains a trial's model as often as the tuner says.

    Args:
        tuner: The tuner that runs it.
        trial: The trial.
        fit_args: Positional arguments of `fit`.
        fit_kwargs: Keyword arguments of `fit`; callbacks are copied for each.

    Returns:
        The metrics of the execution that stands for the trial; its weights are
        those that the trial keeps.
    """
    callbacks = fit_kwargs.pop("callbacks", None) or []
    fit_kwargs["verbose"] = 2 if tuner.verbose == 2 else 0
    weights = tuner.weights_of(trial.trial_id)
    outcomes = []
    for execution in range(tuner.executions_per_trial):
        copies = tuner.copies_of(callbacks)
        place_boards(copies, trial, execution)
        best, *last = weights.of_execution(execution)
        averaging = averaging_of(copies, tuner.oracle.objective)
        watch = EpochWatch(tuner, trial, execution, tuner.record, best, averaging)
        copies = [*map(LastWeights, last), *copies, watch]
        if _has_batch_hooks(tuner):
            copies.append(BatchHooks(tuner, trial))
        tuner.next_seed = training_seed(tuner.oracle.seed, trial.trial_id, execution)
        results = tuner.build_and_fit(trial, *fit_args, callbacks=copies, **fit_kwargs)
        _check_not_stopped(copies)
        outcomes.append(read_outcome(results, tuner.oracle.objective))
    chosen = choose_execution(outcomes, tuner.oracle.objective)
    weights.keep(chosen)
    return outcomes[chosen]


def training_seed(seed: int, trial_id: str, execution: int) -> int:
    """The seed of one training, the same each time it runs, in [0, 2**31)."""
    text = f"{seed}/{trial_id}/{execution}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def _check_not_stopped(callbacks: Sequence[Any]) -> None:
    """Fails the trial if a callback gave its training up.

    Such a callback leaves the reason, in words, in an attribute `stopped_because`
    that is `None` otherwise.
    """
    for callback in callbacks:
        reason = getattr(callback, "stopped_because", None)
        if isinstance(reason, str) and reason:
            raise keras_tuner.errors.FailedTrialError(
                f"{type(callback).__name__} stopped the training: {reason}"
            )


def _has_batch_hooks(tuner: Trainer) -> bool:
    return any(
        getattr(type(tuner), name) is not getattr(keras_tuner.Tuner, name)
        for name in ("on_batch_begin", "on_batch_end")
    )
