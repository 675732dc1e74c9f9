"""What a sweep over learning rates found."""

import dataclasses
from typing import Any

import numpy as np

from keras_trainkit.axes import new_axes

SMOOTHING = 0.8
"""The part of the running mean that is kept from one rate to the next."""


@dataclasses.dataclass(frozen=True, eq=False)
class LearningRateSweep:
    """The loss at each rate, and a rate to start from.

    Args:
        learning_rates: The rates, rising, shape `(n,)`.
        losses: The loss of the batch trained on at each rate, shape `(n,)`; NaN
            and infinity are values.
        trouble: Why the losses say nothing of the rates, "" if they do.
        repeats: Further sweeps over other batches.
        shortened: Why it ended before its last rate though the loss had not risen,
            "" if it did not.

    Example:
        ```python
        sweep = tk.probes.find_learning_rate(model, x, y)
        print(sweep)  # suggested learning rate 0.0123 (loss falls fastest)
        ```
    """

    learning_rates: np.ndarray
    losses: np.ndarray
    trouble: str = ""
    repeats: tuple["LearningRateSweep", ...] = ()
    shortened: str = ""

    @property
    def smoothed(self) -> np.ndarray:
        """The running mean of the losses, without the pull of a zero start."""
        mean, means = 0.0, []
        with np.errstate(invalid="ignore", over="ignore"):
            for step, loss in enumerate(self.losses, start=1):
                mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
                means.append(mean / (1 - SMOOTHING**step))
        return np.array(means)

    @property
    def suggestion(self) -> float | None:
        """The rate around which the loss falls fastest, before its minimum.

        The fall is that of a straight line through a fifth of the curve, so that
        the noise between two batches is not mistaken for one. Of several sweeps the
        geometric mean. `None` if the loss never fell, or was not finite at rates so
        low that the data or the model must be at fault.
        """
        return self.suggestions["steepest"]

    @property
    def suggestions(self) -> dict[str, float | None]:
        """The rates that people take, each `None` where it cannot be said.

        "steepest" is `suggestion`; "valley" lies in the middle of the longest
        descent of the smoothed loss; "minimum/10" is a tenth of the rate at which
        the smoothed loss is least.
        """
        sweeps = [self._rules(), *(one._rules() for one in self.repeats)]
        means: dict[str, float | None] = {}
        for name in sweeps[0]:
            rates = [rules[name] for rules in sweeps]
            known = [rate for rate in rates if rate is not None]
            means[name] = float(np.exp(np.mean(np.log(known)))) if known else None
        return means

    @property
    def band(self) -> tuple[float, float] | None:
        """The lowest and the highest suggestion of several sweeps, else `None`."""
        found = [one._rules()["steepest"] for one in (self, *self.repeats)]
        known = [rate for rate in found if rate is not None]
        return (min(known), max(known)) if len(known) > 1 else None

    @property
    def why_not(self) -> str:
        """Why there is no suggestion, "" if there is one."""
        if self.suggestion is not None:
            return ""
        if self.trouble:
            return self.trouble
        low, high = self.learning_rates[0], self.learning_rates[-1]
        broken = self._broken()
        if broken is not None:
            return (
                f"the loss was not finite from {self.learning_rates[broken]:.2g} on, "
                "though it had not risen: look for NaN in the data, log(0) or sqrt(0)"
            )
        words = f"the loss did not fall between {low:.2g} and {high:.2g}"
        return f"{words}, where {self.shortened}" if self.shortened else words

    def _broken(self) -> int | None:
        """Where the loss ceased to be finite for another reason than the rate."""
        finite = np.isfinite(self.losses)
        if finite.all():
            return None
        first = int(np.argmin(finite))
        if first < 2:
            return first
        # A rate that is too high makes the loss rise before it overflows.
        risen = np.max(self.losses[:first]) > 2 * abs(self.losses[0])
        early = 2 * first < len(self.losses)
        return first if early and not risen else None

    def _rules(self) -> dict[str, float | None]:
        rules: dict[str, float | None] = dict.fromkeys(
            ("steepest", "valley", "minimum/10")
        )
        smoothed = self.smoothed
        finite = np.isfinite(smoothed)
        count = len(finite) if finite.all() else int(np.argmin(finite))
        if count < 2 or self.trouble or self._broken() is not None:
            return rules
        lowest = int(np.argmin(smoothed[:count]))
        falling = self.losses[: lowest + 1]
        window = max(2, len(self.losses) // 5)
        if len(falling) < window:
            return rules
        windows = np.lib.stride_tricks.sliding_window_view(falling, window)
        slopes = windows @ (np.arange(window) - (window - 1) / 2)
        steepest = int(np.argmin(slopes))
        if slopes[steepest] >= 0:
            return rules
        rules["steepest"] = float(self.learning_rates[steepest + window // 2])
        begin, end = _longest_descent(smoothed[: lowest + 1])
        rules["valley"] = float(self.learning_rates[(begin + end) // 2])
        rules["minimum/10"] = float(self.learning_rates[lowest] / 10)
        return rules

    def plot(self, *, axes: Any = None) -> Any:
        """Draws the losses over the rates; needs matplotlib.

        Args:
            axes: A matplotlib `Axes` to draw on; by default those of a new
                figure.

        Returns:
            The matplotlib `Axes`; `.figure.savefig(path)` saves the picture.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        axes = new_axes() if axes is None else axes
        for other in self.repeats:
            axes.plot(other.learning_rates, other.smoothed, color="gray", alpha=0.4)
        if self.band is not None:
            axes.axvspan(*self.band, color="tab:green", alpha=0.15, label="band")
        axes.plot(self.learning_rates, self.losses, ".", alpha=0.4, label="batch loss")
        axes.plot(self.learning_rates, self.smoothed, label="smoothed")
        if self.suggestion is not None:
            axes.axvline(
                self.suggestion,
                color="tab:green",
                linestyle="--",
                label=f"suggestion {self.suggestion:.2g}",
            )
        shown = self.smoothed[np.isfinite(self.smoothed)]
        if len(shown):
            top = shown[0] + 2 * max(shown[0] - shown.min(), 1e-12)
            bottom = shown.min() - 0.2 * max(shown[0] - shown.min(), 1e-12)
            axes.set_ylim(bottom, top)
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
        axes.legend()
        return axes

    def __str__(self) -> str:
        if self.suggestion is None:
            return f"no learning rate to suggest: {self.why_not}"
        words = f"suggested learning rate {self.suggestion:.2g} (loss falls fastest)"
        others = [
            f"{name} {rate:.2g}"
            for name, rate in self.suggestions.items()
            if rate is not None and name != "steepest"
        ]
        if self.band is not None:
            low, high = self.band
            others.append(f"{low:.2g} to {high:.2g} in {len(self.repeats) + 1} sweeps")
        if self.shortened:
            others.append(self.shortened)
        return "; ".join([words, *others])


def _longest_descent(values: np.ndarray) -> tuple[int, int]:
    """Returns first and last place of the longest falling subsequence.

    Ups and downs between its members do not end it.
    """
    lengths: np.ndarray = np.ones(len(values), int)
    before: np.ndarray = np.full(len(values), -1)
    for place in range(1, len(values)):
        higher = np.flatnonzero(values[:place] > values[place])
        if len(higher):
            best = higher[np.argmax(lengths[higher])]
            lengths[place], before[place] = lengths[best] + 1, best
    end = begin = int(np.argmax(lengths))
    while before[begin] >= 0:
        begin = int(before[begin])
    return begin, end
