"""Keeps a growing record in a file, and goes on in memory while it cannot."""

import contextlib
import os
import sqlite3
import warnings

from keras_trainkit.record.record_file import RecordFile
from keras_trainkit.record.series import Series
from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.recording.directory_lock import DirectoryLock

_TROUBLE = (sqlite3.Error, OSError)


class RecordKeeper:
    """The file of a record that is held in memory.

    Whatever keeps the file from being written (a full disk, a lock, a directory that
    is gone) is warned of once. All that the file lacks is written as soon as it can
    be, into a new file if the old one is gone.

    Args:
        path: The file; its directory is locked against other processes until
            `close`.

    Raises:
        ValueError: If another process keeps a record in the directory.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = DirectoryLock(os.path.dirname(path) or ".")
        self._lock.take()
        self._file: RecordFile | None = None
        self._inode: int | None = None
        # What the file is known to hold.
        self._series: dict[Series, int] = {}
        self._blocks = 0
        self._images = 0
        self._warned = False

    def resume(self) -> TrainingRecord | None:
        """Reads the record that the file holds by now, to go on with it.

        Returns:
            The record, in memory; `None` if there is none that can be gone on with,
            which is warned of unless there is no file at all.
        """
        if not os.path.exists(self.path):
            return None
        try:
            resumed = TrainingRecord.resume(self.path)
        except ValueError as error:
            warnings.warn(
                f"The record cannot be gone on with and is put aside: {error}",
                stacklevel=2,
            )
            return None
        resumed.close()
        self._series = resumed.numbers
        self._blocks = resumed.block_count
        self._images = len(resumed.images())
        self._inode = _inode(self.path)
        return resumed

    def put_aside(self) -> None:
        """Renames the record of an earlier run, with what SQLite keeps beside it."""
        if not os.path.exists(self.path):
            return
        stem, ending = os.path.splitext(self.path)
        number = 1
        while os.path.exists(f"{stem}.{number}{ending}"):
            number += 1
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(self.path + suffix):
                os.rename(self.path + suffix, f"{stem}.{number}{ending}{suffix}")

    def begin(self) -> None:
        """Locks the directory again, for another run.

        Raises:
            ValueError: If another process keeps a record in it.
        """
        self._lock.take()

    def save(self, record: TrainingRecord) -> None:
        """Writes what the file lacks, if it can be written."""
        try:
            self._lock.take()
            self._write(record, self._opened())
        except (*_TROUBLE, ValueError) as error:
            self._drop()
            self._warn(
                f"The record cannot be written to {self.path!r} ({error}). Training "
                "goes on and the record with it, in memory; it is lost with the "
                "process unless the file can be written again, which is tried after "
                "each epoch."
            )

    def close(self) -> None:
        """Closes the file and lets other processes into the directory."""
        self._drop()
        self._lock.release()

    def _opened(self) -> RecordFile:
        is_ours = self._inode is not None and self._inode == _inode(self.path)
        if is_ours:
            if self._file is None:
                self._file = RecordFile.reopen(self.path)
            return self._file
        if self._inode is not None:
            self._drop()
            self._inode = None
            self._warn(
                f"The record {self.path!r} was moved or deleted while it was being "
                "written. It is written anew, from its beginning; nothing is lost."
            )
        self.put_aside()
        self._series, self._blocks, self._images = {}, 0, 0
        try:
            self._file = RecordFile.create(self.path)
        except _TROUBLE:
            for suffix in ("", "-wal", "-shm"):  # half of a file is none
                with contextlib.suppress(OSError):
                    os.remove(self.path + suffix)
            raise
        self._inode = _inode(self.path)
        return self._file

    def _write(self, record: TrainingRecord, file: RecordFile) -> None:
        series = dict(self._series)
        blocks = record.blocks(self._blocks)
        for block in blocks:
            for one in block.columns:
                if one not in series:
                    series[one] = len(series)
                    file.add_series(series[one], one)
            numbers = [series[one] for one in block.columns]
            file.add_block(
                numbers, block.steps, block.epochs, block.values, block.present
            )
        images = record.images()
        for image in images[self._images :]:
            file.add_image(*image)
        file.commit(record.metadata)
        self._series = series
        self._blocks += len(blocks)
        self._images = len(images)

    def _drop(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            # What was not committed goes with it, and is written again later.
            with contextlib.suppress(*_TROUBLE):
                file.close()

    def _warn(self, words: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(words, stacklevel=2)


def _inode(path: str) -> int | None:
    with contextlib.suppress(OSError):
        return os.stat(path).st_ino
    return None
