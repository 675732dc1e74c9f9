"""Does the model forecast better than the value before?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class WorseThanPersistence(Rule):
    """Finds forecasts that lose more than repeating an input does.

    In a series the value before is the forecast to beat (persistence); a model may
    lose far less than a constant answer and still be worth nothing.

    Args:
        useful: Loss of repeating over that of the best constant answer, from which
            repeating is no forecast.
        worse: Loss of the model over that of repeating, from which it is worse.
        steps: Fewest steps.

    Reference:
        [Hyndman and Athanasopoulos, Forecasting, some simple methods](https://otexts.com/fpp3/simple-methods.html)
    """

    code = "worse_than_persistence"
    category = "underfitting"
    needs = ("persistence_loss", "example_loss", "trivial_loss")
    explains = ("underfitting",)

    useful: float = 0.7
    worse: float = 1.1
    steps: int = 100

    def judge(self, course: Course) -> Verdict:
        copied = course.last("persistence_loss")
        if course.steps < self.steps or not course.has_floor:
            return self.skips(f"fewer than {self.steps} steps, or no loss to compare")
        if not copied < self.useful * course.trivial:
            return self.passes("repeating an input is no forecast here")
        own = course.last("example_loss")
        if not own > self.worse * copied:
            return self.passes(f"loses {own:.3g}, repeating an input {copied:.3g}")
        return self.finds(
            f"Repeating an input, as the value before in a series, loses {copied:.3g}; "
            f"the model loses {own:.3g}.",
            where="loss",
            evidence={
                "example_loss": own,
                "persistence_loss": copied,
                "trivial_loss": course.trivial,
                "limit": self.worse,
            },
            advice="Let the model predict the change from the last value, scale the "
            "series, or train for longer.",
        )
