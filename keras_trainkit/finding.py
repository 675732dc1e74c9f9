"""What checks and rules have to say: findings, and the verdict they make up."""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

SEVERITIES = ("info", "warning", "error")
STATUSES = ("pass", "warn", "fail", "not judged")
CATEGORIES = (
    "learning rate",
    "initialisation",
    "activation",
    "loss or output",
    "data",
    "labels",
    "regularisation",
    "capacity",
    "overfitting",
    "underfitting",
    "numerical",
    "schedule",
    "machine",
    "search",
    "ensemble",
)
_CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that a check or a diagnosis has to say.

    Args:
        message: One sentence, what is wrong.
        where: The layer, variable, argument or metric concerned; "" for the run.
        severity: "info", "warning" or "error".
        confidence: How sure the check is, in [0, 1].
        evidence: The numbers it rests on, with their thresholds.
        advice: What to change, as a sentence or a line of code.
        first_step: The training step from which it shows, int >= 0; `None` where it
            has none.
        symptoms: What follows from it and need not be looked at before it is mended.
        measures: Measures of a record that show it, the most telling first; a report
            links it to their figures.
        code: Stable name of the kind of fault, e.g. "dead_units", for programs: a
            finding's sentence may change, its code does not.
        category: What is to be changed, one of `CATEGORIES`.

    Raises:
        ValueError: If `severity`, `confidence`, `code` or `category` is outside its
            range.

    Example:
        ```python
        Finding(
            "The initial loss is far from ln(10).",
            code="initial_loss",
            category="initialisation",
            severity="warning",
            evidence={"loss": 8.1, "expected": 2.3},
            advice="Scale the last layer's initial weights down.",
        )
        ```
    """

    message: str
    where: str = ""
    severity: str = "warning"
    confidence: float = 1.0
    evidence: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    advice: str = ""
    first_step: int | None = None
    symptoms: tuple["Finding", ...] = ()
    measures: tuple[str, ...] = ()
    code: str = dataclasses.field(kw_only=True)
    category: str = dataclasses.field(kw_only=True)

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(
                f"`severity` must be one of {SEVERITIES}. "
                f"Received: severity={self.severity!r}"
            )
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(
                "`confidence` must be between 0 and 1. "
                f"Received: confidence={self.confidence!r}"
            )
        if not _CODE.fullmatch(self.code):
            raise ValueError(
                "`code` must be words in lower case joined by underscores. "
                f"Received: code={self.code!r}"
            )
        if self.category not in CATEGORIES:
            raise ValueError(
                f"`category` must be one of {CATEGORIES}. "
                f"Received: category={self.category!r}"
            )

    def __str__(self) -> str:
        place = f" [{self.where}]" if self.where else ""
        numbers = ", ".join(f"{name}={value}" for name, value in self.evidence.items())
        lines = [f"{self.severity}{place}: {self.message} ({self.code})"]
        if numbers:
            lines.append(f"  evidence: {numbers}")
        if self.advice:
            lines.append(f"  advice: {self.advice}")
        if self.symptoms:
            codes = dict.fromkeys(symptom.code for symptom in self.symptoms)
            lines.append(f"  explains: {', '.join(codes)}")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What one check or rule has to say.

    Args:
        name: Of the check or rule.
        status: "pass", "warn", "fail" or "not judged".
        why: One line of evidence, or why it could not judge.
        findings: What was found, each with its advice.

    Raises:
        ValueError: If `status` is unknown.
    """

    name: str
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


def gravest_first(findings: Iterable[Finding]) -> list[Finding]:
    """Returns findings by severity, the surest first among equals.

    Findings as grave and as sure as one another keep their order.
    """
    return sorted(
        findings,
        key=lambda one: (SEVERITIES.index(one.severity), one.confidence),
        reverse=True,
    )


def judged(name: str, why: str, findings: list[Finding] | None = None) -> Verdict:
    """Returns the verdict whose status is that of its gravest finding.

    Args:
        name: Of the check or rule.
        why: One line of evidence, shown if nothing was found.
        findings: What was found; none means that the check passes.
    """
    ordered = gravest_first(findings or [])
    status = {"error": "fail", "warning": "warn"}.get(
        ordered[0].severity if ordered else "info", "pass"
    )
    if ordered and status != "pass":
        why = ordered[0].message
    return Verdict(name, status, why, tuple(ordered))


def not_judged(name: str, why: str) -> Verdict:
    """Returns the verdict of a check or rule that cannot judge."""
    return Verdict(name, "not judged", why)
