"""What a gradient check found: entries, verdicts, causes, a table and a picture."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

SHOWN = 12  # rows of the printed table
COARSE = 1e-4  # tolerance from which agreement is not called good
SCALE = {"wrong": 1e-2, "suspicious": 1e-4, "good": 1e-7}


class Entry(NamedTuple):
    """One comparison of a claimed derivative with a measured one.

    Args:
        parameter: The tensor's name, "all" for a joint direction.
        index: The coordinate, or "direction k".
        term: Which part of the loss: "loss", or "data", "regularization", "total".
        analytic: The claimed derivative.
        numeric: The finite difference.
        relative_error: `|a - n| / max(|a|, |n|)`, 0 where both are 0.
        error_estimate: Estimated error of `numeric`; NaN where it agreed at once.
        step: The step used, relative to the size of the values.
        kink: The operation that changed sides at that step, "" for none.
        verdict: "ok", "zero", "noisy", "kink" or "FAIL".
    """

    parameter: str
    index: Any
    term: str
    analytic: float
    numeric: float
    relative_error: float
    error_estimate: float
    step: float
    kink: str
    verdict: str


@dataclasses.dataclass
class GradientCheck:
    """The result of `gradcheck`.

    Verdicts: `ok` agrees within the tolerance; `FAIL` differs by more than the
    tolerance and than five times the estimated error; `kink` could not be judged
    because a ReLU, maximum, clip or comparison changed sides at every step;
    `noisy` differs by less than the error of the difference; `zero` is zero as far
    as can be measured, which proves little.

    Args:
        title: What was checked.
        entries: Every comparison, worst first.
        causes: The likely mistake for each failing parameter.
        notes: What the user should know about how the check was made.
        tolerance: Largest relative error that counts as agreement.
        widening: Factor on the scale of verdicts for the depth of the model.
        sweep: Measures relative errors of an entry over steps, for the picture.
    """

    title: str
    entries: list[Entry]
    causes: dict[str, str]
    notes: list[str]
    tolerance: float
    widening: float = 1.0
    sweep: Callable[[Entry], tuple[np.ndarray, np.ndarray]] | None = None

    @property
    def failures(self) -> list[Entry]:
        """The entries that failed, worst first."""
        return [entry for entry in self.entries if entry.verdict == "FAIL"]

    @property
    def ok(self) -> bool:
        """Whether something was confirmed and nothing failed."""
        confirmed = any(entry.verdict == "ok" for entry in self.entries)
        return confirmed and not self.failures

    @property
    def max_relative_error(self) -> float:
        """The largest relative error among entries that could be judged."""
        judged = [e.relative_error for e in self.entries if e.verdict in ("ok", "FAIL")]
        return max(judged, default=float("nan"))

    @property
    def grade(self) -> str:
        """The scale's word for the largest error that failed, or "good".

        Above 1e-2 the gradient is "wrong", above 1e-4 "suspicious" as no kink is
        in the way, below it "small but real"; each limit times `widening`.
        """
        if not self.failures:
            return "good" if self.ok else "not judged"
        worst = max(entry.relative_error for entry in self.failures)
        for word in ("wrong", "suspicious"):
            if worst > min(0.5, SCALE[word] * self.widening):
                return word
        return "small but real"

    @property
    def unjudged(self) -> list[str]:
        """Parameters none of whose comparisons could confirm or refute."""
        names = dict.fromkeys(entry.parameter for entry in self.entries)
        judged = {e.parameter for e in self.entries if e.verdict in ("ok", "FAIL")}
        return [name for name in names if name not in judged]

    def to_frame(self) -> Any:
        """Returns the comparisons as a pandas DataFrame, one row each."""
        import pandas as pd

        return pd.DataFrame(self.entries, columns=list(Entry._fields))

    def raise_if_failed(self) -> "GradientCheck":
        """Returns the check itself, or raises if it is not `ok`.

        Raises:
            AssertionError: With the whole report, if the check failed.
        """
        if not self.ok:
            raise AssertionError(str(self))
        return self

    def plot(self, entries: int = 6, ax: Any = None) -> Any:
        """Draws the relative error of the worst entries against the step size.

        A right gradient gives a V: the error falls with the step until rounding
        takes over. A wrong one stays on a plateau.

        Args:
            entries: How many entries are drawn, int >= 1.
            ax: Matplotlib axes to draw on, new ones by default.

        Returns:
            The matplotlib axes.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        from keras_trainkit.gradcheck.picture import draw

        return draw(self, entries, ax)

    def __str__(self) -> str:
        verdict = "passed" if self.ok else "FAILED"
        if not self.ok and not self.failures:
            verdict = "NOT JUDGED"
        grade = self.grade
        if self.ok and self.tolerance > COARSE * self.widening:
            # It is not known to be better than this.
            grade = f"to {self.tolerance:.0e} only"
        counts = {
            word: sum(entry.verdict == word for entry in self.entries)
            for word in ("ok", "FAIL", "kink", "noisy", "zero")
        }
        tally = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        lines = [
            f"Gradient check of {self.title}: {verdict} ({grade})",
            f"  {len(self.entries)} comparisons: {tally}",
            f"  largest relative error {self.max_relative_error:.2e}, "
            f"tolerance {self.tolerance:.0e}",
        ]
        lines += [f"  {name}: {words}" for name, words in self.causes.items()]
        shown = _worst_of_each(self.entries)[:SHOWN]
        lines += ["", *_table(shown)]
        if len(self.entries) > len(shown):
            lines.append(f"  ... {len(self.entries) - len(shown)} more in .to_frame()")
        if self.unjudged:
            lines.append(f"not judged: {', '.join(self.unjudged)}")
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)

    __repr__ = __str__


def _worst_of_each(entries: list[Entry]) -> list[Entry]:
    """Keeps the three worst entries of each parameter, in the given order."""
    seen: dict[str, int] = {}
    kept = []
    for entry in entries:
        seen[entry.parameter] = seen.get(entry.parameter, 0) + 1
        if seen[entry.parameter] <= 3:
            kept.append(entry)
    return kept


def _table(entries: list[Entry]) -> list[str]:
    header = (
        "parameter",
        "index",
        "term",
        "analytic",
        "numeric",
        "rel. error",
        "step",
        "kink",
        "verdict",
    )
    rows = [header] + [
        (
            entry.parameter,
            str(entry.index),
            entry.term,
            f"{entry.analytic:+.6e}",
            f"{entry.numeric:+.6e}",
            f"{entry.relative_error:.1e}",
            f"{entry.step:.0e}",
            entry.kink or "-",
            entry.verdict,
        )
        for entry in entries
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return [
        "  "
        + "  ".join(
            word.ljust(width) for word, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
