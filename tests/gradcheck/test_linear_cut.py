import numpy as np
import pytest

from keras_trainkit.gradcheck.evaluator import Evaluator
from keras_trainkit.gradcheck.linear_cut import linear_cuts
from keras_trainkit.keras_model.batches import take_batch
from keras_trainkit.problems.of_model import model_problem
from tests.gradcheck.zoo import max_pool_cnn, relu_mlp
from tests.tolerances import FLOAT64


@pytest.mark.parametrize(
    "make",
    [pytest.param(relu_mlp, marks=pytest.mark.slow), max_pool_cnn],
    ids=lambda m: m.__name__,
)
def test_a_cut_gives_what_the_whole_function_gives(make):
    model, x, y = make()
    x, y, _ = take_batch(x, y, examples=6, seed=0)
    problem = model_problem(model, x, y, None, wrt="parameters", double=True)
    evaluator = Evaluator(problem, directions=1, seed=0, progress=False)
    evaluator.value()
    cuts = linear_cuts(evaluator, list(range(len(problem.values))))
    # A penalised kernel has a second user, and is left to the whole function.
    assert (0 in cuts) == (make is max_pool_cnn)
    assert len(cuts) >= 4
    for tensor, cut in cuts.items():
        entries = np.arange(evaluator.sizes[tensor])
        jobs = evaluator.coordinates(evaluator.offsets[tensor] + entries)
        moves = np.full(len(entries), 2.0**-7)
        whole, _ = evaluator.losses(jobs, moves[:, None])
        np.testing.assert_allclose(
            cut.losses(entries, moves), whole[:, 0], rtol=FLOAT64
        )
