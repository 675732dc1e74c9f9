"""TensorBoard callbacks in a search: a directory and the hyperparameters a trial."""

import os
from collections.abc import Sequence
from typing import Any

import keras

from keras_trainkit.search.engine.keras_tuner import Boolean, Choice, Fixed, Int


def place_boards(callbacks: list[Any], trial: Any, execution: int) -> None:
    """Gives each TensorBoard callback a directory of its own for this training.

    The trial's hyperparameters go there too, for TensorBoard's HParams page.

    Args:
        callbacks: The callbacks of the training; changed and added to.
        trial: The trial.
        execution: Which training of the trial it is, from 0.
    """
    boards = [
        each for each in callbacks if isinstance(each, keras.callbacks.TensorBoard)
    ]
    if not boards:
        return
    from tensorboard.plugins.hparams import api

    for board in boards:
        board.log_dir = os.path.join(
            str(board.log_dir), trial.trial_id, f"execution{execution}"
        )
        values = {
            api.HParam(hp.name, _domain(hp, api)): trial.hyperparameters.values[hp.name]
            for hp in trial.hyperparameters.space
            if hp.name in trial.hyperparameters.values
        }
        callbacks.append(
            api.KerasCallback(board.log_dir, values, trial_id=trial.trial_id)
        )


def _domain(hp: Any, api: Any) -> Any:
    if isinstance(hp, Boolean):
        return api.Discrete([True, False])
    if isinstance(hp, Fixed):
        return api.Discrete([hp.value])
    if isinstance(hp, Choice) or (hp.step not in (None, 1)):
        values: Sequence[Any] = list(hp.values)  # as they are drawn, log steps too
        return api.Discrete(values)
    if isinstance(hp, Int):
        return api.IntInterval(hp.min_value, hp.max_value)
    return api.RealInterval(hp.min_value, hp.max_value)
