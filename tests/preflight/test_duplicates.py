import types

import numpy as np
import pytest
from scipy import stats

from keras_trainkit.preflight.duplicates import _chance_of, check_duplicates


def verdict(train, validation):
    return check_duplicates(
        types.SimpleNamespace(x=train, validation=(validation, None, None))
    )


def bits(random, rows, width):
    return random.integers(2, size=(rows, width)).astype("f4")


@pytest.mark.parametrize("width", [1, 2, 5, 8, 10, 14])
@pytest.mark.parametrize("rows", [100, 1000])
def test_discrete_rows_that_repeat_by_chance_are_no_leak(width, rows):
    for seed in range(20):
        random = np.random.default_rng(seed)
        found = verdict(bits(random, rows, width), bits(random, rows // 4, width))
        assert found.status == "pass", (seed, found.why)


@pytest.mark.parametrize("width", [14, 20])
def test_discrete_rows_that_leak_are_found(width):
    random = np.random.default_rng(0)
    train, validation = bits(random, 1000, width), bits(random, 250, width)
    leak = np.concatenate([validation, train[:125]])
    assert verdict(train, leak).status == "fail"


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_one_continuous_row_in_both_is_no_chance(kind):
    random = np.random.default_rng(0)
    train = random.normal(size=(1000, 3)).astype(kind)
    validation = random.normal(size=(300, 3)).astype(kind)
    assert verdict(train, validation).status == "pass"
    validation[7] = train[3]
    assert verdict(train, validation).status == "warn"
    validation[:10] = train[:10]
    assert verdict(train, validation).status == "fail"


def test_doubled_continuous_rows_are_a_leak_and_no_chance():
    """Rows copied before the split have twins within training as well."""
    random = np.random.default_rng(0)
    doubled = np.repeat(random.normal(size=(500, 4)), 2, axis=0).astype("f4")
    order = random.permutation(1000)
    found = verdict(doubled[order[:750]], doubled[order[750:]])
    assert found.status == "fail"


@pytest.mark.parametrize(("count", "of", "share"), [(5, 50, 0.02), (30, 40, 0.5)])
def test_chance_is_an_upper_bound(count, of, share):
    exact = stats.binom.sf(count - 1, of, share)
    assert exact <= _chance_of(count, of, share) < 40 * exact
