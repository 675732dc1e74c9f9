"""Are the filters of the first layer still noise after training?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class NoisyFilters(Rule):
    """Finds first-layer filters no smoother than white noise, in a poor run.

    Filters start as noise and become smooth where pictures are smooth. Small or few
    ones are smooth by chance, so that nothing is judged there; nor are filters that
    hardly moved, or a run that generalises with noisy ones.

    Args:
        sure: Largest smoothness that noise of their shape may reach, for filters to
            tell anything.
        moved: Updates of the layer added up, in sizes of its weights, below which it
            has not been trained yet.
        left: Validation loss as a share of the best constant answer's, below which
            the run is good enough.

    Reference:
        [CS231n notes, first-layer visualizations](https://cs231n.github.io/neural-networks-3/#vis)
    """

    code = "noisy_filters"
    category = "regularisation"
    needs = ("filter_smoothness", "noise_smoothness", "update_ratio", "trivial_loss")
    explains = ("overfitting",)

    sure: float = 0.15
    moved: float = 1.0
    left: float = 0.5

    def judge(self, course: Course) -> Verdict:
        layer = course.select("filter_smoothness")[0].layer
        smooth = course.last("filter_smoothness", layer=layer)
        noise = course.last("noise_smoothness", layer=layer)
        if not noise < self.sure:
            return self.skips("the filters are too small or too few to tell")
        _, ratios = course.update_ratios.get(layer, (None, np.zeros(0)))
        moved = float(np.median(ratios)) * course.steps if len(ratios) else 0.0
        if moved < self.moved:
            return self.skips(f"'{layer}' was moved by {moved:.2g} of its weights")
        left = course.last("val_loss") / course.trivial
        left = course.share_left if np.isnan(left) else left
        if not (smooth < noise and left > self.left):
            return self.passes(f"smoothness {smooth:.2g}, of noise {noise:.2g}")
        return self.finds(
            f"The filters of '{layer}' look like noise after training, and what was "
            "learnt hardly holds for other examples.",
            where=layer,
            evidence={
                "filter_smoothness": smooth,
                "noise_smoothness": noise,
                "loss_left": left,
            },
            advice="Add weight decay or augmentation, lower the learning rate, or "
            "train for longer.",
        )
