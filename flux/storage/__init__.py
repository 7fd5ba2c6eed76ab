"""Bytes that last: partition logs of checksummed record batches. Knows nothing of networks, groups or commands.

Read in this order. Pure, handed files or bytes: :mod:`~flux.storage.index` (offset → position, timestamp → offset),
:mod:`~flux.storage.epochs` (leader epoch → first offset), :mod:`~flux.storage.segment` (one file of batches and its indexes),
:mod:`~flux.storage.recovery` (what a file holds after a crash), :mod:`~flux.storage.retention` (what may go).

Then what keeps things on the disk: :mod:`~flux.storage.checkpoint` (small files replaced whole), :mod:`~flux.storage.hints` and
:mod:`~flux.storage.epoch_file` (what lies beside a segment, and how it is known to be true), :mod:`~flux.storage.gaps`,
:mod:`~flux.storage.offset_checkpoints`, :mod:`~flux.storage.clean_shutdown`.

Then one log: :mod:`~flux.storage.opening`, with :mod:`~flux.storage.removal` and :mod:`~flux.storage.checking` (a directory becomes a log
again), :mod:`~flux.storage.segments` (what it consists of), :mod:`~flux.storage.preallocation`, :mod:`~flux.storage.flusher`,
:mod:`~flux.storage.syncing` and :mod:`~flux.storage.durability` (group commit), :mod:`~flux.storage.tail`, :mod:`~flux.storage.closed`
and :mod:`~flux.storage.reading`, :mod:`~flux.storage.forgetting` with :mod:`~flux.storage.truncation`, :mod:`~flux.storage.refusals`, and
:mod:`~flux.storage.log`. Last :mod:`~flux.storage.space`, :mod:`~flux.storage.existing`, :mod:`~flux.storage.deletion`, and the Service,
:mod:`~flux.storage.manager`.

Beside all that, for tools, what reads a directory at rest and changes nothing: :mod:`~flux.storage.findings`, :mod:`~flux.storage.claims`
(what the small files say), the witnesses that hold it against the batches (:mod:`~flux.storage.epoch_witness`,
:mod:`~flux.storage.index_witness`, :mod:`~flux.storage.known_gaps`), :mod:`~flux.storage.wording`, :mod:`~flux.storage.segment_walk`
and :mod:`~flux.storage.verification`.

On disk, below the data directory, with Kafka's names and formats::

    <topic>-<partition>/<20-digit base offset>.log        record batches, magic 2; zeros behind the last
                        <20-digit base offset>.index      offset → position, sparse, rebuilt at will
                        <20-digit base offset>.timeindex  timestamp → offset, sparse, rebuilt at will
                        <20-digit base offset>.digest     size, end and checksums of the three, rebuilt at will
                        leader-epoch-checkpoint           leader epoch → first offset; with its checksum in .crc32c beside it
                        gaps.json                         offsets that were reported missing
    recovery-points.json  log-start-offsets.json  clean-shutdown  reserve
"""
