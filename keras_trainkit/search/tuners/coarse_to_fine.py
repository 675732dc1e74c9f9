"""Search in stages: wide and short first, narrow and long at the end."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from keras_trainkit.arguments import check_integer, received
from keras_trainkit.search.engine.keras_tuner import keras_tuner
from keras_trainkit.search.engine.outcome import Outcome, read_outcome
from keras_trainkit.search.ranges.narrowing import change, share
from keras_trainkit.search.ranges.positions import is_range, options
from keras_trainkit.search.tuners.coarse_to_fine_oracle import (
    EPOCHS,
    CoarseToFineOracle,
)
from keras_trainkit.search.tuners.folds import Folds, fold_outcome
from keras_trainkit.search.tuners.stage import Stage, check_stages
from keras_trainkit.search.tuners.tuner import DependableTuner

if TYPE_CHECKING:
    import pandas


class CoarseToFine(DependableTuner):
    """Searches in stages: wide and short first, narrow and long at the end.

    The first stage draws from the ranges as declared and trains for an epoch or so:
    enough to tell rates at which nothing moves, or all explodes, from the others.
    Each later stage draws from the region where the best trials of the stage before
    lie, in log space for what is sampled so, and trains longer. A hyperparameter
    that does not matter keeps its range, one that does shrinks fast; where the best
    crowd at an end, the range goes on beyond it (see `edge_warnings`), never beyond 0
    or, for shares, 1. Within a stage the trials part every range evenly among them
    (a Latin hypercube). The best settings of a stage run again in the next one.

    All trials are validated on the same data by default; with small data, `folds`
    validates each on several parts of it.

    Args:
        hypermodel: A function from hyperparameters to a compiled model.
        objective: What to optimise; see `DependableTuner`.
        stages: A list of `Stage`; 36 trials of 1 epoch, 16 of 4 and 8 of 16 if
            `None`. A resume may change those that have not begun.
        folds: Number of parts of the data, int >= 2; each is once the validation
            data of a training on the others. A trial's score is the mean, its
            metrics hold each fold's own value, and its model is that of the median
            fold. `None` trains once.
        **settings: Arguments of `DependableTuner`, such as `seed` and `directory`.

    Raises:
        ValueError: If an argument is out of its range, or both `folds` and
            `executions_per_trial` are given.

    Example:
        ```python
        tuner = tk.search.CoarseToFine(
            build_model,
            "val_accuracy",
            stages=[Stage(30, epochs=1), Stage(15, epochs=5), Stage(5, epochs=20)],
            seed=0,
        )
        tuner.search(x, y, validation_data=(xv, yv))
        tuner.ranges
        ```

    Reference:
        [Stanford CS231n, Neural Networks part 3, "Stage your search from coarse to
        fine"](https://cs231n.github.io/neural-networks-3/)
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        stages: Sequence[Stage] | None = None,
        *,
        folds: int | None = None,
        **settings: Any,
    ) -> None:
        if folds is not None:
            check_integer("folds", folds, 2)
            if settings.get("executions_per_trial", 1) != 1:
                raise ValueError(
                    "`executions_per_trial` must be 1 with `folds`. "
                    + received("executions_per_trial", settings["executions_per_trial"])
                )
            settings["executions_per_trial"] = folds
        self.folds = folds
        self._parts: Folds | None = None
        self._outcomes: list[Outcome] = []
        oracle = partial(CoarseToFineOracle, check_stages(stages), folds=folds)
        super().__init__(oracle, hypermodel, objective, **settings)

    @property
    def ranges(self) -> "pandas.DataFrame":
        """How the ranges moved and shrank: one row a stage and hyperparameter.

        Columns: `stage` (from 1), `trials`, `epochs`, `hyperparameter`, `low`,
        `high` (NaN without a range), `values` (of a choice), `share` (of the first
        stage's decades, width or options) and `change`.
        """
        import pandas

        rows = []
        for number, stage in enumerate(self.oracle.stages):
            if number >= max(1, len(self.oracle.stage_spaces)):
                break
            space = self.oracle.space_of(number)
            firsts = self.oracle.space_of(0)
            befores = self.oracle.space_of(max(0, number - 1))
            for hp, first, before in zip(space, firsts, befores, strict=True):
                has_range = is_range(first)
                rows.append(
                    {
                        "stage": number + 1,
                        "trials": stage.trials,
                        "epochs": stage.epochs,
                        "hyperparameter": hp.name,
                        "low": float(hp.min_value) if has_range else float("nan"),
                        "high": float(hp.max_value) if has_range else float("nan"),
                        "values": None if has_range else options(hp),
                        "share": share(hp, first),
                        "change": change(hp, before) if number else "start",
                    }
                )
        return pandas.DataFrame(rows)

    def search(self, *fit_args: Any, verbose: Any = 1, **fit_kwargs: Any) -> None:
        """Runs the stages that are left.

        Args:
            *fit_args: Passed to `fit` of each model, e.g. `x, y`.
            verbose: See `DependableTuner.search`; from 1 on each stage tells its
                ranges.
            **fit_kwargs: Passed to `fit`, without `epochs`, which the stages have.

        Raises:
            ValueError: If `epochs` is given, or, with `folds`, validation data are
                or the data are not arrays.
            RuntimeError: If too many trials in a row failed.
        """
        if "epochs" in fit_kwargs:
            raise ValueError(
                "`epochs` must be left to the stages. "
                + received("epochs", fit_kwargs["epochs"])
            )
        if self.folds is not None:
            self._parts = Folds(fit_args, fit_kwargs, self.folds)
        super().search(*fit_args, verbose=verbose, **fit_kwargs)

    def run_trial(self, trial: Any, *fit_args: Any, **fit_kwargs: Any) -> Outcome:
        """Trains for the epochs of the trial's stage, on each fold if there are."""
        fit_kwargs["epochs"] = trial.hyperparameters.values[EPOCHS]
        self._outcomes = []
        if self._parts is not None:
            self._parts.deal(self.oracle.seed)  # of the chief, if there is one
        outcome = super().run_trial(trial, *fit_args, **fit_kwargs)
        if self._parts is None:
            return outcome
        return fold_outcome(self._outcomes, self.oracle.objective)

    def build_and_fit(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        """Trains once, on the next fold if there are folds."""
        if self._parts is None:
            return super().build_and_fit(trial, *args, **kwargs)
        args, kwargs = self._parts.fit_arguments(len(self._outcomes), kwargs)
        results = super().build_and_fit(trial, *args, **kwargs)
        self._outcomes.append(read_outcome(results, self.oracle.objective))
        return results

    def _plain_training(self) -> bool:
        # What `run_trial` adds here changes no metric.
        return self.hypermodel is not None and (
            type(self.hypermodel).fit is keras_tuner.HyperModel.fit
        )

    def _check_validation(self, fit_args: Any, fit_kwargs: Any) -> None:
        if self.folds is None:
            super()._check_validation(fit_args, fit_kwargs)

    def notes(self) -> list[str]:
        """The ranges of each stage, and those that are too narrow."""
        stage = len(self.oracle.stage_spaces) - 1
        ranges = [self._stage_text(stage)] if stage >= 0 else []
        return [*ranges, *super().notes()]

    def _stage_text(self, number: int) -> str:
        stage = self.oracle.stages[number]
        plural = "" if stage.epochs == 1 else "s"
        lines = [
            f"Stage {number + 1} of {len(self.oracle.stages)}: {stage.trials} trials "
            f"of {stage.epochs} epoch{plural}"
        ]
        rows = self.ranges.to_dict("records")
        for row in rows:
            if row["stage"] != number + 1:
                continue
            words = (
                f"{row['low']:.3g} to {row['high']:.3g}"
                if row["values"] is None
                else ", ".join(map(str, row["values"]))
            )
            left = f"  ({row['share']:.0%}, {row['change']})" if number else ""
            lines.append(f"  {row['hyperparameter']}: {words}{left}")
        return "\n".join(lines)
