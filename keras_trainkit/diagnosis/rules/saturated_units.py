"""Do hidden layers sit at the bounds of their activation?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class SaturatedUnits(Rule):
    """Finds hidden layers most of whose outputs are at a bound.

    Args:
        most: Share of a layer's outputs at a bound, that is too large.
        left: Share of the best constant answer's loss, above which much is left.
    """

    code = "saturated_units"
    category = "activation"
    needs = ("saturated_fraction", "trivial_loss")
    explains = (*LEARNS_LITTLE, "rate_too_low")

    most: float = 0.5
    left: float = 0.8

    def judge(self, course: Course) -> Verdict:
        found = {
            series.layer: float(np.nanmedian(course.arrays(series)[2]))
            for series in course.select("saturated_fraction")
        }
        if course.layers:
            found.pop(course.layers[-1], None)  # an output may be sure
        if not found:
            return self.skips("no hidden layer is bounded")
        worst = max(found, key=lambda layer: found[layer])
        if not (found[worst] > self.most and course.share_left > self.left):
            return self.passes(f"at most {found[worst]:.0%} of a layer at its bounds")
        return self.finds(
            f"{found[worst]:.0%} of the outputs of '{worst}' are at the bounds of its "
            "activation, where no gradient passes.",
            where=worst,
            evidence={
                "saturated_fraction": found[worst],
                "limit": self.most,
                "share_left": course.share_left,
            },
            advice="Scale the inputs, use smaller initial weights "
            "('glorot_uniform'), or ReLU.",
        )
