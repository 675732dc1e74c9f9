import gc

import pytest

from keras_trainkit.search.engine.garbage_collection import imports_set_apart


@pytest.fixture
def unfrozen():
    # The tests as a whole are run with frozen imports.
    gc.unfreeze()
    yield
    gc.freeze()


def test_old_objects_are_set_apart_until_the_end(unfrozen):
    with imports_set_apart():
        assert gc.get_freeze_count() > 1000
    assert gc.get_freeze_count() == 0


def test_old_objects_come_back_after_an_error(unfrozen):
    with pytest.raises(KeyError), imports_set_apart():
        raise KeyError
    assert gc.get_freeze_count() == 0


def test_objects_frozen_by_the_program_stay_so(unfrozen):
    gc.freeze()
    with imports_set_apart():
        pass
    assert gc.get_freeze_count() > 1000
