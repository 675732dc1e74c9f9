"""What one check before training has to say."""

import dataclasses

from keras_trainkit.finding import Finding

STATUSES = ("pass", "warn", "fail", "not judged")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The verdict of one check.

    Args:
        check: The check's name.
        status: "pass", "warn", "fail" or "not judged".
        why: One line of evidence, or why the check could not judge.
        findings: What was found, each with its advice.

    Raises:
        ValueError: If `status` is unknown.
    """

    check: str
    status: str
    why: str
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(
                f"`status` must be one of {STATUSES}. Received: status={self.status!r}"
            )

    @property
    def advice(self) -> str:
        """What to do, of the gravest finding; "" if nothing."""
        return self.findings[0].advice if self.findings else ""


def judged(check: str, why: str, findings: list[Finding] | None = None) -> Outcome:
    """Returns the outcome whose status is that of its gravest finding.

    Args:
        check: The check's name.
        why: One line of evidence, shown if nothing was found.
        findings: What was found; none means that the check passes.
    """
    rank = {"error": 0, "warning": 1, "info": 2}
    ordered = sorted(findings or [], key=lambda finding: rank[finding.severity])
    status = {"error": "fail", "warning": "warn"}.get(
        ordered[0].severity if ordered else "info", "pass"
    )
    if ordered and status != "pass":
        why = ordered[0].what
    return Outcome(check, status, why, tuple(ordered))


def not_judged(check: str, why: str) -> Outcome:
    """Returns the outcome of a check that cannot judge this model or data."""
    return Outcome(check, "not judged", why)
