"""What each measure is, said once: of what, when, in which words, when healthy.

Whoever measures, draws, judges or exports a number asks here. A measure of one's own
is told of with `register`, or goes with the record (`TrainingRecord.describe`), which
tells those who read it later on another machine as well.
"""

import dataclasses
import math
from typing import Any

from keras_trainkit.arguments import check_choice, received

OF = ("run", "layer", "variable", "tensor", "metric")
WHEN = ("step", "epoch")
UNITS = ("", "fraction", "count", "s")


@dataclasses.dataclass(frozen=True)
class Band:
    """Where a measure is healthy.

    Args:
        low: Smallest healthy value.
        high: Largest healthy value.
        aim: The value to be near to, within the band; `None` if there is none.

    Raises:
        ValueError: If they are not in order.
    """

    low: float
    high: float
    aim: float | None = None

    def __post_init__(self) -> None:
        aim = self.low if self.aim is None else self.aim
        if not self.low <= aim <= self.high:
            raise ValueError(
                "`low`, `aim` and `high` must be in this order. "
                + received("low, aim, high", (self.low, self.aim, self.high))
            )

    def holds(self, value: float) -> bool:
        """Whether a value is healthy; NaN never is."""
        return self.low <= value <= self.high


@dataclasses.dataclass(frozen=True)
class Measure:
    """What the numbers of one measure are.

    Args:
        name: Its name in the record, e.g. `"update_ratio"`.
        of: What one series of it is about: "run", "layer", "variable" (of a layer),
            "tensor" (a kind of tensor of a layer or variable) or "metric".
        when: "step" if it is read at single steps, "epoch" if once an epoch.
        words: What a figure or a table calls it; the name in words if "".
        unit: "" (a plain number), "fraction" (of 1), "count" or "s" (seconds).
        healthy: Where it is healthy, `None` if that depends.
        logarithmic: Whether it spans orders of magnitude.
        bins: Whether a reading is a histogram, one series a bin.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        ```python
        Measure("sparsity", of="layer", when="epoch", unit="fraction")
        ```
    """

    name: str
    of: str = "run"
    when: str = "step"
    words: str = ""
    unit: str = ""
    healthy: Band | None = None
    logarithmic: bool = False
    bins: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(
                f"`name` must be a non-empty string. {received('name', self.name)}"
            )
        check_choice("of", self.of, OF)
        check_choice("when", self.when, WHEN)
        check_choice("unit", self.unit, UNITS)
        if not self.words:
            words = self.name.replace("_", " ")
            object.__setattr__(self, "words", words[:1].upper() + words[1:])

    def badness(self, value: float) -> float:
        """Ranks values of this measure: the larger, the more it stands out.

        Returns:
            Decades from the healthy aim, or from 1 if the measure is logarithmic
            without one, infinite for 0 or less; else the value itself.
        """
        aim = self.healthy.aim if self.healthy is not None else None
        if aim is None and not self.logarithmic:
            return float(value)
        if not value > 0:
            return math.inf
        return abs(math.log10(value) - math.log10(aim or 1.0))

    def written(self, value: float) -> str:
        """A value as a reader sees it: three digits, NaN and infinity by name."""
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "infinity" if value > 0 else "-infinity"
        if self.unit == "fraction":
            return f"{value:.0%}"
        return f"{value:.3g}" + (" s" if self.unit == "s" else "")

    def to_dict(self) -> dict[str, Any]:
        """The measure as plain data, for the metadata of a record."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Measure":
        """Makes the measure that `to_dict` described."""
        healthy = data.get("healthy")
        band = None if healthy is None else Band(**healthy)
        return cls(**{**data, "healthy": band})


# About a thousandth is healthy, a tenth or ten times that is tolerable.
_RATIO = Band(1e-4, 1e-2, aim=1e-3)
# Sparse layers keep silent units and train well; more than half are too many.
_DEAD = Band(0.0, 0.5)

MEASURES = (
    Measure("loss", words="Loss of a batch"),
    Measure("learning_rate", logarithmic=True),
    Measure("batch_size", words="Examples of a batch", unit="count"),
    Measure("step_seconds", words="Time of a step", unit="s"),
    Measure("data_seconds", words="Waiting for data", unit="s"),
    Measure("update_ratio", of="variable", healthy=_RATIO, logarithmic=True),
    Measure("update_norm", of="variable", words="Updates", logarithmic=True),
    Measure("gradient_norm", of="variable", words="Gradients", logarithmic=True),
    Measure("weight_norm", of="variable", words="Weights", logarithmic=True),
    Measure("activation_mean", of="layer"),
    Measure("activation_std", of="layer", words="Activation deviation"),
    Measure("activation_gradient_mean", of="layer", words="Gradient mean"),
    Measure("activation_gradient_std", of="layer", words="Gradient deviation"),
    Measure("zero_fraction", of="layer", words="Zero", unit="fraction"),
    Measure("saturated_fraction", of="layer", words="Saturated", unit="fraction"),
    Measure(
        "nonfinite_count",
        of="tensor",
        words="NaN or infinity",
        unit="count",
        healthy=Band(0.0, 0.0),
    ),
    Measure(
        "dead_fraction",
        of="layer",
        when="epoch",
        words="Dead",
        unit="fraction",
        healthy=_DEAD,
    ),
    Measure("filter_smoothness", of="layer", when="epoch"),
    Measure("noise_smoothness", of="layer", when="epoch"),
    Measure(
        "activation_histogram",
        of="layer",
        when="epoch",
        words="Activations",
        unit="count",
        bins=True,
    ),
    Measure(
        "activation_gradient_histogram",
        of="layer",
        when="epoch",
        words="Gradients",
        unit="count",
        bins=True,
    ),
    Measure("overfitting_gap", of="metric", when="epoch"),
    Measure("overfitting_gap_smoothed", of="metric", when="epoch"),
    Measure("overfitting_gap_trend", of="metric", when="epoch"),
    Measure("staleness", words="Updates by others in between", unit="count"),
    Measure("steps_per_second", of="layer", when="epoch", words="Steps a second"),
    Measure("sharpness", when="epoch", words="Sharpness"),
    Measure("trivial_loss", when="epoch", words="Loss of the best constant answer"),
    Measure("trivial_accuracy", when="epoch", unit="fraction"),
    Measure("example_loss", when="epoch", words="Loss of a few training examples"),
    Measure("example_loss_median", when="epoch"),
    Measure("persistence_loss", when="epoch", words="Loss of repeating an input"),
    Measure("contradicted_fraction", when="epoch", unit="fraction"),
    Measure("example_accuracy", when="epoch", unit="fraction"),
    Measure("input_low", when="epoch", words="Smallest input"),
    Measure("input_high", when="epoch", words="Largest input"),
    Measure("input_spread", when="epoch", words="Spread of inputs"),
    Measure("prediction_low", when="epoch", words="Smallest prediction"),
    Measure("prediction_high", when="epoch", words="Largest prediction"),
    Measure("prediction_spread", when="epoch", words="Spread of predictions"),
    Measure("target_low", when="epoch", words="Smallest target"),
    Measure("target_high", when="epoch", words="Largest target"),
    Measure("target_spread", when="epoch", words="Spread of targets"),
)
_registered = {measure.name: measure for measure in MEASURES}


def register(measure: Measure) -> Measure:
    """Tells of a measure of one's own, for all records of this process.

    Args:
        measure: What it is.

    Returns:
        The measure.

    Raises:
        ValueError: If another measure has its name.
    """
    if not isinstance(measure, Measure):
        raise ValueError(f"`measure` must be a Measure. {received('measure', measure)}")
    known = _registered.setdefault(measure.name, measure)
    if known != measure:
        raise ValueError(
            f"`measure` must not bear the name of another, {known}. "
            + received("measure", measure)
        )
    return measure


def measure_named(name: str) -> Measure:
    """Returns what is known of a measure.

    Args:
        name: Its name in a record.

    Returns:
        The registered measure; for any other name, e.g. a Keras metric, a number of
        the run, read once an epoch.
    """
    return _registered.get(name) or Measure(name, when="epoch")


def is_registered(name: str) -> bool:
    """Whether a measure of this name is known, other than as a metric."""
    return name in _registered


def registered() -> tuple[Measure, ...]:
    """All measures known, ours first."""
    return tuple(_registered.values())


def recorded_name(logged: str) -> str:
    """The measure under which a value that Keras logs for an epoch is recorded.

    One that is named like a measure of single steps, e.g. `loss`, gets `epoch_`
    before its name.
    """
    known = _registered.get(logged)
    return f"epoch_{logged}" if known and known.when == "step" else logged


def logged_name(measure: str) -> str:
    """The name that Keras logs a measure under; turns `recorded_name` round."""
    bare = measure.removeprefix("epoch_")
    return bare if recorded_name(bare) == measure else measure


def metric_named(measure: str) -> str:
    """The metric that a measure of epochs is about.

    `val_…` and `train_…_eval` belong to the metric they measure.
    """
    if measure.startswith("val_"):
        return measure.removeprefix("val_")
    if measure.startswith("train_") and measure.endswith("_eval"):
        return measure.removeprefix("train_").removesuffix("_eval")
    return logged_name(measure)
