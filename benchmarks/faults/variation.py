"""A program made of a shape and one change of it, a fault or an oddity."""

from benchmarks.faults.shapes import SHAPES


def add_varied(table, change, shapes):
    """Adds to a table `(name of the change, shape) -> function of the seed`.

    Args:
        table: Where to add them.
        change: Changes a program in place, or returns another one.
        shapes: Names of the shapes to be changed.
    """
    for shape in shapes:
        table[change.__name__, shape] = _varied(change, shape)


def _varied(change, shape):
    def make(seed):
        program = SHAPES[shape](seed)
        return change(program) or program

    return make
