"""Where a test function begins, how high, and how steep."""

import dataclasses

from keras_trainkit.arguments import check_number, received


@dataclasses.dataclass(frozen=True)
class Scale:
    """The range of a function of one variable, and how it begins.

    Args:
        name: A word for it.
        value: Of the function at the beginning.
        slope: Of the function at the beginning.
        begin: Where it begins, and where the optimizer starts.
        end: Where its last stretch would end; the function goes on beyond.

    Raises:
        ValueError: If a number is not finite, or `end` not beyond `begin`.
    """

    name: str
    value: float = 200.0
    slope: float = -1.0
    begin: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        for field in ("value", "slope", "begin"):
            check_number(field, getattr(self, field))
        check_number("end", self.end, self.begin, open_minimum=True)

    def __str__(self) -> str:
        return self.name


SCALES = {
    scale.name: scale
    for scale in (
        Scale("normal"),
        Scale("steep", slope=-10.0),
        Scale("saddle", slope=1.0),
        Scale("flat", value=2.0, slope=-0.1),
    )
}
"""The scales of the catalogue by name; the range of all is 0 to 1."""


def as_scale(scale: "Scale | str") -> Scale:
    """Returns a scale as it is, or that of the catalogue with that name."""
    if isinstance(scale, Scale):
        return scale
    if not isinstance(scale, str) or scale not in SCALES:
        known = ", ".join(repr(name) for name in SCALES)
        raise ValueError(
            f"`scale` must be a Scale or one of {known}. {received('scale', scale)}"
        )
    return SCALES[scale]
