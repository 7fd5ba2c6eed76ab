"""What all logs of a data directory share."""

from typing import NamedTuple

from flux.interfaces import IDirectory, InThread
from flux.storage.closed import OpenSegments
from flux.storage.flusher import Flusher
from flux.storage.offset_checkpoints import OffsetCheckpoints
from flux.storage.refusals import Refusals
from flux.storage.space import Space
from flux.storage.tail import Tails


class Surroundings(NamedTuple):
    """Handed to each log by the manager."""

    directory: IDirectory
    flusher: Flusher
    in_flusher: InThread
    in_reader: InThread
    space: Space
    open_segments: OpenSegments
    checkpoints: OffsetCheckpoints
    tails: Tails
    refusals: Refusals
