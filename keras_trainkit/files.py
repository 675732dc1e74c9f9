"""JSON files that are either the old or the new ones, never half of one."""

import json
import os
from typing import Any


def write_json(path: str, content: Any) -> None:
    """Writes beside the file first, so that a kill at any point leaves it whole.

    NaN and infinity are written as Python's `json` reads them.
    """
    beside = f"{path}.{os.getpid()}.new"
    with open(beside, "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def read_json(path: str) -> Any:
    """Reads what `write_json` wrote."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)
