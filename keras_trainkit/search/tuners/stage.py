"""One stage of a search from coarse to fine."""

import dataclasses

from keras_trainkit.arguments import check_integer, check_number, received


@dataclasses.dataclass(frozen=True)
class Stage:
    """How many trials of how many epochs, and what the next stage takes over.

    Args:
        trials: Trials of this stage, int >= 1.
        epochs: Epochs of each of its trainings, int >= 1.
        keep: Share of its trials around which the next stage narrows, the best ones,
            three at least; in (0, 1].
        carry: How many of the best settings of the stage before run again, for the
            epochs of this one; counted among `trials`, int >= 0. The first stage has
            none to carry.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        ```python
        stages = [Stage(30, epochs=1), Stage(15, epochs=5), Stage(5, epochs=20)]
        ```
    """

    trials: int
    epochs: int
    keep: float = 0.25
    carry: int = 2

    def __post_init__(self) -> None:
        check_integer("trials", self.trials, 1)
        check_integer("epochs", self.epochs, 1)
        check_number("keep", self.keep, 0.0, 1.0, open_minimum=True)
        check_integer("carry", self.carry, 0)


WIDE_TO_LONG = (Stage(36, epochs=1), Stage(16, epochs=4), Stage(8, epochs=16))


def check_stages(stages: object) -> tuple[Stage, ...]:
    """Returns the stages as a tuple, or says what is wrong with them."""
    if stages is None:
        return WIDE_TO_LONG
    if (
        not isinstance(stages, list | tuple)
        or not stages
        or not all(isinstance(stage, Stage) for stage in stages)
    ):
        raise ValueError(
            "`stages` must be a list of one or more Stage. "
            + received("stages", stages)
        )
    return tuple(stages)
