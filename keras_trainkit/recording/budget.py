"""How much of the running time watching may cost, and how much it has cost."""

import collections
import statistics
import time

# As many recent calls tell what a call costs with and without a reading.
_RECENT = 500


class Budget:
    """Divides the share of the running time that watching may cost.

    A third is for the readings of steps, a third for what is done between epochs,
    and the rest for the loss of every step, which nothing is asked for.

    Args:
        overhead: The share, in (0, 1].
    """

    def __init__(self, overhead: float) -> None:
        self.overhead = overhead

    @property
    def readings(self) -> float:
        """The share for the readings of steps."""
        return self.overhead / 3

    @property
    def between_epochs(self) -> float:
        """The share for what is done between epochs."""
        return self.overhead / 3


class Between:
    """Keeps what is done between epochs within its share of the time of epochs.

    The first time is always allowed and, like the tracing of the step before it, not
    counted: it loads libraries and traces the evaluation.

    Args:
        share: The share, `None` for no limit.
    """

    def __init__(self, share: float | None) -> None:
        self._share = share
        self._trained = 0.0
        self._spent = 0.0
        self._last: float | None = None
        self._start = 0.0

    def begin_epoch(self) -> None:
        """Starts the clock of an epoch."""
        self._start = time.perf_counter()

    def end_epoch(self) -> None:
        """Counts the time of the epoch."""
        self._trained += time.perf_counter() - self._start

    def allows(self) -> bool:
        """Whether there is time for as much as was done last."""
        if self._share is None or self._last is None:
            return True
        return self._spent + self._last <= self._share * self._trained

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        cost = time.perf_counter() - self._start
        if self._last is not None:
            self._spent += cost
            self._last = cost
        else:
            # Later times are cheaper, but how much is not known yet.
            self._last = cost / 4
            self._trained = 0.0


class Cost:
    """What watching has cost so far, as far as it can be told from within a run.

    What a reading costs shows where some calls of the train function read and
    others do not. Not seen is what every call costs, i.e. the loss of the step.
    """

    def __init__(self) -> None:
        self._recent: dict[bool, collections.deque[float]] = {
            kind: collections.deque(maxlen=_RECENT) for kind in (False, True)
        }
        self._reading_calls = 0
        self._calls = 0.0
        self._between = 0.0

    def add_call(self, seconds: float, reads: bool) -> None:
        """Counts a call of the train function.

        Args:
            seconds: How long it took.
            reads: Whether it took readings that others do not.
        """
        self._calls += seconds
        self._reading_calls += reads
        self._recent[reads].append(seconds)

    def add_between(self, seconds: float) -> None:
        """Counts what was done between epochs."""
        self._between += seconds

    def share(self) -> float | None:
        """The cost as a share of the time without it.

        Returns:
            At least 0; `None` if every call reads, so that nothing tells what a
            call would take without.
        """
        if not self._calls or (self._reading_calls and not self._recent[False]):
            return None
        spent = self._between
        readings = 0.0
        if self._reading_calls:
            each = statistics.median(self._recent[True]) - statistics.median(
                self._recent[False]
            )
            readings = max(0.0, each) * self._reading_calls
            spent += readings
        return spent / max(self._calls - readings, 1e-9)
