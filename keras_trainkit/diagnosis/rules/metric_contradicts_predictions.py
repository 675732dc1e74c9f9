"""Is the accuracy that Keras reports that of the predictions?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class MetricContradictsPredictions(Rule):
    """Finds an accuracy that is not the share of right decisions.

    Args:
        apart: Difference from which they contradict each other.
    """

    code = "metric_contradicts_predictions"
    category = "loss or output"
    needs = ("example_accuracy",)

    apart: float = 0.1

    def judge(self, course: Course) -> Verdict:
        own = course.last("example_accuracy")
        names = [
            series.measure
            for series in course.record.series
            if series.measure.startswith("train_")
            and series.measure.removesuffix("_eval").endswith(("_acc", "_accuracy"))
        ]
        if not names:
            return self.skips("no accuracy is measured")
        reported = course.last(names[0])
        if not abs(own - reported) > self.apart:
            return self.passes(f"reported {reported:.3f}, predictions {own:.3f}")
        metric = names[0].removeprefix("train_").removesuffix("_eval")
        return self.finds_at_start(
            f"`{metric}` says {reported:.1%}, of the predictions {own:.1%} are right.",
            where=metric,
            evidence={"reported": reported, "recomputed": own, "limit": self.apart},
            advice='Pass metrics=["accuracy"], by which Keras finds the right kind; '
            "BinaryAccuracy counts every unit of a one-hot row.",
        )
