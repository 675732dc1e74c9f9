"""What a rule is: one kind of fault, what it needs to judge, and its verdict."""

import abc
import dataclasses
from typing import Any, ClassVar

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.track_record import confidence_of
from keras_trainkit.finding import Finding, Verdict, judged, not_judged

# What is seen of a net that learns little, whatever keeps it from learning.
LEARNS_LITTLE = ("learns_nothing", "underfitting", "worse_than_persistence")


@dataclasses.dataclass(frozen=True)
class Rule(abc.ABC):
    """Judges one kind of fault by what a record says.

    Subclasses are dataclasses whose fields are their thresholds, so that
    `DeadUnits(most=0.8)` is the same rule with another one. The class says, beside
    `code` and `category` (see `Finding`), which measures it `needs`, and the codes of
    the findings that its fault `explains`: they are folded under it.

    Example:
        ```python
        @dataclasses.dataclass(frozen=True)
        class LargeLoss(tk.diagnosis.Rule):
            code = "large_loss"
            category = "underfitting"
            needs = ("loss",)
            most: float = 1.0

            def judge(self, course):
                if course.end <= self.most:
                    return self.passes("the loss is small")
                return self.finds("The loss is large.", evidence={"loss": course.end})


        tk.diagnose(monitor, rules=[LargeLoss()])
        ```
    """

    code: ClassVar[str]
    category: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    explains: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def judge(self, course: Course) -> Verdict:
        """Judges a run that has all the measures that the rule needs."""

    def passes(self, why: str) -> Verdict:
        """The verdict that all is well, with one line of evidence."""
        return judged(self.code, why)

    def finds(self, message: str, *, category: str = "", **rest: Any) -> Verdict:
        """The verdict with one finding; `rest` as `Finding` takes it.

        Its confidence is how often the rule was right where that was counted, see
        `track_record.confidence_of`, unless `rest` says another.
        """
        evidence = {
            name: _rounded(value) for name, value in rest.pop("evidence", {}).items()
        }
        finding = Finding(
            message,
            code=self.code,
            category=category or self.category,
            evidence=evidence,
            **{
                "measures": self.needs,
                "confidence": confidence_of(self.code),
                **rest,
            },
        )
        return judged(self.code, message, [finding])

    def finds_at_start(self, message: str, **rest: Any) -> Verdict:
        """The verdict with one error that stood before the first step."""
        return self.finds(message, severity="error", first_step=0, **rest)

    def skips(self, why: str) -> Verdict:
        """The verdict that this run cannot be judged."""
        return not_judged(self.code, why)


def ask(rule: Rule, course: Course) -> Verdict:
    """Returns a rule's verdict, "not judged" where a measure that it needs lacks."""
    missing = [measure for measure in rule.needs if not course.select(measure)]
    if missing:
        return not_judged(rule.code, f"not measured: {', '.join(missing)}")
    return rule.judge(course)


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value
