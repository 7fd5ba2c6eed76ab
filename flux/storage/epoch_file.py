"""The epoch cache on disk: Kafka's ``leader-epoch-checkpoint``, and beside it the CRC-32C of its bytes.

Recovery takes a batch of another epoch than this file says for damaged, and Kafka's format has no room for a checksum: a flipped
digit would cost every record it is about. Where the two do not match, what the batches say is believed instead.
"""

from contextlib import suppress

from flux.crc32c import crc32c
from flux.interfaces import IDirectory
from flux.storage.checkpoint import read_file, write_unsynced
from flux.storage.epochs import EpochCache

EPOCHS = "leader-epoch-checkpoint"
EPOCHS_CRC = EPOCHS + ".crc32c"


def read_epochs(directory: IDirectory) -> EpochCache | None:
    """What was written last, None if nothing ever was. :raises ValueError: it cannot be believed; says why."""
    data, crc = read_file(directory, EPOCHS), read_file(directory, EPOCHS_CRC)
    if data is None:
        return None
    if crc != _crc(data):
        raise ValueError("its CRC is missing, or another")
    return EpochCache.parse(data)


def write_epochs(directory: IDirectory, epochs: EpochCache) -> None:
    """Put *epochs* in place at once, so that a killed process leaves them behind; :func:`sync_epochs` makes that durable.

    :raises OSError: what is there may not be believed at the next start, which then costs a scan.
    """
    data = epochs.to_bytes()
    write_unsynced(directory, EPOCHS, data)
    write_unsynced(directory, EPOCHS_CRC, _crc(data))


def sync_epochs(directory: IDirectory) -> None:
    """Return when what :func:`write_epochs` last wrote is durable.

    It is synced where it lies, not written again: that would put an older cache in place of one written meanwhile.
    """
    for name in (EPOCHS, EPOCHS_CRC):
        file = directory.open(name)
        try:
            file.datasync()
        finally:
            file.close()
    directory.sync()


def discard_epochs(directory: IDirectory) -> None:
    """Let the next start find nothing it would believe: what is there is not true any more, and cannot be replaced."""
    with suppress(FileNotFoundError):
        directory.remove(EPOCHS_CRC)


def _crc(data: bytes) -> bytes:
    return f"{crc32c(data):08x}\n".encode()
