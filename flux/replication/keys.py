"""Whether a log holds keyed records."""

from flux.batch import CodecMissing, CorruptBatch, decode, walk
from flux.interfaces import ILog

_READ_BYTES = 1 << 16  # decoded in one go, on the reactor's thread: some milliseconds of small records


async def holds_keys(log: ILog) -> bool:
    """Whether any record has a key; a log that cannot be read through counts as one that does."""
    offset, end = log.start_offset, log.end_offset
    while offset < end:
        data = await log.read(max(offset, log.start_offset), _READ_BYTES, end)
        try:
            if any(record.key is not None for record in decode(data, offset, end)):
                return True
            headers = [header for header, _ in walk(data)]
        except (CorruptBatch, CodecMissing):
            return True
        if not headers:
            return False  # nothing but a gap is left
        offset = headers[-1].next_offset
    return False
