"""Ends a training that is diagnosed as hopeless."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from keras_trainkit.arguments import check_flag, check_integer, received
from keras_trainkit.callbacks.monitor import Monitor
from keras_trainkit.diagnosis.diagnose import diagnose
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.diagnosis.rules import RULES
from keras_trainkit.finding import Finding
from keras_trainkit.keras_model.state import parts_of, read, write
from keras_trainkit.recording.instruments.examples import Examples
from keras_trainkit.recording.instruments.layers import Layers
from keras_trainkit.recording.instruments.units import Units
from keras_trainkit.recording.instruments.updates import Updates
from keras_trainkit.recording.place import Place

HOPELESS = (
    "nonfinite",
    "diverging",
    "rate_too_high",
    "far_too_long_updates",
    "dead_units",
    "unbounded_loss",
)
# Nothing comes back from NaN; what else is diagnosed may pass.
_AT_ONCE = ("nonfinite",)


class TrainingGuard(Monitor):
    """Stops a run that is diagnosed as hopeless, and says why.

    After each epoch the record is diagnosed as `tk.diagnose` does. If an error whose
    code is in `stop_on` stands on top, or is explained by one that does, in so many
    epochs running as `patience` says, training ends: `stopped_because` holds the
    reason in words, `finding` the finding. Numbers that are not finite end it at once.
    A search of `tk.search` counts such a trial as failed, with that reason.

    Args:
        stop_on: Codes of the rules to stop on.
        patience: Epochs running in which the same code must be found, int >= 1.
        roll_back: Whether to give the model back what it held at the end of the
            last epoch in which nothing to stop on was found: weights, statistics and
            the optimizer's state. Before the first such epoch, that is the start.
        notify: Called with the finding when training is stopped, e.g. to send mail.
        rules: Rules beside the built-in ones, see `tk.diagnose`.
        every: Steps between two readings of updates and layers, int >= 1, or "auto".
        overhead: Share of the running time that `every="auto"` may cost, in (0, 1].
        examples: Training examples to compare with trivial answers, int >= 1.

    Raises:
        ValueError: If an argument is outside its range, or no rule has a code in
            `stop_on`.

    Example:
        ```python
        guard = TrainingGuard(roll_back=True, notify=print)
        model.fit(x, y, epochs=50, callbacks=[guard])
        guard.stopped_because  # None, or e.g. "diverging: The loss diverges."
        ```
    """

    def __init__(
        self,
        stop_on: Sequence[str] = HOPELESS,
        *,
        patience: int = 2,
        roll_back: bool = False,
        notify: Callable[[Finding], Any] | None = None,
        rules: Sequence[Rule] = (),
        every: int | Literal["auto"] = "auto",
        overhead: float = 0.03,
        examples: int = 256,
    ) -> None:
        known = [rule.code for rule in (*RULES, *rules)]
        if isinstance(stop_on, str) or not set(stop_on) <= set(known):
            raise ValueError(
                f"`stop_on` must hold codes of rules: {', '.join(known)}. "
                + received("stop_on", stop_on)
            )
        if notify is not None and not callable(notify):
            raise ValueError(
                f"`notify` must be callable or None. {received('notify', notify)}"
            )
        self.stop_on = tuple(stop_on)
        self.patience = check_integer("patience", patience, 1)
        self.roll_back = check_flag("roll_back", roll_back)
        self.notify = notify
        self.rules = tuple(rules)
        self.stopped_because: str | None = None
        self.finding: Finding | None = None
        super().__init__(
            Updates(),
            Layers(),
            Units(),
            Examples(check_integer("examples", examples, 1)),
            every=every,
            overhead=overhead,
            sample="auto",
        )

    def begin(self, goes_on: bool) -> None:
        """Forgets why an earlier run was stopped."""
        self.stopped_because, self.finding = None, None
        self._found_in: dict[str, int] = {}
        self._healthy: tuple[list[Any], list[Any]] | None = None
        self._keep()

    def read_epoch(self, place: Place) -> None:
        """Diagnoses the run so far, and stops it if it is hopeless."""
        for instrument in self.instruments:
            if instrument.channel == "epochs" and not self._is_read(instrument, place):
                instrument.end_epoch(self.record, place)
        found = {
            finding.code: finding
            for top in diagnose(self.record, self.rules)
            for finding in (top, *top.symptoms)
            if finding.code in self.stop_on and finding.severity == "error"
        }
        self._found_in = {code: self._found_in.get(code, 0) + 1 for code in found}
        for code, count in self._found_in.items():
            if count >= (1 if code in _AT_ONCE else self.patience):
                self._stop(found[code])
                return
        if not found:
            self._keep()

    def finish(self) -> None:
        """Lets go of what was kept."""
        self._healthy = None

    def _is_read(self, instrument: Any, place: Place) -> bool:
        """Whether another monitor on this record has read it for this epoch."""
        steps, _, _ = self.record.values(instrument.measures[0].name)
        return bool(len(steps)) and int(steps[-1]) == place.step

    def _keep(self) -> None:
        if self.roll_back:
            parts = parts_of(self.model)
            self._healthy = parts, read(parts)

    def _stop(self, finding: Finding) -> None:
        self.finding = finding
        self.stopped_because = f"{finding.code}: {finding.message}"
        self.record.metadata["stopped_because"] = self.stopped_because
        self.model.stop_training = True
        if self._healthy is not None:
            write(*self._healthy)
        if self.params.get("verbose"):
            print(f"Training stopped. {finding}")
        if self.notify is not None:
            self.notify(finding)
