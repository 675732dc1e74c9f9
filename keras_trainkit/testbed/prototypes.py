"""The shapes that test functions are made of, each with one difficulty."""

import math
from collections.abc import Callable
from typing import NamedTuple

from keras_trainkit.arguments import received
from keras_trainkit.testbed.segments import Segment

_STEEPER = 10.0
_NEARLY_FLAT = -1e-7


class Entry(NamedTuple):
    """How a stretch is entered.

    Args:
        begin: Where it begins.
        end: Where it ends.
        value: Of the function at the beginning.
        slope: Of the function at the beginning.
        slope_before: The last slope before that was not zero; `None` for none.
    """

    begin: float
    end: float
    value: float
    slope: float
    slope_before: float | None = None

    @property
    def width(self) -> float:
        """Its length, > 0."""
        return self.end - self.begin


def chain(
    names: tuple[str, ...], begin: float, end: float, value: float, slope: float
) -> tuple[Segment, ...]:
    """Joins shapes of equal width; value and slope are carried over.

    Args:
        names: Of `PROTOTYPES`, from left to right.
        begin: Where the first begins.
        end: Where the last ends; both ends go on beyond.
        value: Of the function at `begin`.
        slope: Of the function at `begin`.

    Returns:
        The stretches of the function.

    Raises:
        ValueError: If a name is not known, or a shape cannot follow the one
            before it.
    """
    width = (end - begin) / len(names)
    segments: list[Segment] = []
    before: float | None = None
    for index, name in enumerate(names):
        if name not in PROTOTYPES:
            known = ", ".join(PROTOTYPES)
            raise ValueError(
                f"A shape must be one of {known}. {received('shape', name)}"
            )
        start = begin + index * width
        entry = Entry(start, start + width, value, slope, before)
        segments += PROTOTYPES[name](entry)
        before = slope or before
        value, slope = segments[-1].at(entry.end)
    return tuple(segments)


def _line(entry: Entry) -> list[Segment]:
    return [Segment(entry.begin, entry.begin, entry.value, slope=entry.slope)]


def _relu(entry: Entry) -> list[Segment]:
    return _angle(entry, 0.0)


def _abs(entry: Entry) -> list[Segment]:
    return _angle(entry, -entry.slope)


def _bend(entry: Entry) -> list[Segment]:
    if entry.slope_before is None:  # at the very beginning: flat, then the slope
        return _angle(entry._replace(slope=0.0), entry.slope)
    if entry.slope != 0:
        raise ValueError(
            "The shape 'bend' begins flat: it stands first or follows 'relu'. "
            f"{received('slope', entry.slope)}"
        )
    return _angle(entry, entry.slope_before)


def _cliff(entry: Entry) -> list[Segment]:
    return _angle(entry, -_STEEPER * _inclined("cliff", entry))


def _ridge(entry: Entry) -> list[Segment]:
    return _angle(entry, _STEEPER * _inclined("ridge", entry))


def _inclined(name: str, entry: Entry) -> float:
    if entry.slope == 0:
        raise ValueError(
            f"The shape {name!r} cannot begin flat. {received('slope', entry.slope)}"
        )
    return entry.slope


def _angle(entry: Entry, slope: float) -> list[Segment]:
    """Two lines whose joint halves the length of the way along them."""
    ratio = math.sqrt((1 + entry.slope**2) / (1 + slope**2))
    joint = (ratio * entry.begin + entry.end) / (1 + ratio)
    (first,) = _line(entry)
    return [first, Segment(joint, joint, first.at(joint)[0], slope=slope)]


def _exponential(entry: Entry) -> list[Segment]:
    fall = math.log(1000) / entry.width
    height = -entry.slope / fall
    return [
        Segment(
            entry.begin, entry.begin, entry.value - height, height=height, fall=fall
        )
    ]


def _quad_bowl(entry: Entry) -> list[Segment]:
    return _quadratic(entry, entry.begin + entry.width / 2)


def _quad_convex(entry: Entry) -> list[Segment]:
    # The slope falls to a tenth on the way down, or grows to ten times itself.
    on_the_way_down = entry.begin + entry.width / 0.9
    up = entry.begin - entry.width / 9
    return _quadratic(entry, up if entry.slope > 0 else on_the_way_down)


def _quadratic(entry: Entry, middle: float) -> list[Segment]:
    u = entry.begin - middle
    bend = entry.slope / (2 * u)
    return [Segment(entry.begin, middle, entry.value - bend * u * u, bend=bend)]


def _gauss_nonconvex(entry: Entry) -> list[Segment]:
    width = 2 * entry.width / (8 - math.sqrt(2))
    far = entry.end - 4 * width if entry.slope > 0 else entry.begin + 4 * width
    return _gauss(entry, far, width)


def _gauss_convex(entry: Entry) -> list[Segment]:
    width = 10 * entry.width / (5 * math.sqrt(2) - 1)
    near = entry.begin - width / 10 if entry.slope > 0 else entry.end + width / 10
    return _gauss(entry, near, width)


def _gauss_bowl(entry: Entry) -> list[Segment]:
    return _gauss(entry, entry.begin + entry.width / 2, 5 * entry.width)


def _gauss(entry: Entry, middle: float, width: float) -> list[Segment]:
    u = entry.begin - middle
    left = math.exp(-((u / width) ** 2))
    slope = entry.slope or _NEARLY_FLAT
    height = -slope * width**2 / (2 * u * left)
    return [
        Segment(
            entry.begin,
            middle,
            entry.value - height * left,
            height=height,
            fall_squared=1 / width**2,
        )
    ]


def _laplace_nonconvex(entry: Entry) -> list[Segment]:
    width = entry.width / 7
    return _laplace(entry, width if entry.slope > 0 else -8 * width, width)


def _laplace_convex(entry: Entry) -> list[Segment]:
    width = entry.width / 0.9
    return _laplace(entry, width / 10 if entry.slope > 0 else -width, width)


def _laplace_bowl(entry: Entry) -> list[Segment]:
    return _laplace(entry, -entry.width / 2, 5 * entry.width)


def _laplace(entry: Entry, u: float, width: float) -> list[Segment]:
    left = math.exp(-abs(u) / width)
    slope = entry.slope or _NEARLY_FLAT
    height = -slope * width / (left * math.copysign(1, u))
    return [
        Segment(
            entry.begin,
            entry.begin - u,
            entry.value - height * left,
            height=height,
            fall_both_ways=1 / width,
        )
    ]


PROTOTYPES: dict[str, Callable[[Entry], list[Segment]]] = {
    "line": _line,
    "relu": _relu,
    "abs": _abs,
    "bend": _bend,
    "cliff": _cliff,
    "ridge": _ridge,
    "exponential": _exponential,
    "quad_bowl": _quad_bowl,
    "quad_convex": _quad_convex,
    "gauss_nonconvex": _gauss_nonconvex,
    "gauss_convex": _gauss_convex,
    "gauss_bowl": _gauss_bowl,
    "laplace_nonconvex": _laplace_nonconvex,
    "laplace_convex": _laplace_convex,
    "laplace_bowl": _laplace_bowl,
}

KINKED = frozenset({"relu", "abs", "bend", "cliff", "ridge", "laplace_bowl"})
"""The shapes with a point at which the slope jumps."""
