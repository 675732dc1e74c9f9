"""A finding: what is wrong, where, how sure, on what evidence, and what to do."""

import dataclasses
from collections.abc import Mapping
from typing import Any

SEVERITIES = ("info", "warning", "error")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that a check or a diagnosis has to say.

    Args:
        what: One sentence, what is wrong.
        where: The layer, variable, argument or metric concerned; "" for the run.
        severity: "info", "warning" or "error".
        confidence: How sure the check is, in [0, 1].
        evidence: The numbers it rests on, with their thresholds.
        advice: What to change, as a sentence or a line of code.

    Raises:
        ValueError: If `severity` or `confidence` is outside its range.

    Example:
        ```python
        Finding(
            "The initial loss is far from ln(10).",
            severity="warning",
            evidence={"loss": 8.1, "expected": 2.3},
            advice="Scale the last layer's initial weights down.",
        )
        ```
    """

    what: str
    where: str = ""
    severity: str = "warning"
    confidence: float = 1.0
    evidence: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    advice: str = ""

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

    def __str__(self) -> str:
        place = f" [{self.where}]" if self.where else ""
        numbers = ", ".join(f"{name}={value}" for name, value in self.evidence.items())
        lines = [f"{self.severity}{place}: {self.what}"]
        if numbers:
            lines.append(f"  evidence: {numbers}")
        if self.advice:
            lines.append(f"  advice: {self.advice}")
        return "\n".join(lines)
