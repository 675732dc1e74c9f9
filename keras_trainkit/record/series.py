"""What a number in a record is, and the other plain things a record is made of."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np


class Series(NamedTuple):
    """What a number is: its measure and the names that apply to it, else "".

    Args:
        measure: What is measured, see `keras_trainkit.record.Measure`.
        layer: Of which layer.
        variable: Of which variable of it, e.g. `"kernel"`.
        tensor: Which kind of tensor: "weight" or "gradient" of a variable,
            "activation" or "activation_gradient" of a layer.
        metric: Of which metric of Keras, e.g. `"loss"`.
        bin: Which bin of a histogram, as its edges: `"0.01:0.1"`.
        training: Which training of several that a record holds side by side, e.g.
            `"2"` for the second execution of a trial; the first has no name.
    """

    measure: str
    layer: str = ""
    variable: str = ""
    tensor: str = ""
    metric: str = ""
    bin: str = ""
    training: str = ""

    @property
    def edges(self) -> tuple[float, float]:
        """Left and right edge of the bin."""
        left, _, right = self.bin.partition(":")
        return float(left), float(right)

    @property
    def tensor_name(self) -> str:
        """Names the tensor that is measured, e.g. `"dense/kernel gradient"`."""
        own = self.tensor.replace("_", " ")
        if self.variable:
            own = " ".join(filter(None, (self.variable, own.removeprefix("weight"))))
        return "/".join(filter(None, (self.layer, own, self.metric)))


def bin_name(left: float, right: float) -> str:
    """The name of a bin between two edges, infinite ones allowed."""
    return f"{left:g}:{right:g}"


@dataclasses.dataclass(frozen=True)
class Block:
    """Readings of several series at the same steps.

    Args:
        columns: The `k` series.
        steps: Training step of each row, shape `(n,)`, from 0.
        epochs: Epoch of each row, shape `(n,)`, from 0.
        values: Readings, shape `(n, k)`; NaN and infinity are values like others.
        present: Which readings were taken, shape `(n, k)`; `None` for all.
    """

    columns: tuple[Series, ...]
    steps: np.ndarray
    epochs: np.ndarray
    values: np.ndarray
    present: np.ndarray | None = None


class Image(NamedTuple):
    """A picture taken at the end of an epoch."""

    name: str
    epoch: int
    png: bytes


class Fit(NamedTuple):
    """One call of `fit` in a record that goes on over several.

    Args:
        step: The first step of it, counted over the whole record.
        epoch: The first epoch of it, counted over the whole record.
        about: What else is known of it, e.g. when it started.
    """

    step: int
    epoch: int
    about: dict[str, Any]
