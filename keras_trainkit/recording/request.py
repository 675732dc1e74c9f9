"""What a callback asks the recorder to measure."""

import dataclasses
import math
from typing import Literal

Every = int | Literal["auto"]


@dataclasses.dataclass(frozen=True)
class Request:
    """What is measured, how often and on how much of the batch.

    Args:
        update_every: Steps between two readings of the parameters' updates, >= 1;
            `None` reads none.
        layer_every: The same for the layers' activations and gradients.
        layers: Labels of the layers to measure, `None` for all.
        sample: Examples of a batch that the layers' statistics are taken on, >= 1;
            `None` for all.
        histograms: Whether the layers' values are counted by size.
        captured_examples: Training examples kept for evaluation, >= 0.
        overhead: Share of the running time that measuring may cost, for readings
            that are taken "auto"-matically often.
    """

    update_every: Every | None = None
    layer_every: Every | None = None
    layers: frozenset[str] | None = None
    sample: int | None = None
    histograms: bool = False
    captured_examples: int = 0
    overhead: float = 0.03

    def join(self, other: "Request") -> "Request":
        """Returns the request that serves both."""
        both_measure_layers = None not in (self.layer_every, other.layer_every)
        if both_measure_layers:
            sample = (
                None
                if None in (self.sample, other.sample)
                else max(self.sample or 0, other.sample or 0)
            )
            layers = (
                None
                if self.layers is None or other.layers is None
                else self.layers | other.layers
            )
        else:
            source = other if self.layer_every is None else self
            sample, layers = source.sample, source.layers
        return Request(
            _finest(self.update_every, other.update_every),
            _finest(self.layer_every, other.layer_every),
            layers,
            sample,
            self.histograms or other.histograms,
            max(self.captured_examples, other.captured_examples),
            min(self.overhead, other.overhead),
        )


def _finest(one: Every | None, other: Every | None) -> Every | None:
    if one is None or other is None:
        return other if one is None else one
    if "auto" in (one, other):
        numbers = [every for every in (one, other) if every != "auto"]
        return numbers[0] if numbers else "auto"
    return math.gcd(int(one), int(other))
