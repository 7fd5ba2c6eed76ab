"""Where the image is kept: one file today, etcd for several brokers."""

import errno
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from flux.cluster.codec import Encoder, decode
from flux.cluster.image import Image
from flux.errors import DiskFull, StaleVersion, StorageError, system_reason
from flux.interfaces import ICheckpoint, IMetadataStore


@implementer(IMetadataStore)
class FileMetadataStore:
    """The image in an :class:`~flux.interfaces.ICheckpoint`. Its version is its index; one commit at a time."""

    _log = Logger()

    def __init__(self, checkpoint: ICheckpoint) -> None:
        self._checkpoint = checkpoint
        self._version = 0
        self._committing = False
        self._is_failing = False
        self._encoder = Encoder()  # of 10,000 topics a change alters one: 100 ms of this thread otherwise

    def load(self) -> Image:
        """The image in force, an empty one if there never was any. :raises StorageError: it is damaged; names the field."""
        image = decode(self._checkpoint.load())
        self._version = image.index
        return image

    def commit(self, image: Image, expected_version: int) -> "Deferred[Image]":
        """Store *image* as the successor of *expected_version*; fire with it.

        Fails with StaleVersion if somebody was faster, with StorageError if the disk refused: then the old image is in force.
        """
        try:
            self._check(image, expected_version)
        except StaleVersion:
            return fail()
        self._committing = True
        saving = self._checkpoint.save(self._encoder.encode(image))
        return saving.addBoth(self._saved, image)

    def commit_now(self, image: Image, expected_version: int) -> Image:
        """The same before returning, for the start."""
        self._check(image, expected_version)
        try:
            self._checkpoint.save_now(self._encoder.encode(image))
        except OSError as error:
            raise self._refusal(error) from error
        return self._stored(image)

    def _check(self, image: Image, expected_version: int) -> None:
        if self._committing or expected_version != self._version or image.index <= expected_version:
            raise StaleVersion(
                f"metadata {image.index} does not follow {expected_version}; in force is {self._version}"
            )

    def _saved(self, result: Any, image: Image) -> Image:
        self._committing = False
        if isinstance(result, Failure):
            error = result.value
            if isinstance(error, OSError):
                raise self._refusal(error) from error
            result.raiseException()
        return self._stored(image)

    def _stored(self, image: Image) -> Image:
        self._version = image.index
        self._is_failing = False
        return image

    def _refusal(self, error: OSError) -> StorageError:
        # With the path, which is for nobody else; once, not with each topic that somebody wants.
        if not self._is_failing:
            self._is_failing = True
            self._log.error("the metadata are not stored: {error}", error=error)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return (DiskFull if full else StorageError)(
            f"the metadata could not be stored, and the change is not in force: {system_reason(error)}"
        )
