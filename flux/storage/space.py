"""Room on the disk: appends stop before it is full, so that a clean stop still fits."""

import errno

from twisted.logger import Logger

from flux.interfaces import IDirectory

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What passes when somebody makes room, if it is a write that met it; of a sync it is as final as anything."""

_RESERVE = "reserve"
_SHARE = 20  # the low mark is never more than a twentieth of the disk


class Space:
    """*Action*: :meth:`check`, on a timer, and :meth:`exhausted`, by whoever met a full disk. *Transitions*: ``low`` goes up below
    the mark, or when a write found no room, and the reserve file is given up; it comes down at twice the mark, and the reserve is
    taken again.
    """

    _log = Logger()

    def __init__(self, directory: IDirectory, low_bytes: int, reserve_bytes: int) -> None:
        self.low = False
        self._directory = directory
        self._low_bytes = low_bytes
        self._reserve_bytes = reserve_bytes
        self._held: bool | None = None  # unknown before the first look

    def check(self) -> None:
        """Look at the disk. A disk that cannot be looked at is left as it was."""
        try:
            free, total = self._directory.free()
            if self._held is None:
                self._held = any(entry.name == _RESERVE for entry in self._directory.list())
        except OSError as error:
            self._log.error("how much space is free is not known: {error}", error=error)
            return
        mark = min(self._low_bytes, total // _SHARE)
        if not self.low and free < mark:
            self._log.error(
                "{free} bytes free under {path}, below {mark}: appends are refused until there is room",
                free=free,
                path=self._directory.path,
                mark=mark,
            )
            self._give_up_reserve()
            self.low = True
        elif self.low and free >= 2 * mark:
            self._log.info("{free} bytes free under {path}: appends go on", free=free, path=self._directory.path)
            self.low = False
        if not self.low:
            self._take_reserve()

    def exhausted(self) -> None:
        """A write found the disk full. What the reserve frees is for the stop, not for the next append."""
        if self._held:
            self._log.error("no room under {path}: the reserve is given up", path=self._directory.path)
            self._give_up_reserve()
            self.low = True

    def _take_reserve(self) -> None:
        if self._held or not self._reserve_bytes:
            return
        try:
            file = self._directory.create(_RESERVE)
        except OSError as error:
            self._log.warn("no room for the reserve file: {error}", error=error)
            return
        self._held = True
        try:
            file.allocate(self._reserve_bytes)
        except OSError as error:
            self._log.warn("no room for the reserve file: {error}", error=error)
            self._give_up_reserve()
        finally:
            file.close()

    def _give_up_reserve(self) -> None:
        if self._held:
            try:
                self._directory.remove(_RESERVE)
                self._held = False
            except FileNotFoundError:
                self._held = False
            except OSError as error:
                self._log.warn("the reserve file stays: {error}", error=error)
