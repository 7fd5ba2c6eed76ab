"""Whether what lies beside a segment is true of it: its indexes and its digest are held against each batch as it passes."""

from collections.abc import Iterator

from flux.crc32c import crc32c
from flux.envelope import BatchHeader
from flux.interfaces import IDirectory, IFile
from flux.storage.checkpoint import parse, read_file
from flux.storage.hints import Digest, file_crc
from flux.storage.index import BadIndex, OffsetIndex, TimeIndex
from flux.storage.segment import DIGEST, INDEX, TIME_INDEX, file_name

Problem = tuple[str, str]
"""The file, and what is wrong with it."""


class IndexWitness:
    """The hints of one segment. *Action*: :meth:`pass_batch` for each sound one, in order; then :meth:`problems`, once.

    *may_be_old*: the segment was appended to after its hints were written, as a kill leaves it; they say nothing of it then.
    """

    def __init__(self, directory: IDirectory, base_offset: int, file: IFile, *, may_be_old: bool) -> None:
        """:raises OSError: one of them cannot be read."""
        self._directory = directory
        self._base = base_offset
        self._file = file
        self._found: list[Problem] = []
        self._digest = self._read_digest()
        self._newest_ms = -1
        if self._digest is not None and self._digest.size_bytes != file.size:
            if not may_be_old:
                self._note(DIGEST, f"says that the segment has {self._digest.size_bytes} bytes, it has {file.size}")
            self._digest = None
        self._entries = _Entries(*self._read_indexes())

    @property
    def next_offset(self) -> int | None:
        """Where the digest, if there is one to be believed, says that the segment ends."""
        return None if self._digest is None else self._digest.next_offset

    def pass_batch(self, header: BatchHeader, position: int) -> None:
        """A sound batch stands at *position*."""
        self._newest_ms = max(self._newest_ms, header.max_timestamp_ms)
        self._entries.pass_batch(header.base_offset - self._base, position, self._newest_ms)

    def problems(self, next_offset: int, *, sound: bool) -> Iterator[Problem]:
        """What is wrong. *sound*: the whole segment is, and it ends at *next_offset*; else only what does not depend on that."""
        yield from self._found
        digest = self._digest
        if digest is None or not sound:
            return
        if digest.next_offset != next_offset:
            yield self._named(DIGEST, f"says that the segment ends at offset {digest.next_offset}, not {next_offset}")
        elif digest.max_timestamp_ms != self._newest_ms:
            yield self._named(DIGEST, f"says {digest.max_timestamp_ms} is the latest timestamp, not {self._newest_ms}")
        elif digest.log_crc is not None and digest.log_crc != file_crc(self._file):
            yield self._named(DIGEST, "the CRC-32C it has of the segment is another")
        for suffix, wrong in zip((INDEX, TIME_INDEX), self._entries.wrong(), strict=True):
            if wrong:
                yield self._named(suffix, f"{wrong} of its entries point to no batch of theirs")

    def _read_digest(self) -> Digest | None:
        data = read_file(self._directory, file_name(self._base, DIGEST))
        if data is None:
            return None
        try:
            return Digest(**parse(data)[0])
        except (ValueError, TypeError) as error:
            self._note(DIGEST, str(error))
            return None

    def _read_indexes(self) -> tuple[OffsetIndex, TimeIndex]:
        """Empty where there is no digest to say which are meant, or they are not those."""
        index, times = OffsetIndex(), TimeIndex()
        if self._digest is None:
            return index, times
        data = self._content(INDEX, self._digest.index_crc)
        if data is not None:
            try:
                index = OffsetIndex.parse(data, self._file.size)
            except BadIndex as error:
                self._note(INDEX, str(error))
        data = self._content(TIME_INDEX, self._digest.time_index_crc)
        if data is not None:
            try:
                times = TimeIndex.parse(data)
            except BadIndex as error:
                self._note(TIME_INDEX, str(error))
        return index, times

    def _content(self, suffix: str, crc: int) -> bytes | None:
        data = read_file(self._directory, file_name(self._base, suffix))
        if data is None:
            self._note(suffix, "is missing")
        elif crc32c(data) != crc:
            self._note(suffix, "its CRC-32C is not the one in the digest")
        else:
            return data
        return None

    def _note(self, suffix: str, why: str) -> None:
        self._found.append(self._named(suffix, why))

    def _named(self, suffix: str, why: str) -> Problem:
        return file_name(self._base, suffix), why


class _Entries:
    """The entries of both indexes, each waiting for the batch it points to; those that are passed by in vain are wrong."""

    def __init__(self, index: OffsetIndex, times: TimeIndex) -> None:
        self._places = iter(index)
        self._stamps = iter(times)
        self._place = next(self._places, None)
        self._stamp = next(self._stamps, None)
        self._wrong_places = self._wrong_stamps = 0

    def pass_batch(self, relative: int, position: int, newest_ms: int) -> None:
        while self._place is not None and self._place[1] <= position:
            self._wrong_places += self._place != (relative, position)
            self._place = next(self._places, None)
        while self._stamp is not None and self._stamp[1] <= relative:
            self._wrong_stamps += self._stamp != (newest_ms, relative)
            self._stamp = next(self._stamps, None)

    def wrong(self) -> tuple[int, int]:
        """Of the offset index, and of the time index; what no batch came for any more is wrong too."""
        places = self._wrong_places + (self._place is not None) + sum(1 for _ in self._places)
        return places, self._wrong_stamps + (self._stamp is not None) + sum(1 for _ in self._stamps)
