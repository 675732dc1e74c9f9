"""Members from the best trials of a hyperparameter search."""

import math
import warnings
from collections.abc import Mapping
from typing import Any

import keras

from keras_trainkit.arguments import check_flag, check_integer, received
from keras_trainkit.ensembles.from_seeds import Fit, member_seeds, training


def members_from_tuner(
    tuner: Any, members: int, fit: Fit, seed: int, skip_damaged: bool
) -> list[keras.Model]:
    """Loads or retrains the best trials; see `Ensemble.from_tuner`."""
    check_integer("members", members, minimum=1)
    check_flag("skip_damaged", skip_damaged)
    trials = _best_trials(tuner)
    if not trials:
        raise ValueError(
            "`tuner` must have a completed trial with a finite score: call its "
            f"`search` first. {received('tuner', tuner)}"
        )
    found: list[keras.Model] = []
    if fit is not None:
        seeds = member_seeds(seed, members)
        for trial, each in zip(trials, seeds, strict=False):
            found.append(_retrained(tuner, trial, fit, each))
    else:
        for trial in trials:
            if len(found) < members:
                model = _loaded(tuner, trial, skip_damaged)
                found += [] if model is None else [model]
    if not found:
        raise ValueError(
            "`tuner` must have a trial whose checkpoint can be read. Pass `fit` to "
            f"train anew. {received('tuner', tuner)}"
        )
    if len(found) < members:
        warnings.warn(
            f"The search has {len(found)} usable trials of the {members} asked for; "
            f"the ensemble has {len(found)} members.",
            stacklevel=3,
        )
    return found


def _best_trials(tuner: Any) -> list[Any]:
    """Returns completed trials, the best first."""
    oracle: Any = getattr(tuner, "oracle", None)
    if not hasattr(oracle, "get_best_trials") or not hasattr(tuner, "load_model"):
        raise ValueError(
            "`tuner` must be a KerasTuner tuner: it has no oracle with trials. "
            + received("tuner", tuner)
        )
    # With too few completed trials KerasTuner hands out failed ones as well.
    return [
        trial
        for trial in oracle.get_best_trials(max(len(oracle.trials), 1))
        if trial.status == "COMPLETED"
        and trial.score is not None
        and math.isfinite(trial.score)
    ]


def _loaded(tuner: Any, trial: Any, skip_damaged: bool) -> keras.Model | None:
    try:
        return tuner.load_model(trial)
    except Exception as error:
        # What a damaged file raises is not known: OSError, KeyError, ValueError.
        words = f"Trial '{trial.trial_id}' cannot be loaded: {error}"
        if not skip_damaged:
            raise ValueError(
                f"{words} Pass `skip_damaged=True` to take the next best instead, or "
                f"`fit` to train anew. {received('skip_damaged', skip_damaged)}"
            ) from error
        warnings.warn(f"Left out: {words}", stacklevel=4)
        return None


def _retrained(tuner: Any, trial: Any, fit: Any, seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    hyperparameters = trial.hyperparameters
    model = tuner.hypermodel.build(hyperparameters)
    if isinstance(fit, Mapping) and hasattr(tuner.hypermodel, "fit"):
        # The hypermodel may tune arguments of `fit`, such as the batch size.
        tuner.hypermodel.fit(hyperparameters, model, **{"verbose": 0, **fit})
    else:
        training(fit)(model)
    return model
