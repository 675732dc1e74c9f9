"""All problems of a run laid out in one vector."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.testbed.block import Block, FunctionBlock, Seen
from keras_trainkit.testbed.problem import FunctionProblem, Problem


class Batch:
    """Problems and seeds side by side: an element-wise rule steps all at once.

    Args:
        problems: What to minimise.
        seeds: Numbers of the repetitions.
        steps: How many steps each run takes.
    """

    def __init__(
        self,
        problems: Sequence[Problem | FunctionProblem],
        seeds: Sequence[int],
        steps: int,
    ) -> None:
        self.problems, self.seeds, self.steps = list(problems), list(seeds), steps
        groups: dict[Any, list[int]] = {}
        for index, problem in enumerate(self.problems):
            own = isinstance(problem, FunctionProblem)
            key = ("own", index) if own else problem.dimensions
            groups.setdefault(key, []).append(index)
        self.members = list(groups.values())
        """Which problems each block holds."""
        self._order = np.concatenate([np.array(m) for m in self.members])
        self._lay_out([self._block(members) for members in self.members])

    def repeated(self, times: int) -> "Batch":
        """Returns the batch with all its seeds so many times, one set after another."""
        repeated = copy.copy(self)
        repeated.seeds = self.seeds * times
        repeated._lay_out([block.repeated(times) for block in self.blocks])
        return repeated

    def _lay_out(self, blocks: list[Any]) -> None:
        self.blocks = blocks
        shapes = [tuple(block.start.shape) for block in self.blocks]
        self._shapes = shapes
        self._sizes = [int(np.prod(shape)) for shape in shapes]
        self.start = self._joined([block.start for block in self.blocks])
        """Where all start, one vector."""

    def see(self, x: Any, step: Any) -> Seen:
        """Returns values, shape `(problems, seeds)`, and one vector of gradients."""
        seen = [
            block.see(part, step)
            for block, part in zip(self.blocks, self._parted(x), strict=True)
        ]
        values = tf.concat([one.values for one in seen], axis=0)
        return Seen(values, self._joined([one.gradients for one in seen]))

    def score(self, x: Any) -> Any:
        """Returns the expected values at last points, shape `(problems, seeds)`."""
        return tf.concat(
            [
                block.score(part)
                for block, part in zip(self.blocks, self._parted(x), strict=True)
            ],
            axis=0,
        )

    def spread(self, by_seed: np.ndarray) -> Any:
        """Returns one number for each seed as one for each element."""
        each = tf.constant(by_seed, tf.float64)[None, :, None]
        return self._joined([tf.broadcast_to(each, shape) for shape in self._shapes])

    def in_order(self, rows: Any) -> np.ndarray:
        """Returns rows of the blocks as rows of the problems."""
        ordered = np.empty_like(np.asarray(rows))
        ordered[self._order] = np.asarray(rows)
        return ordered

    def start_values(self) -> np.ndarray:
        """Returns the expected value at the start of each problem, still its old self.

        Functions that have moved meanwhile are judged from where they began.
        """
        values = self.see(self.start, 0).values.numpy()
        if any(problem.dimensions > 1 for problem in self.problems):
            settled = self.score(self.start).numpy()
            still = [problem.drifting.kind == "none" for problem in self.problems]
            mask = np.array(still)[self._order]
            values = np.where(mask[:, None], settled, values)
        return self.in_order(values)[:, 0]

    def _block(self, members: list[int]) -> Block | FunctionBlock:
        chosen = [self.problems[index] for index in members]
        first = chosen[0]
        if isinstance(first, FunctionProblem):
            return FunctionBlock.of(first, self.seeds, self.steps)
        catalogue = [problem for problem in chosen if isinstance(problem, Problem)]
        return Block.of(catalogue, self.seeds, self.steps)

    def _parted(self, x: Any) -> list[Any]:
        parts = tf.split(x, self._sizes)
        return [
            tf.reshape(part, shape)
            for part, shape in zip(parts, self._shapes, strict=True)
        ]

    def _joined(self, parts: Sequence[Any]) -> Any:
        return tf.concat([tf.reshape(part, [-1]) for part in parts], axis=0)
