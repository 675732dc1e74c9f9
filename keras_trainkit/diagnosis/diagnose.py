"""Asks every rule and ranks what they find."""

import dataclasses
import os
from collections.abc import Collection, Sequence
from typing import Any

from keras_trainkit.arguments import received
from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.diagnosis import Diagnosis
from keras_trainkit.diagnosis.rule import Rule, ask
from keras_trainkit.diagnosis.rules import RULES
from keras_trainkit.finding import Finding, Verdict, gravest_first
from keras_trainkit.record.training_record import TrainingRecord

_FEWEST_STEPS = 20


def diagnose(
    run: Any,
    rules: Sequence[Rule] = (),
    *,
    silence: Collection[str] = (),
    probe: Any = None,
) -> Diagnosis:
    """Says what is wrong with a run, as far as its record shows.

    Every rule of `keras_trainkit.diagnosis.RULES` is asked. What follows from another
    finding is folded under it, so that the cause stands on top. No finding means that
    none of these faults shows, not that all is well; the guide says how often the
    rules are wrong.

    Args:
        run: A record, a monitor that has one, or the path of one; of a run that has
            ended or still goes on.
        rules: Rules to ask beside the built-in ones; one with the code of another
            takes its place, e.g. with a threshold of your own.
        silence: Codes of rules not to ask, or one code.
        probe: What `tk.probes.what_if` found: alarms whose category a change
            confirmed, by helping, come first, in the order of the help.

    Returns:
        Findings with evidence and advice, the worst and surest first, what each rule
        said (`.verdicts`), and one sentence on what to do (`.answer`): also "not
        enough evidence yet" and "healthy so far".

    Raises:
        ValueError: If `run` is none of these, a rule is none, or no rule has a code
            that is to be silent.

    Example:
        ```python
        for finding in tk.diagnose(monitor):
            print(finding)
        tk.diagnose(monitor, silence=["overfitting"])
        ```
    """
    for rule in rules:
        if not isinstance(rule, Rule):
            raise ValueError(
                f"`rules` must hold `Rule` objects. {received('rules', rule)}"
            )
    asked = {rule.code: rule for rule in (*RULES, *rules)}
    for code in (silence,) if isinstance(silence, str) else silence:
        if code not in asked:
            raise ValueError(
                f"`silence` must hold codes of rules: {', '.join(asked)}. "
                + received("silence", code)
            )
        del asked[code]
    course = Course(_record_of(run))
    verdicts = tuple(ask(rule, course) for rule in asked.values())
    found = [finding for verdict in verdicts for finding in verdict.findings]
    findings = fold(found, {rule.code: rule.explains for rule in asked.values()})
    if probe is not None:
        findings = confirmed(findings, probe.categories)
    return Diagnosis(_answer(course, findings, verdicts), tuple(findings), verdicts)


def confirmed(findings: Sequence[Finding], categories: Sequence[str]) -> list[Finding]:
    """Puts alarms that a probe confirmed first, and notes it in their evidence.

    Args:
        findings: Ranked findings.
        categories: Categories of the changes that helped, the best first.
    """
    place = {category: order for order, category in enumerate(categories)}
    noted = [
        dataclasses.replace(one, evidence={**one.evidence, "probe": "confirmed"})
        if one.category in place and one.severity != "info"
        else one
        for one in findings
    ]
    return sorted(
        noted,
        key=lambda one: (
            place[one.category]
            if one.category in place and one.severity != "info"
            else len(place)
        ),
    )


def fold(
    findings: Sequence[Finding], explains: dict[str, tuple[str, ...]]
) -> list[Finding]:
    """Puts findings under those that explain them, and ranks the rest.

    Args:
        findings: What the rules found.
        explains: For each code the codes of its symptoms. Findings of severity "info"
            explain nothing.

    Returns:
        The causes, the gravest and surest first, each with its symptoms.
    """
    ranked = gravest_first(findings)
    by_code = {finding.code: finding for finding in ranked}
    cause: dict[str, str] = {}
    for finding in ranked:
        if finding.severity == "info":
            continue
        for code in explains.get(finding.code, ()):
            if code in by_code and code != finding.code:
                cause.setdefault(code, finding.code)
    symptoms: dict[str, list[Finding]] = {}
    roots = []
    for finding in ranked:
        root = _root(finding.code, cause)
        if root == finding.code:
            roots.append(finding)
        else:
            symptoms.setdefault(root, []).append(finding)
    return gravest_first(
        dataclasses.replace(one, symptoms=tuple(symptoms.get(one.code, ())))
        for one in roots
    )


def _root(code: str, cause: dict[str, str]) -> str:
    """Follows causes to their end, or to where they would go round in a circle."""
    path = [code]
    while path[-1] in cause and cause[path[-1]] not in path:
        path.append(cause[path[-1]])
    # In a circle the code that comes first in the alphabet stands for all.
    if path[-1] in cause:
        circle = path[path.index(cause[path[-1]]) :]
        return min(circle)
    return path[-1]


def _answer(
    course: Course, findings: Sequence[Finding], verdicts: Sequence[Verdict]
) -> str:
    alarms = [finding for finding in findings if finding.severity != "info"]
    if alarms:
        return f"{alarms[0].message} {alarms[0].advice}".strip()
    if course.steps < _FEWEST_STEPS:
        return (
            f"Not enough evidence yet: {course.steps} steps, {_FEWEST_STEPS} are "
            "needed."
        )
    running = course.record.metadata.get("status") == "running"
    if findings:
        return f"No alarm. {findings[0].message}"
    judged = sum(verdict.status != "not judged" for verdict in verdicts)
    word = "Healthy so far, keep training" if running else "No fault shows"
    return f"{word}: {judged} of {len(verdicts)} rules could judge."


def _record_of(run: Any) -> TrainingRecord:
    if isinstance(run, TrainingRecord | str | os.PathLike):
        return TrainingRecord.of(run)
    record = getattr(run, "record", None)
    if isinstance(record, TrainingRecord):
        return record
    raise ValueError(
        "`run` must be a TrainingRecord, a monitor, or the path of a record. "
        + received("run", run)
    )
