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

    Example:
        ```python
        sweep = tk.probes.find_learning_rate(model, x, y)
        print(sweep)  # suggested learning rate 0.0123 (loss falls fastest)
        ```
    """

    learning_rates: np.ndarray
    losses: np.ndarray

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
        the noise between two batches is not mistaken for one. `None` if the loss
        never fell: a wrong range of rates, or a model that does not learn.
        """
        smoothed = self.smoothed
        finite = np.isfinite(smoothed)
        count = len(finite) if finite.all() else int(np.argmin(finite))
        if count < 2:
            return None
        falling = self.losses[: int(np.argmin(smoothed[:count])) + 1]
        window = max(2, len(self.losses) // 5)
        if len(falling) < window:
            return None
        windows = np.lib.stride_tricks.sliding_window_view(falling, window)
        slopes = windows @ (np.arange(window) - (window - 1) / 2)
        steepest = int(np.argmin(slopes))
        if slopes[steepest] >= 0:
            return None
        return float(self.learning_rates[steepest + window // 2])

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
            return (
                "no learning rate to suggest: the loss did not fall between "
                f"{self.learning_rates[0]:.2g} and {self.learning_rates[-1]:.2g}"
            )
        return f"suggested learning rate {self.suggestion:.2g} (loss falls fastest)"
