"""Members must predict the same things: same outputs, same classes, same kinds."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_trainkit.arguments import received
from keras_trainkit.ensembles.output_kind import AS_SAID

_WORDS = {"classes": "probabilities of classes", "labels": "probabilities of labels"}


def label(index: int, member: Any) -> str:
    """Names a member in an error."""
    return f"Member {index} ('{member.name}')"


def check_outputs(labels: Sequence[str], outputs: Sequence[Any]) -> None:
    """Raises unless all members' outputs have one structure and one shape.

    Args:
        labels: What to call the members; see `label`.
        outputs: What each returns: tensors, real or symbolic, in any nesting.

    Raises:
        ValueError: Naming the first member that differs from the first of all.
    """
    first = _shapes(outputs[0])
    for index, output in enumerate(outputs[1:], start=1):
        shapes = _shapes(output)
        if shapes.keys() != first.keys() or not all(
            _compatible(shapes[path], first[path]) for path in first
        ):
            raise ValueError(
                f"{labels[index]} must have the same outputs as "
                f"{_lower(labels[0])}: {_words(first)}. "
                + received("outputs", _words(shapes))
            )


def check_kinds(labels: Sequence[str], kinds: Sequence[tuple[str, ...]]) -> None:
    """Raises unless members agree on what they predict.

    Args:
        labels: What to call the members; see `label`.
        kinds: For each member, the kind of each output after logits have become
            probabilities; see `output_kinds`.

    Raises:
        ValueError: Naming a member that predicts something else, or of which it
            cannot be told whether it ends in logits while of others it can.
    """
    for outputs in zip(*kinds, strict=True):
        known = [kind for kind in outputs if kind != AS_SAID]
        for index, kind in enumerate(outputs):
            if kind in (AS_SAID, *known[:1]):
                continue
            if "unknown" in (kind, known[0]):
                raise ValueError(
                    f"{labels[outputs.index('unknown')]} does not tell whether it ends "
                    "in logits, while others do. Pass `from_logits=True` or "
                    f"`from_logits=False`. {received('from_logits', None)}"
                )
            raise ValueError(
                f"{labels[index]} must predict {_WORDS.get(known[0], known[0])}, as "
                f"{_lower(labels[outputs.index(known[0])])} does. "
                + received("outputs", _WORDS.get(kind, kind))
            )


def check_classes(labels: Sequence[str], classes: Any) -> list[Any] | None:
    """Returns the one order of the classes, or raises if members have several.

    Args:
        labels: What to call the members; see `label`.
        classes: `None`, the labels of the classes in the order of the outputs, or
            such a list for each member.

    Raises:
        ValueError: Naming the member whose classes are not those of the first.
    """
    if classes is None:
        return None
    if isinstance(classes, str) or not isinstance(classes, Sequence | np.ndarray):
        raise ValueError(
            "`classes` must be a list of labels, or one such list for each member. "
            + received("classes", classes)
        )
    given = [_plain(item) for item in classes]
    if not any(isinstance(item, list) for item in given):
        return given
    if len(given) != len(labels) or not all(isinstance(item, list) for item in given):
        raise ValueError(
            f"`classes` must hold one list for each of the {len(labels)} members. "
            + received("classes", given)
        )
    for index, item in enumerate(given):
        if item != given[0]:
            same = sorted(map(str, item)) == sorted(map(str, given[0]))
            raise ValueError(
                f"{labels[index]} has "
                + ("the classes in another order" if same else "other classes")
                + f" than {_lower(labels[0])}: {given[0]}. "
                + received("classes", item)
            )
    return given[0]


def _lower(words: str) -> str:
    return words[0].lower() + words[1:]


def _plain(item: Any) -> Any:
    if isinstance(item, np.ndarray | np.generic):
        return item.tolist()
    return list(item) if isinstance(item, tuple) else item


def _shapes(outputs: Any) -> dict[tuple, tuple]:
    return {
        path: tuple(output.shape)
        for path, output in keras.tree.flatten_with_path(outputs)
    }


def _compatible(one: tuple, other: tuple) -> bool:
    # The first axis counts examples.
    return len(one) == len(other) and all(
        a is None or b is None or a == b
        for a, b in zip(one[1:], other[1:], strict=True)
    )


def _words(shapes: dict[tuple, tuple]) -> str:
    words = []
    for path, shape in shapes.items():
        name = "/".join(map(str, path))
        words.append(f"{name}: " * bool(name) + str((None, *shape[1:])))
    return ", ".join(words)
