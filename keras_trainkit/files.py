"""Files that are either the old or the new ones, never half of one."""

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], *, sync: bool = True) -> Iterator[str]:
    """Gives a path to write to, beside a file that it then replaces in one step.

    A reader never meets half of the file, and a kill at any point leaves the old one.
    If the block raises, nothing is left of the new one.

    Args:
        path: The file. Its directory is made if it is missing.
        sync: Whether the new file must be on the disk before it replaces the old one,
            so that it also survives a loss of power.

    Yields:
        A hidden path in the same directory, with the same ending.
    """
    directory, name = os.path.split(os.fspath(path))
    if directory:
        os.makedirs(directory, exist_ok=True)
    beside = os.path.join(directory, f".part{os.getpid()}.{name}")
    try:
        yield beside
        if sync:
            with open(beside, "rb") as file:
                os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(beside)


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Writes a JSON file as a whole.

    NaN and infinity are written as Python's `json` reads them.
    """
    text = json.dumps(content)
    with whole_file(path) as beside, open(beside, "w", encoding="utf-8") as file:
        file.write(text)


def read_json(path: str | os.PathLike[str]) -> Any:
    """Reads what `write_json` wrote."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)
