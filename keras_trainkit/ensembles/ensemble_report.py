"""What an ensemble gains over its members, and whether that is beyond noise."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_trainkit.arguments import check_integer
from keras_trainkit.axes import new_axes
from keras_trainkit.ensembles.bootstrap import Gain
from keras_trainkit.finding import Finding


@dataclasses.dataclass(frozen=True)
class EnsembleReport:
    """Scores of an ensemble and of its members on the same examples.

    `print` it for a summary; `to_frame()` gives the table, `plot()` the score
    against the number of members.

    Args:
        metric: Name of the score.
        larger_is_better: Whether it is to be large.
        members: Names of the members; a repeated one stands once, with its share.
        shares: Part of the vote of each.
        member_scores: Score of each member alone.
        score: Score of the ensemble.
        gains: Over the mean of the members and over the best of them, with
            intervals. The best was chosen on the same examples, so that the gain
            over it is rather too small than too large.
        disagreement: Shape `(members, members)`: share of the decisions in which two
            members differ; between values the root of the mean squared difference.
        confidence: Coverage of the intervals.
        examples: How many examples were scored.
        findings: What looks wrong, such as a member with its classes in another
            order.
        subset_score: From positions of members to the score of their ensemble.
    """

    metric: str
    larger_is_better: bool
    members: tuple[str, ...]
    shares: tuple[float, ...]
    member_scores: np.ndarray
    score: float
    gains: tuple[Gain, ...]
    disagreement: np.ndarray
    confidence: float
    examples: int
    findings: tuple[Finding, ...]
    subset_score: Callable[[Sequence[int]], float] = dataclasses.field(repr=False)

    @property
    def gain(self) -> Gain:
        """The gain over the mean of the members."""
        return self.gains[0]

    @property
    def mean_disagreement(self) -> float:
        """Mean of the disagreement over pairs; 0 for one member."""
        pairs = self.disagreement[np.triu_indices(len(self.members), 1)]
        return float(pairs.mean()) if len(pairs) else 0.0

    def to_frame(self) -> Any:
        """Returns a pandas DataFrame: a row for each member, and for the ensemble.

        Columns: `model`, `share`, the metric, and `disagreement`, with the other
        members on average.
        """
        import pandas as pd

        others = max(len(self.members) - 1, 1)
        return pd.DataFrame(
            {
                "model": [*self.members, "ensemble"],
                "share": [*self.shares, 1.0],
                self.metric: [*self.member_scores, self.score],
                "disagreement": [*self.disagreement.sum(axis=1) / others, math.nan],
            }
        )

    def by_size(self, subsets: int = 50, seed: int = 0) -> Any:
        """Scores ensembles of fewer of the members.

        Args:
            subsets: How many ensembles of each size, int >= 1; all if there are no
                more.
            seed: Seed of the draws.

        Returns:
            A pandas DataFrame: `members`, `subsets`, `mean`, `std` (over subsets,
            which share members: it shrinks to 0 for all), `lowest` and `highest`.
        """
        import pandas as pd

        check_integer("subsets", subsets, minimum=1)
        generator = np.random.default_rng(seed)
        count = len(self.members)
        rows = []
        for size in range(1, count + 1):
            if math.comb(count, size) <= subsets:
                chosen: Any = itertools.combinations(range(count), size)
            else:
                chosen = (
                    generator.choice(count, size, replace=False) for _ in range(subsets)
                )
            scores = np.array([self.subset_score(list(each)) for each in chosen])
            rows.append(
                (size, len(scores), scores.mean(), scores.std())
                + (scores.min(), scores.max())
            )
        names = ["members", "subsets", "mean", "std", "lowest", "highest"]
        return pd.DataFrame(rows, columns=names)

    def plot(self, subsets: int = 50, seed: int = 0, *, axes: Any = None) -> Any:
        """Draws the score against the number of members; needs matplotlib.

        The line is the mean over subsets of the members, the band one standard
        deviation, the dots the members alone.

        Args:
            subsets: How many ensembles of each size, int >= 1.
            seed: Seed of the draws.
            axes: A matplotlib `Axes` to draw on; by default those of a new figure.

        Returns:
            The matplotlib `Axes`; `.figure.savefig(path)` saves the picture.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        sizes = self.by_size(subsets, seed)
        axes = new_axes() if axes is None else axes
        lower, upper = sizes["mean"] - sizes["std"], sizes["mean"] + sizes["std"]
        axes.fill_between(sizes["members"], lower, upper, alpha=0.2, linewidth=0)
        axes.plot(sizes["members"], sizes["mean"], marker="o", label="mean of subsets")
        axes.plot(
            np.ones(len(self.member_scores)),
            self.member_scores,
            "o",
            alpha=0.5,
            markersize=4,
            color="0.4",
            label="one member",
        )
        axes.set(xlabel="members", ylabel=self.metric.replace("_", " "))
        axes.set_title(f"{self.examples} examples; band: one standard deviation")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False)
        return axes

    def __str__(self) -> str:
        better = "larger" if self.larger_is_better else "smaller"
        best = np.max if self.larger_is_better else np.min
        scores = self.member_scores
        lines = [
            f"{self.metric} on {self.examples} examples ({better} is better)",
            f"  members   {scores.mean():.4f} on average, {best(scores):.4f} the best "
            f"of {len(scores)}",
            f"  ensemble  {self.score:.4f}",
        ]
        for gain in self.gains:
            verdict = "beyond noise" if gain.beyond_noise else "within noise"
            lines.append(
                f"  gain over {gain.over}: {gain.value:+.4f}, {self.confidence:.0%} "
                f"interval [{gain.low:+.4f}, {gain.high:+.4f}]: {verdict}"
            )
        lines.append(
            f"  two members disagree by {self.mean_disagreement:.4f} on average"
        )
        lines += [str(finding) for finding in self.findings]
        return "\n".join(lines)

    __repr__ = __str__
