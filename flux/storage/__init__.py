"""Bytes that last: partition logs of checksummed record batches. Knows nothing of networks, groups or commands.

Read in this order. Pure, handed files or bytes: :mod:`~flux.storage.index` (offset → position, timestamp → offset),
:mod:`~flux.storage.epochs` (leader epoch → first offset), :mod:`~flux.storage.segment` (one file of batches and its indexes),
:mod:`~flux.storage.recovery` (what a file holds after a crash), :mod:`~flux.storage.retention` (what may go). Then what acts:
:mod:`~flux.storage.checkpoint` (small files replaced whole), :mod:`~flux.storage.flusher` (group commit),
:mod:`~flux.storage.log` (one partition), :mod:`~flux.storage.opening` (a directory becomes a log again),
:mod:`~flux.storage.space` (free space), and last the Service, :mod:`~flux.storage.manager`.

On disk, below the data directory, with Kafka's names and formats::

    <topic>-<partition>/<20-digit base offset>.log        record batches, magic 2
                        <20-digit base offset>.index      offset → position, sparse, rebuilt at will
                        <20-digit base offset>.timeindex  timestamp → offset, sparse, rebuilt at will
                        leader-epoch-checkpoint           leader epoch → first offset
                        gaps.json                         offsets that recovery had to skip
    recovery-points.json  log-start-offsets.json  clean-shutdown  quarantine/
"""
