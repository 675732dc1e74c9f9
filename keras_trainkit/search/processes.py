"""Runs the part of a search that belongs to this process."""

import os
from collections.abc import Callable
from typing import Any

from keras_trainkit.search.chief import serve
from keras_trainkit.search.messages import Place
from keras_trainkit.search.progress import Progress
from keras_trainkit.search.remote_oracle import RemoteOracle

RunTrials = Callable[[Callable[[], None]], None]


def run_here(tuner: Any, place: Place | None, run_trials: RunTrials) -> str | None:
    """Searches alone, answers as the chief, or works for one.

    Args:
        tuner: The `DependableTuner`; a worker's asks its chief meanwhile.
        place: This process among those of the search, `None` if it is the only one.
        run_trials: Runs trials until the oracle has no more; calls what it is given
            whenever something has changed.

    Returns:
        Why the search ended early, `None` if it is done.
    """
    if place is not None and not place.is_chief:
        return _work(tuner, place, run_trials)
    progress = Progress(
        tuner.oracle.count_trials(),
        show=bool(tuner._verbose),
        notes=tuner._notes,
    )

    def show() -> None:
        progress.update(tuner.oracle)

    try:
        if place is None:
            run_trials(show)
            return tuner.oracle.stopped_because
        tuner.save()
        return serve(tuner.oracle, place, show)
    finally:
        progress.close()


def _work(tuner: Any, place: Place, run_trials: RunTrials) -> str | None:
    own = tuner.oracle
    tuner.oracle = RemoteOracle(own, place)
    try:
        with tuner.oracle.alive():
            run_trials(lambda: None)
        failure = tuner.oracle.stopped_because
    finally:
        tuner.oracle = own
    if os.path.exists(own._get_oracle_fname()):
        own.reload()  # from here on the files say what the chief knew
    return failure
