"""Runs every check before training and gathers a report."""

import dataclasses
import time
import warnings
from collections.abc import Callable, Collection, Iterator
from typing import Any

from keras_trainkit.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    received,
)
from keras_trainkit.finding import Finding, Verdict, gravest_first, not_judged
from keras_trainkit.keras_model.state import restored
from keras_trainkit.preflight.checks import CHECKS
from keras_trainkit.preflight.progress import progress
from keras_trainkit.preflight.subject import Subject, UnjudgedError

UNSEEN_LOSS = (
    "To have more judged, give compile() a loss or override compute_loss(); or check "
    "a part of the model, as in tk.gradcheck(layer, x)."
)


@dataclasses.dataclass
class Preflight:
    """The result of `preflight`: one verdict a check, in order.

    Args:
        verdicts: What each check said.
        seconds: How long each check took, by its name.
        note: What would let more be judged, "" if nothing.
    """

    verdicts: list[Verdict]
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether no check failed; warnings and unjudged checks may remain."""
        return all(verdict.status != "fail" for verdict in self.verdicts)

    @property
    def findings(self) -> list[Finding]:
        """All findings, the gravest first."""
        return gravest_first(
            finding for verdict in self.verdicts for finding in verdict.findings
        )

    def __getitem__(self, check: str) -> Verdict:
        """Returns the verdict of one check by its name."""
        return {verdict.name: verdict for verdict in self.verdicts}[check]

    def __iter__(self) -> Iterator[Verdict]:
        """Goes through the verdicts in order."""
        return iter(self.verdicts)

    def to_frame(self) -> Any:
        """Returns the table as a pandas DataFrame: check, status, why, advice."""
        import pandas as pd

        return pd.DataFrame(
            [(v.name, v.status, v.why, v.advice) for v in self.verdicts],
            columns=["check", "status", "why", "advice"],
        )

    def raise_if_failed(self) -> "Preflight":
        """Returns the report itself, or raises if a check failed.

        Raises:
            AssertionError: With the whole table; an uncaught one ends a script
                with a non-zero exit status, as CI wants it.
        """
        if not self.ok:
            raise AssertionError(str(self))
        return self

    def __str__(self) -> str:
        width = max(len(verdict.name) for verdict in self.verdicts)
        counts = {
            status: sum(verdict.status == status for verdict in self.verdicts)
            for status in ("pass", "warn", "fail", "not judged")
        }
        tally = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        judged = len(self.verdicts) - counts["not judged"]
        # What was hardly looked at has not passed.
        word = (
            "FAILED"
            if not self.ok
            else "passed"
            if judged > len(self.verdicts) / 2
            else ""
        )
        lines = [f"Preflight {word}: {tally}" if word else f"Preflight: {tally}", ""]
        for verdict in self.verdicts:
            status = (
                verdict.status.upper() if verdict.status == "fail" else verdict.status
            )
            lines.append(f"  {verdict.name:<{width}}  {status:<10}  {verdict.why}")
            shown = [one for one in verdict.findings if one.severity != "info"]
            lines += [f"  {'':<{width}}  {'':<10}  {f.message}" for f in shown[1:4]]
            if verdict.status in ("warn", "fail") and verdict.advice:
                lines.append(f"  {'':<{width}}  {'':<10}  -> {verdict.advice}")
        if self.note:
            lines += ["", f"  {self.note}"]
        if sum(self.seconds.values()) >= 1:
            slowest = sorted(self.seconds, key=lambda name: -self.seconds[name])[:3]
            parts = ", ".join(f"{name} {self.seconds[name]:.1f}" for name in slowest)
            total = sum(self.seconds.values())
            lines += ["", f"  {total:.1f} s, most of it for {parts}"]
        return "\n".join(lines)

    __repr__ = __str__


def preflight(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    validation_data: Any = None,
    *,
    checks: Collection[Callable[[Subject], Verdict]] = (),
    skip: Collection[str] = (),
    seconds: float = 20.0,
    seed: int = 0,
    verbose: bool = True,
) -> Preflight:
    """Checks the model and the data before the first epoch.

    Runs every check of `CHECKS`: the data, the labels, the pairing of output and
    loss, the initial loss, the loss recomputed from the predictions, whether a
    gradient reaches every weight and is right, whether twenty examples can be
    learnt by heart, and the machine. What a check cannot judge it says. Model,
    optimizer, metrics and random states are left as they were, bit for bit.
    Takes a few seconds on a small model.

    Args:
        model: A compiled Keras model, built or not.
        x: Inputs, as for `fit`: arrays in any nesting, or a dataset.
        y: Targets, `None` if `x` brings them.
        sample_weight: Weights of the examples, or `None`.
        validation_data: `(x, y)`, `(x, y, sample_weight)`, a dataset, or `None`.
        checks: Checks of your own, run after the others: each takes the `Subject`
            and returns a `Verdict`.
        skip: Names of checks to leave out, or one name.
        seconds: Time that learning by heart may take, > 0.
        seed: Seed of the rows drawn, int >= 0.
        verbose: Whether it says what it is doing where that takes over a second.

    Returns:
        The verdicts; print it, or use `.ok`, `.findings`, `.to_frame()` and
        `.raise_if_failed()`.

    Raises:
        ValueError: If an argument is out of range, the model is not compiled, or
            the data have no rows.

    Example:
        ```python
        report = tk.preflight(model, x, y, validation_data=(xv, yv))
        print(report)
        report.raise_if_failed()
        ```

    Reference:
        [Karpathy, A recipe for training neural networks, 2019](
        https://karpathy.github.io/2019/04/25/recipe/)
    """
    skip = (skip,) if isinstance(skip, str) else skip
    for name in skip:
        check_choice("skip", name, tuple(CHECKS))
    for check in checks:
        if not callable(check):
            raise ValueError(
                "`checks` must be functions that take a Subject and return a Verdict. "
                f"{received('checks', check)}"
            )
    check_number("seconds", seconds, 0.0, open_minimum=True)
    check_integer("seed", seed, minimum=0)
    check_flag("verbose", verbose)
    chosen = [(name, check) for name, check in CHECKS.items() if name not in skip]
    chosen += [(getattr(check, "__name__", "check"), check) for check in checks]
    verdicts: list[Verdict] = []
    took: dict[str, float] = {}
    # What Keras warns of while the model runs, the checks say themselves.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        subject = Subject(
            model,
            x,
            y,
            sample_weight,
            validation_data,
            seed=seed,
            seconds=seconds,
            verbose=verbose,
        )
        with restored(model), progress(len(chosen), verbose) as tell:
            for name, check in chosen:
                tell(name)
                begun = time.monotonic()
                verdict = _run(name, check, subject, verdicts)
                verdicts.append(verdict)
                took[verdict.name] = time.monotonic() - begun
    note = UNSEEN_LOSS if subject.no_loss else ""
    return Preflight(verdicts, took, note)


def _run(
    name: str,
    check: Callable[[Subject], Verdict],
    subject: Subject,
    before: list[Verdict],
) -> Verdict:
    try:
        verdict = check(subject)
        if not isinstance(verdict, Verdict):
            return not_judged(
                name, f"the check returned a {type(verdict).__name__}, no Verdict"
            )
        return verdict
    except Exception as error:  # one check's fault must not hide the others
        if isinstance(error, UnjudgedError) and not subject.loss_failure:
            return not_judged(name, str(error))
        culprits = [
            verdict.name
            for verdict in before
            if verdict.name in ("features", "labels") and verdict.status == "fail"
        ]
        if culprits:
            return not_judged(name, f"the loss cannot be computed: see {culprits[0]}")
        reason = (str(error).strip() or "no message").splitlines()[0][:160]
        return not_judged(name, f"{type(error).__name__}: {reason}")
