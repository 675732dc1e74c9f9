"""What a callback asks the recorder to measure."""

import dataclasses
import math
from typing import Any, Literal

Every = int | Literal["auto"]


@dataclasses.dataclass(frozen=True)
class Request:
    """What is measured, how often and on how much of the batch.

    Args:
        update_every: Steps between two readings of the parameters' updates, >= 1;
            `None` reads none.
        entries: Entries of a variable that its norms are taken on, >= 1; `None`
            for all.
        layer_every: The same for the layers' activations and gradients.
        layers: Labels of the layers to measure, `None` for all.
        sample: Examples of a batch that the layers' statistics are taken on, >= 1;
            `None` for all, "auto" for a number that fits the layer.
        histograms: Whether the layers' values are counted by size.
        captured_examples: Training examples kept for evaluation, >= 0.
        overhead: Share of the running time that measuring may cost, for readings
            that are taken "auto"-matically often.
    """

    update_every: Every | None = None
    entries: int | None = None
    layer_every: Every | None = None
    layers: frozenset[str] | None = None
    sample: int | Literal["auto"] | None = None
    histograms: bool = False
    captured_examples: int = 0
    overhead: float = 0.03

    @property
    def channels(self) -> dict[str, Every]:
        """Steps between two readings of "updates" and "layers", if they are read."""
        every = {"updates": self.update_every, "layers": self.layer_every}
        return {name: steps for name, steps in every.items() if steps is not None}

    def join(self, other: "Request") -> "Request":
        """Returns the request that serves both."""
        layers = _union(self, other)
        return Request(
            _finest(self.update_every, other.update_every),
            _largest(self, other, "update_every", "entries"),
            _finest(self.layer_every, other.layer_every),
            layers,
            _largest(self, other, "layer_every", "sample"),
            self.histograms or other.histograms,
            max(self.captured_examples, other.captured_examples),
            min(self.overhead, other.overhead),
        )


def _largest(one: Request, other: Request, channel: str, size: str) -> Any:
    """The larger of two sizes, of those who measure at all; `None` is all."""
    sizes = [
        getattr(request, size)
        for request in (one, other)
        if getattr(request, channel) is not None
    ]
    if None in sizes or not sizes:
        return None
    numbers = [number for number in sizes if number != "auto"]
    return max(numbers) if numbers else "auto"


def _union(one: Request, other: Request) -> frozenset[str] | None:
    """The layers of both, of those who measure layers at all; `None` is all."""
    chosen = [r.layers for r in (one, other) if r.layer_every is not None]
    names = [layers for layers in chosen if layers is not None]
    return frozenset().union(*names) if names and None not in chosen else None


def _finest(one: Every | None, other: Every | None) -> Every | None:
    if one is None or other is None:
        return other if one is None else one
    if "auto" in (one, other):
        numbers = [every for every in (one, other) if every != "auto"]
        return numbers[0] if numbers else "auto"
    return math.gcd(int(one), int(other))
