"""Does all that is learnt have to pass through a single unit?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class Bottleneck(Rule):
    """Finds a hidden layer of a single unit, in a run that learns little.

    Args:
        units: Most units of a hidden layer that are too few.
        left: Share of the best constant answer's loss, above which much is left.
    """

    code = "bottleneck"
    category = "capacity"
    needs = ("example_loss", "trivial_loss")
    explains = (
        *LEARNS_LITTLE,
        "dead_units",
        "saturated_units",
        "stopped_too_early",
        "vanishing_gradient",
    )

    units: int = 1
    left: float = 0.6

    def judge(self, course: Course) -> Verdict:
        label, width = course.task.get("narrowest_layer") or ("", None)
        if width is None:
            return self.skips("no hidden layer, or its units are not known")
        if width > self.units or not course.share_left > self.left:
            return self.passes(f"the narrowest hidden layer has {width} units")
        return self.finds_at_start(
            f"The hidden layer '{label}' has {width} unit, and little is learnt: all "
            "that the layers before it find must pass there.",
            where=label,
            evidence={
                "units": width,
                "limit": self.units,
                "share_left": course.share_left,
            },
            advice="Give it more units.",
        )
