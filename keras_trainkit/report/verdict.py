"""The one sentence on top of the page, in agreement with all that stands below it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from keras_trainkit.finding import Finding, gravest_first
from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Series

# Before so many steps no rule can judge the course of a run.
_FEWEST_STEPS = 20
STATES = {"error": "bad", "warning": "warning", "info": ""}


class Verdict(NamedTuple):
    """How a run is doing.

    Args:
        words: The sentence.
        note: What to know beside it.
        state: "good", "warning", "bad", or "" where nothing was or can be judged.
    """

    words: str
    note: str
    state: str


def decide(
    readings: Readings, findings: Sequence[Finding] | None, live: bool
) -> Verdict:
    """Sums up what was found.

    Args:
        readings: The record.
        findings: What a diagnosis said, `None` if there was none.
        live: Whether training goes on.
    """
    if findings is None:
        note = "Pass findings=tk.diagnose(record) to see what it shows to be wrong."
        return Verdict("Not diagnosed", note, "")
    grave = [one for one in gravest_first(findings) if one.severity != "info"]
    if grave:
        first = grave[0]
        others = len(findings) - 1
        more = f" {others} more below." if others else ""
        where = f"{first.where}: " if first.where else ""
        return Verdict(
            "Something is wrong" if first.severity == "error" else "Worth a look",
            f"{where}{first.message}{more}",
            STATES[first.severity],
        )
    steps = len(readings.arrays(Series("loss"))[0])
    if 0 < steps < _FEWEST_STEPS and live:
        return Verdict("Too early to say", f"{steps} steps were recorded so far.", "")
    if not readings.record.series:
        return Verdict("Nothing recorded yet", "", "")
    notes = [
        "No check raised an alarm. That does not mean that all is well: look at the "
        "figures."
    ]
    if findings:
        count = len(findings)
        notes.append(f"{count} note{'s' if count > 1 else ''} below.")
    ending = unfinished(readings.record.metadata, live)
    if ending:
        return Verdict(f"No fault found, but {ending}", " ".join(notes), "warning")
    return Verdict("No fault found", " ".join(notes), "good")


def unfinished(metadata: dict[str, Any], live: bool) -> str:
    """How a run ended that did not finish, "" for one that did or goes on."""
    if live:
        return ""
    return {
        "running": "the run did not finish",
        "interrupted": "the run was interrupted",
    }.get(str(metadata.get("status")), "")
