"""What all rules together say about a run."""

import dataclasses
import html
from collections.abc import Sequence
from typing import overload

from keras_trainkit.finding import Finding, Verdict


@dataclasses.dataclass(frozen=True)
class Diagnosis(Sequence[Finding]):
    """The findings of a run, causes first, and what each rule said.

    A sequence of findings: loop over it, or print it.

    Args:
        answer: One sentence: what there is to do now, also where nothing is wrong.
        findings: What was found, the gravest first; what follows from another
            finding is among its `symptoms`.
        verdicts: What each rule said, by the rules' order.
    """

    answer: str
    findings: tuple[Finding, ...]
    verdicts: tuple[Verdict, ...]

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Finding, ...]: ...
    def __getitem__(self, index: int | slice) -> Finding | tuple[Finding, ...]:
        return self.findings[index]

    def __len__(self) -> int:
        return len(self.findings)

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """Findings that are warnings or errors."""
        return tuple(one for one in self.findings if one.severity != "info")

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the findings on top, in their order."""
        return tuple(one.code for one in self.findings)

    def __str__(self) -> str:
        return "\n".join([self.answer, *map(str, self.findings)])

    def _repr_html_(self) -> str:
        """Shows it in a notebook."""
        items = "".join(f"<li>{_in_html(one)}</li>" for one in self.findings)
        return f"<p>{html.escape(self.answer)}</p><ul>{items}</ul>"


def _in_html(finding: Finding) -> str:
    place = f"<code>{html.escape(finding.where)}</code> " if finding.where else ""
    codes = dict.fromkeys(symptom.code for symptom in finding.symptoms)
    parts = [
        f"<b>{finding.severity}</b> {place}{html.escape(finding.message)} "
        f"(<code>{finding.code}</code>, confidence {finding.confidence:.0%})",
        f"<small>{html.escape(_numbers(finding))}</small>",
        html.escape(finding.advice),
        f"<small>Explains {', '.join(codes)}.</small>" if codes else "",
    ]
    return "<br>".join(part for part in parts if part)


def _numbers(finding: Finding) -> str:
    return ", ".join(f"{name} = {value}" for name, value in finding.evidence.items())
