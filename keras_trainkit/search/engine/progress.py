"""Says what a search is at: a bar on a terminal, plain lines elsewhere."""

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from keras_trainkit.search.engine.keras_tuner import TrialStatus

_BAR = 20


class Progress:
    """Shows how many trials are done, the best so far and the time left.

    Args:
        total: Trials of the whole search, `None` if it is not known.
        show: Whether to print at all.
        notes: Gives what else to say, each once, e.g. which ranges are too narrow.
        stream: Where to print; standard output if `None`.
        clock: Gives the time in seconds.
    """

    def __init__(
        self,
        total: int | None,
        *,
        show: bool = True,
        notes: Callable[[], Sequence[str]] = tuple,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._show = show
        self._notes = notes
        self._stream = stream or sys.stdout
        self._on_terminal = self._stream.isatty()
        self._clock = clock
        self._began: tuple[float, int] | None = None
        self._shown: tuple[int, int] | None = None
        self._told: set[str] = set()

    def update(self, oracle: Any) -> None:
        """Shows the state of the search if it has changed."""
        if not self._show:
            return
        done, running = len(oracle.end_order), len(oracle.ongoing_trials)
        if self._began is None:
            self._began = self._clock(), done
            if done:
                self._line(f"Goes on after {done} trials.")
        if self._shown == (done, running):
            return
        ended = self._shown is not None and self._shown[0] != done
        for trial_id in oracle.end_order[self._shown[0] if self._shown else done :]:
            self._tell_failure(oracle.trials[trial_id])
        self._shown = done, running
        self._note()
        if self._on_terminal:
            self._redraw(self._bar(done) + self._words(oracle, done, running))
        elif ended:
            self._line(self._words(oracle, done, running))

    def close(self, oracle: Any) -> None:
        """Ends the line of the bar and tells of the best trial."""
        if not self._show or self._shown is None:
            return
        if self._on_terminal:
            self._stream.write("\n")
        for trial in oracle.get_best_trials(1):
            self._stream.write(f"{_told_best(trial, oracle.objective.name)}\n")
        self._stream.flush()

    def _words(self, oracle: Any, done: int, running: int) -> str:
        total = f"/{self._total}" if self._total else ""
        words = [f"{done}{total} trials"]
        best = oracle.get_best_trials(1)
        if best:
            name = oracle.objective.name
            words.append(f"best {name} {best[0].score:.5g} (trial {best[0].trial_id})")
        failed = sum(
            trial.status == TrialStatus.FAILED for trial in oracle.trials.values()
        )
        if failed:
            words.append(f"{failed} failed")
        if running > 1:
            words.append(f"{running} running")
        left = self._time_left(done)
        if left is not None:
            words.append(f"about {told_time(left)} left")
        return ", ".join(words)

    def _time_left(self, done: int) -> float | None:
        assert self._began is not None
        began, done_before = self._began
        if not self._total or done == done_before or done >= self._total:
            return None
        pace = (self._clock() - began) / (done - done_before)
        return pace * (self._total - done)

    def _bar(self, done: int) -> str:
        if not self._total:
            return ""
        filled = min(_BAR, _BAR * done // self._total)
        return f"[{'#' * filled}{'-' * (_BAR - filled)}] "

    def _tell_failure(self, trial: Any) -> None:
        if trial.status == TrialStatus.FAILED:
            self._line(f"Trial {trial.trial_id} failed. {last_line(trial.message)}")

    def _note(self) -> None:
        for note in self._notes():
            if note not in self._told:
                self._told.add(note)
                self._line(note)

    def _line(self, text: str) -> None:
        if self._on_terminal:
            self._redraw("")
            text = f"\r{text}"
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def _redraw(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        self._stream.write(f"\r{text[:width]:<{width}}")
        self._stream.flush()


def _told_best(trial: Any, objective: str) -> str:
    lines = [f"Best trial {trial.trial_id}: {objective} {trial.score:.5g}"]
    values = own_values(trial)
    width = max(map(len, values), default=0)
    for name, value in values.items():
        told = f"{value:.4g}" if isinstance(value, float) else str(value)
        lines.append(f"  {name:<{width}}  {told}")
    return "\n".join(lines)


def own_values(trial: Any) -> dict[str, Any]:
    """The hyperparameters of a trial without what a tuner adds to them."""
    return {
        name: value
        for name, value in trial.hyperparameters.values.items()
        if not name.startswith("tuner/")
    }


def last_line(message: str | None) -> str:
    """The line of a traceback that says what went wrong."""
    lines = (message or "").strip().splitlines()
    return lines[-1] if lines else ""


def told_time(seconds: float) -> str:
    """A duration in the two units that matter, e.g. `1 min 20 s`."""
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
