"""Tells whether what SQLite wrote beside a file, and has yet to move, is whole.

SQLite reads its log up to the first frame that is not whole, which is right after a
kill in the middle of writing, and drops the rest without a word. If the end of what
was committed lies in that rest, the log was damaged.

Reference:
    [SQLite, WAL-mode file format](https://www.sqlite.org/fileformat2.html#walformat)
"""

import struct
from collections.abc import Iterator

_HEADER = 32
_FRAME_HEADER = 24
_MAGIC = 0x377F0682
_TRIES = 5


def has_lost_commits(path: str) -> bool:
    """Whether commits lie behind damage in the log of a database.

    Args:
        path: The database; its log is `path + "-wal"`.

    Returns:
        False as well if there is no log or it is empty.
    """
    for _ in range(_TRIES):
        try:
            with open(f"{path}-wal", "rb") as file:
                content = file.read()
                file.seek(0)
                again = file.read(_HEADER)
        except OSError:
            return False
        if not _lost(content):
            return False
        if again == content[:_HEADER]:
            return True
        # Written from its beginning again while we read: look once more.
    return False


def _lost(content: bytes) -> bool:
    if len(content) <= _HEADER + _FRAME_HEADER:
        return False
    magic, _, size, _, *salts, _, _ = struct.unpack(">8I", content[:_HEADER])
    order = ">" if magic & 1 else "<"
    sums = _add(content[: _HEADER - 8], order, (0, 0))
    whole = magic | 1 == _MAGIC | 1 and sums == struct.unpack(
        ">2I", content[_HEADER - 8 : _HEADER]
    )
    if not whole:
        return any(content)
    for head, page in _frames(content, size):
        _, committed, *own, first, second = struct.unpack(">6I", head)
        if whole:
            sums = _add(head[:8] + page, order, sums)
            whole = own == salts and sums == (first, second)
        elif own == salts and committed:
            return True
    return False


def _frames(content: bytes, size: int) -> Iterator[tuple[bytes, bytes]]:
    length = _FRAME_HEADER + size
    for start in range(_HEADER, len(content) - length + 1, length):
        middle = start + _FRAME_HEADER
        yield content[start:middle], content[middle : start + length]


def _add(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    one, other = sums
    for first, second in struct.iter_unpack(f"{order}2I", data):
        one = (one + first + other) & 0xFFFFFFFF
        other = (other + second + one) & 0xFFFFFFFF
    return one, other
