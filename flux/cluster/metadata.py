"""The image in force, and the one queue through which it changes."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger

from flux.cluster.image import Image
from flux.errors import FluxError, Throttled
from flux.interfaces import IMetadataObserver, IMetadataStore

_MOST_QUEUED = 10_000  # changes waiting for the store; past it the next is refused

Change = Callable[[Image], Image]
"""Makes the next image of one that bears the change's own term and index; the same image says that nothing changes."""


class Metadata:
    """Changes one at a time, each computed on the one before, stored, shown to the observers, then answered.

    A change that cannot be stored is refused and leaves no trace; its index is not used again, because the refused image may be what
    a crash leaves behind.
    """

    _log = Logger()

    def __init__(self, store: IMetadataStore) -> None:
        self.image = Image()
        self._store = store
        self._observers: list[IMetadataObserver] = []
        self._queue: deque[tuple[Change, Deferred[Image]]] = deque()
        self._last_index = 0
        self._working = False
        self._idle: Deferred[None] | None = None
        self._refusal: FluxError | None = None

    def start(self, image: Image) -> None:
        """*image* is stored and in force."""
        self._last_index = image.index
        self._take(image)

    def stop(self, reason: FluxError) -> "Deferred[None]":
        """Refuse further changes with *reason*; fire when those under way are decided."""
        self._refusal = reason
        if not self._working:
            return succeed(None)
        self._idle = Deferred()
        return self._idle

    def watch(self, observer: IMetadataObserver) -> None:
        """Tell *observer* the image now and after every change."""
        self._observers.append(observer)
        self._tell(observer)

    def change(self, change: Change) -> "Deferred[Image]":
        """Fire with the image in force once *change* is part of it. Fails with what *change* raises, or with StorageError."""
        if self._refusal is not None:
            return fail(self._refusal)
        if len(self._queue) >= _MOST_QUEUED:
            return fail(Throttled(f"{_MOST_QUEUED} metadata changes are waiting; try again"))
        done: Deferred[Image] = Deferred()
        self._queue.append((change, done))
        if not self._working:
            self._working = True  # first: whoever is answered may ask for the next change
            working = Deferred.fromCoroutine(self._work())
            working.addErrback(lambda failure: self._log.failure("the metadata change no more", failure))
        return done

    async def _work(self) -> None:
        while self._queue:
            change, done = self._queue.popleft()
            draft = replace(self.image, index=max(self._last_index, self.image.index) + 1)
            try:
                image = change(draft)
                if image is not draft:
                    self._last_index = image.index
                    self._take(await self._store.commit(image, self.image.index))
            except Exception:
                done.errback()
            else:
                done.callback(self.image)
        self._working = False
        if self._idle is not None:
            self._idle.callback(None)

    def _take(self, image: Image) -> None:
        self.image = image
        for observer in self._observers:
            self._tell(observer)

    def _tell(self, observer: IMetadataObserver) -> None:
        try:
            observer.metadata_changed(self.image)
        except Exception:
            # The change is stored: it holds, whatever one of those who act on it makes of it.
            self._log.failure(
                "{observer} failed to take up metadata {index}", observer=observer, index=self.image.index
            )
