"""Do first updates replace the weights they change?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class FarTooLongUpdates(Rule):
    """Finds kernels that are moved by a large part of their size in a step.

    Healthy runs stay below 2e-2 in their first steps, and near 1e-3 later. Weights
    that were blown up look healthy again, so only the first steps are judged. Some
    runs must leave their first weights far behind, e.g. to reach large targets: that
    is no fault where the run learns.

    Args:
        first: Steps that are judged.
        usual: Median ratio of a kernel from which it is too long.
        longest: One ratio from which it is too long, whatever follows.

    Reference:
        [CS231n notes, ratio of weights:updates](https://cs231n.github.io/neural-networks-3/#ratio)
    """

    code = "far_too_long_updates"
    category = "learning rate"
    needs = ("update_ratio",)
    explains = (
        *LEARNS_LITTLE,
        "dead_units",
        "diverging",
        "nonfinite",
        "rate_too_high",
        "saturated_units",
    )

    first: int = 50
    usual: float = 0.1
    longest: float = 0.5

    def judge(self, course: Course) -> Verdict:
        usual, longest = {}, {}
        for layer, (steps, values) in course.update_ratios.items():
            early = values[steps < self.first]
            if len(early):
                usual[layer] = float(np.median(early))
                longest[layer] = float(early.max())
        if not usual:
            return self.skips("no kernel was read in the first steps")
        median = float(np.median(list(usual.values())))
        peak = float(np.median(list(longest.values())))
        if median <= self.usual and peak <= self.longest:
            return self.passes(f"first updates of {median:.1e} of the weights")
        if course.has_learnt:
            return self.passes("long first updates, and the run learns all the same")
        worst = max(longest, key=lambda layer: longest[layer])
        factor = 10 ** max(1, round(float(np.log10(max(median, peak / 5) / 1e-3))))
        return self.finds_at_start(
            "The first updates are far too long for the weights they change; a "
            "thousandth of their size is healthy.",
            where=worst,
            evidence={
                "median_update_ratio": median,
                "longest_update_ratio": peak,
                "limits": f"{self.usual} (median), {self.longest} (longest)",
            },
            advice=f"Divide the learning rate by about {factor}.",
        )
