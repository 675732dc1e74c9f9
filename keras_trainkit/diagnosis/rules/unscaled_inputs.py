"""Are the inputs of a size that weights can follow?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class UnscaledInputs(Rule):
    """Finds inputs that are far too large, far too small or all alike.

    What the first layers with weights receive decides: the model may scale by itself.

    Args:
        large: Deviation above which inputs are too large.
        small: Deviation below which they are too small.
        left: Share of the best constant answer's loss, above which much is left.
    """

    code = "unscaled_inputs"
    category = "data"
    needs = ("input_spread", "trivial_loss")
    explains = (
        *LEARNS_LITTLE,
        "dead_units",
        "diverging",
        "far_too_long_updates",
        "nonfinite",
        "rate_too_high",
        "rate_too_low",
        "saturated_units",
        "stopped_too_early",
        "unreached_weights",
        "vanishing_gradient",
        "wild_start",
    )

    large: float = 30.0
    small: float = 3e-3
    left: float = 0.5

    def judge(self, course: Course) -> Verdict:
        spread = course.last("input_spread")
        received = float(course.task.get("received_spread", spread))
        usual = self.small <= spread <= self.large or spread != spread
        usual = usual or self.small <= received <= self.large
        if usual or not course.share_left > self.left:
            return self.passes(f"inputs deviate by {spread:.3g}")
        if spread == 0:
            message, advice = (
                "The inputs are all alike: nothing tells one example from another.",
                "Look for a fault in the reading of the data.",
            )
        elif spread > self.large:
            message, advice = (
                f"The inputs are not scaled: they deviate by {spread:.3g}.",
                "Divide by 255, or put keras.layers.Normalization first.",
            )
        else:
            message, advice = (
                f"The inputs are tiny: they deviate by {spread:.3g}, as if they were "
                "scaled twice.",
                "Scale them once, or put keras.layers.Normalization first.",
            )
        return self.finds_at_start(
            message,
            where="x",
            evidence={
                "input_spread": spread,
                "received_spread": received,
                "limits": f"{self.small} to {self.large}",
                "share_left": course.share_left,
            },
            advice=advice,
        )
