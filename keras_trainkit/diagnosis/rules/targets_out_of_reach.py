"""Can the last activation reach the targets?"""

import dataclasses
import math

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict

_REACH = {
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "softplus": (0.0, math.inf),
    "exponential": (0.0, math.inf),
}
_OF_VALUES = (
    "mean_squared_error",
    "mean_absolute_error",
    "huber",
    "log_cosh",
    "mean_squared_logarithmic_error",
    "mean_absolute_percentage_error",
)


@dataclasses.dataclass(frozen=True)
class TargetsOutOfReach(Rule):
    """Finds a bounded output for targets beyond its bounds.

    Args:
        beyond: Share of the targets' range that may lie beyond.
    """

    code = "targets_out_of_reach"
    category = "loss or output"
    needs = ("target_low", "target_high")
    explains = (
        *LEARNS_LITTLE,
        "dead_units",
        "rate_too_low",
        "saturated_units",
        "stopped_too_early",
        "unreached_weights",
        "vanishing_gradient",
    )

    beyond: float = 0.02

    def judge(self, course: Course) -> Verdict:
        name = str(course.task.get("activation", ""))
        reach = _REACH.get(name)
        if reach is None or course.task.get("loss") not in _OF_VALUES:
            return self.skips("the output is not bounded, or predicts no values")
        low, high = course.last("target_low"), course.last("target_high")
        margin = self.beyond * (high - low)
        if low >= reach[0] - margin and high <= reach[1] + margin:
            return self.passes(f"targets {low:.3g} to {high:.3g} are within {name}")
        return self.finds_at_start(
            f"Targets from {low:.3g} to {high:.3g} are out of reach of {name}.",
            where="output",
            evidence={"target_low": low, "target_high": high, "reach": str(reach)},
            advice="Drop the last activation, or scale the targets into its range.",
        )
