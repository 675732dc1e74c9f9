"""What a callback asks the recorder to measure."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

from keras_trainkit.arguments import received
from keras_trainkit.recording.arrival import Arrival
from keras_trainkit.recording.instrument import FIXED, Instrument

Every = int | Literal["auto"]


@dataclasses.dataclass(frozen=True)
class Request:
    """What is measured, how often and on how much of the batch.

    Args:
        instruments: What is measured.
        rhythms: Steps between two readings of each channel that is not read in
            every step, >= 1 or "auto".
        entries: Entries of a variable that its norms are taken on, >= 1; `None`
            for all.
        layers: Labels of the layers to measure, `None` for all.
        sample: Examples of a batch that the layers' statistics are taken on, >= 1;
            `None` for all, "auto" for a number that fits the layer.
        overhead: Share of the running time that measuring may cost, for readings
            that are taken "auto"-matically often.
    """

    instruments: tuple[Instrument, ...] = ()
    rhythms: tuple[tuple[str, Every], ...] = ()
    entries: int | None = None
    layers: frozenset[str] | None = None
    sample: int | Literal["auto"] | None = None
    overhead: float = 0.03

    @classmethod
    def of(
        cls, instruments: Sequence[Instrument], every: Every = 1, **sizes: Any
    ) -> "Request":
        """Asks for some instruments, all in one rhythm.

        Raises:
            ValueError: If an instrument that is read in every step looks at updates
                or layers.
        """
        for instrument in instruments:
            if instrument.channel in FIXED and not {"data"}.issuperset(
                instrument.needs
            ):
                raise ValueError(
                    "`channel` must not be one of "
                    f"{FIXED} where an instrument needs updates or layers. "
                    + received("channel", instrument.channel)
                )
        channels = dict.fromkeys(instrument.channel for instrument in instruments)
        rhythms = [(name, every) for name in channels if name not in FIXED]
        if any("data" in instrument.needs for instrument in instruments):
            instruments = [*instruments, Arrival()]
        return cls(tuple(instruments), tuple(sorted(rhythms)), **sizes)

    @property
    def channels(self) -> dict[str, Every]:
        """Steps between two readings of each channel that has a rhythm."""
        return dict(self.rhythms)

    @property
    def taps(self) -> frozenset[str]:
        """Which of "updates" and "layers" are looked at."""
        return frozenset().union(*(each.taps for each in self.instruments))

    @property
    def in_steps(self) -> "Request":
        """The part of it that is traced into the step."""
        traced = [each for each in self.instruments if each.channel not in FIXED[1:]]
        return dataclasses.replace(self, instruments=tuple(traced))

    @property
    def kept_examples(self) -> int:
        """Training examples that are kept on the device, >= 0."""
        return max((each.keeps_examples for each in self.instruments), default=0)

    def channels_that_need(self, tap: str) -> list[str]:
        """The channels of the instruments that look at "updates" or at "layers"."""
        needing = [each.channel for each in self.instruments if tap in each.taps]
        return list(dict.fromkeys(needing))

    def on(self, channel: str) -> list[Instrument]:
        """The instruments of a channel."""
        return [each for each in self.instruments if each.channel == channel]

    def join(self, other: "Request") -> "Request":
        """Returns the request that serves both."""
        channels = self.channels
        for name, every in other.rhythms:
            channels[name] = _finest(channels.get(name), every)
        return Request(
            _united(self.instruments, other.instruments),
            tuple(sorted(channels.items())),
            _largest(self, other, "updates", "entries"),
            _all_layers(self, other),
            _largest(self, other, "layers", "sample"),
            min(self.overhead, other.overhead),
        )


def _united(
    some: Sequence[Instrument], others: Sequence[Instrument]
) -> tuple[Instrument, ...]:
    instruments = list(some)
    for new in others:
        for place, old in enumerate(instruments):
            joined = old.joined(new)
            if joined is not None:
                instruments[place] = joined
                break
        else:
            instruments.append(new)
    return tuple(instruments)


def _largest(one: Request, other: Request, tap: str, size: str) -> Any:
    """The larger of two sizes, of those who measure at all; `None` is all."""
    sizes = [getattr(request, size) for request in (one, other) if tap in request.taps]
    if None in sizes or not sizes:
        return None
    numbers = [number for number in sizes if number != "auto"]
    return max(numbers) if numbers else "auto"


def _all_layers(one: Request, other: Request) -> frozenset[str] | None:
    """The layers of both, of those who measure layers at all; `None` is all."""
    chosen = [r.layers for r in (one, other) if "layers" in r.taps]
    names = [layers for layers in chosen if layers is not None]
    return frozenset().union(*names) if names and None not in chosen else None


def _finest(one: Every | None, other: Every | None) -> Every:
    if one is None or other is None:
        every = other if one is None else one
        assert every is not None
        return every
    if "auto" in (one, other):
        numbers = [every for every in (one, other) if every != "auto"]
        return numbers[0] if numbers else "auto"
    return math.gcd(int(one), int(other))
