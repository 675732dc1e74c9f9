"""What a run of the test bed found."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from keras_trainkit.arguments import check_choice, received
from keras_trainkit.testbed.grading import DIVERGING, GRADES
from keras_trainkit.testbed.heat_map import plot_heat_map
from keras_trainkit.testbed.page import heat_map_figure, write_page

GROUPS = ("family", "shape", "noise", "scale", "drift", "dimensions")
_NEAR = 0.9


class Result:
    """The scores of optimizers on the problems of the test bed.

    Args:
        table: One row an optimizer and a test, as `to_frame` returns it.
        dropped: Names of tests on which gradient descent gets nowhere, left out.
    """

    def __init__(self, table: pd.DataFrame, dropped: Sequence[str] = ()) -> None:
        self._table = table
        self.dropped = tuple(dropped)

    @property
    def optimizers(self) -> list[str]:
        """The labels of the optimizers, in the order in which they were passed."""
        return list(dict.fromkeys(self._table["optimizer"]))

    def to_frame(self) -> pd.DataFrame:
        """Returns one row an optimizer and a test.

        | column | what it is |
        |---|---|
        | `optimizer`, `rule`, `rate` | the label, the rule without its rate, the rate (NaN for a schedule) |
        | `test` | name of the problem |
        | `family`, `dimensions`, `shape`, `noise`, `scale`, `drift` | what it is made of |
        | `start` | expected value at the start |
        | `sgd_rate`, `sgd_score` | the best constant rate of gradient descent, and its score |
        | `score` | median of the expected values at the last points; NaN if most runs diverged |
        | `progress` | 0 at the start, 1 at the best gradient descent |
        | `grade` | raised, diverged, partly diverged, poor, unreliable, good, far better |
        | `verdict` | pass (the last two) or fail |
        | `reason` | why it failed |
        """  # noqa: E501
        return self._table.copy()

    def pass_rates(self, by: str | None = None) -> pd.DataFrame:
        """Returns which part of the tests each optimizer passes.

        Args:
            by: `"family"`, `"shape"`, `"noise"`, `"scale"`, `"drift"` or
                `"dimensions"`, a column each; all tests together if `None`.

        Returns:
            One row an optimizer, in [0, 1], with the number of tests in the columns'
            names if they are grouped.

        Raises:
            ValueError: If `by` is none of these.
        """
        passed = self._table["verdict"].eq("pass")
        order = self.optimizers
        if by is None:
            grouped = self._table.assign(passed=passed).groupby("optimizer", sort=False)
            return pd.DataFrame(
                {
                    "pass_rate": grouped["passed"].mean(),
                    **{
                        grade.replace(" ", "_"): self._table["grade"]
                        .eq(grade)
                        .groupby(self._table["optimizer"])
                        .mean()
                        for grade in reversed(GRADES)
                    },
                }
            ).loc[order]
        check_choice("by", by, GROUPS)
        rates = self._table.assign(passed=passed).pivot_table(
            "passed", "optimizer", by, aggfunc="mean", sort=False
        )
        return rates.astype("float64").loc[order]

    def sensitivity(self) -> pd.DataFrame:
        """Returns how each rule depends on its rate.

        Returns:
            One row a rule: `configurations` tried, `best_rate` and the pass rate at
            it, `best`; `median`, the pass rate of the median configuration;
            `some`, the part of the tests that some configuration passes, and
            `some_far_better`; `diverged`, the part of all runs that diverged or
            partly did; `decades` of rates, one after the other, that keep at least
            0.9 of the best pass rate (0 for a single one).
        """
        rows = {}
        for rule, table in self._table.groupby("rule", sort=False):
            passed = table.assign(passed=table["verdict"].eq("pass"))
            each = passed.groupby(["optimizer", "rate"], sort=False, dropna=False)[
                "passed"
            ].mean()
            rates = each.index.get_level_values("rate").to_numpy()
            values = each.to_numpy()
            best = int(np.argmax(values))
            rows[rule] = {
                "configurations": len(values),
                "best_rate": rates[best],
                "best": values[best],
                "median": float(np.median(values)),
                "some": passed.groupby("test")["passed"].any().mean(),
                "some_far_better": table["grade"]
                .eq("far better")
                .groupby(table["test"])
                .any()
                .mean(),
                "diverged": table["grade"].isin(DIVERGING).mean(),
                "decades": _decades(rates, values, best),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("rule")

    def changes_from(self, before: "Result") -> pd.DataFrame:
        """Returns the tests whose verdict is another than in an earlier result.

        What did my change break? Optimizers are paired by label, or with each other
        if both results have one.

        Args:
            before: The earlier result, on the same problems.

        Returns:
            One row an optimizer and a test: `changed` ("broken" or "mended", broken
            ones first), grade and progress before and now, and the reason.

        Raises:
            ValueError: If `before` is not a result, or nothing can be paired.
        """
        if not isinstance(before, Result):
            raise ValueError(f"`before` must be a Result. {received('before', before)}")
        mine, theirs = self._table, before._table
        if len(self.optimizers) == len(before.optimizers) == 1:
            theirs = theirs.assign(optimizer=self.optimizers[0])
        keep = ["optimizer", "test", "grade", "verdict", "progress", "reason"]
        both = theirs[keep].merge(
            mine[keep], on=["optimizer", "test"], suffixes=("_before", "")
        )
        if both.empty:
            raise ValueError(
                "The two results have no optimizer and test in common. "
                f"Received: optimizers {before.optimizers} and {self.optimizers}"
            )
        both = both[both["verdict"] != both["verdict_before"]]
        changed = np.where(both["verdict"].eq("fail"), "broken", "mended")
        columns = ["optimizer", "test", "grade_before", "grade"]
        columns += ["progress_before", "progress", "reason"]
        return (
            both[columns]
            .assign(changed=changed)
            .sort_values("changed", kind="stable", ignore_index=True)
        )

    def heat_map(self) -> Any:
        """Draws tests by optimizers, coloured by grade.

        Returns:
            A `plotly.graph_objects.Figure`.

        Raises:
            ImportError: If plotly is not installed.
        """
        return heat_map_figure(self._table)

    def plot(self, *, axes: Any = None) -> Any:
        """Draws tests by optimizers, coloured by grade, with matplotlib.

        Args:
            axes: A matplotlib `Axes` to draw on; those of a new figure if `None`.

        Returns:
            The `Axes`; `.figure.savefig(path)` saves the picture.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        return plot_heat_map(self._table, axes)

    def write(self, path: str | os.PathLike[str], *, title: str | None = None) -> str:
        """Writes heat map, sensitivity and pass rates as one offline HTML page.

        Args:
            path: The HTML file to write; missing directories are made.
            title: Heading; `None` for one of its own.

        Returns:
            The path written.

        Raises:
            ValueError: If the title is not a string.
            ImportError: If plotly or Jinja2 are not installed.
        """
        return write_page(
            self._table,
            self.pass_rates("family"),
            self.sensitivity(),
            self.dropped,
            path,
            title,
        )

    def __repr__(self) -> str:
        tests = self._table["test"].nunique()
        lines = [f"Result on {tests} tests, {len(self.dropped)} dropped; pass rates:"]
        rates = self.pass_rates()["pass_rate"]
        width = max(len(label) for label in rates.index)
        lines += [f"  {label:{width}}  {rate:.3f}" for label, rate in rates.items()]
        return "\n".join(lines)


def _decades(rates: np.ndarray, values: np.ndarray, best: int) -> float:
    """The width of the run of near-best rates around the best one."""
    order = np.argsort(rates)
    near = values[order] >= _NEAR * values[best]
    place = low = high = int(np.flatnonzero(order == best)[0])
    while low > 0 and near[low - 1]:
        low -= 1
    while high < len(near) - 1 and near[high + 1]:
        high += 1
    if not np.isfinite(rates[order[place]]) or rates[order[low]] <= 0:
        return float("nan")
    return float(np.log10(rates[order[high]] / rates[order[low]]))
