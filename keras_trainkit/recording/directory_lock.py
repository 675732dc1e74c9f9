"""Keeps a second process out of a directory in which a record is being written."""

import contextlib
import os
from typing import Any

from keras_trainkit.arguments import received

try:
    import fcntl
except ImportError:  # not everywhere; there nobody is kept out
    fcntl = None  # type: ignore[assignment]

_NAME = ".record.lock"


class DirectoryLock:
    """A lock that ends with the process, however that ends.

    Args:
        directory: The directory; made if it is missing.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._path = os.path.join(directory, _NAME)
        self._file: Any = None

    def take(self) -> None:
        """Takes the lock, if this object does not hold it.

        Raises:
            ValueError: If another process holds it, or the directory cannot be
                written to.
        """
        if self._file is not None and os.path.exists(self._path):
            return
        self.release()
        try:
            os.makedirs(self._directory, exist_ok=True)
            file = open(self._path, "a+", encoding="utf-8")  # noqa: SIM115 (kept open)
        except OSError as error:
            raise ValueError(
                f"`directory` must be one that can be written to ({error.strerror}). "
                + received("directory", self._directory)
            ) from None
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            file.close()
            raise ValueError(
                f"`directory` must not be in use by another run: {holder} keeps a "
                f"record there. {received('directory', self._directory)}"
            ) from None
        self._file = file
        with contextlib.suppress(OSError):  # a full disk: only the name is missing
            file.truncate(0)
            file.write(f"process {os.getpid()}")
            file.flush()

    def release(self) -> None:
        """Lets others in."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
