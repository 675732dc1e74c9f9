"""Runs the part of a search that belongs to this process."""

import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from keras_trainkit.search.distribute.chief import serve
from keras_trainkit.search.distribute.messages import Place
from keras_trainkit.search.distribute.remote_oracle import RemoteOracle
from keras_trainkit.search.engine.progress import Progress

RunTrials = Callable[[Callable[[], None]], None]


class Searcher(Protocol):
    """A tuner, as the processes of its search see it.

    Attributes:
        oracle: Its oracle; in a worker the chief's stands here while it searches.
        verbose: 0 says nothing.
    """

    oracle: Any
    verbose: Any

    def notes(self) -> Sequence[str]:
        """What to say beside the progress, each once."""

    def save(self) -> None:
        """Stores the project."""


def run_here(tuner: Searcher, place: Place | None, run_trials: RunTrials) -> str | None:
    """Searches alone, answers as the chief, or works for one.

    Args:
        tuner: The tuner; a worker's asks its chief meanwhile.
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
        show=bool(tuner.verbose),
        notes=tuner.notes,
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
        progress.close(tuner.oracle)


def _work(tuner: Searcher, place: Place, run_trials: RunTrials) -> str | None:
    own = tuner.oracle
    tuner.oracle = RemoteOracle(own, place)
    try:
        with tuner.oracle.alive():
            run_trials(lambda: None)
        failure = tuner.oracle.stopped_because
    finally:
        tuner.oracle = own
    if os.path.exists(own.state_path):
        own.reload()  # from here on the files say what the chief knew
    return failure
