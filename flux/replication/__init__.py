"""Who has what, and what is safe.

Read :mod:`~flux.replication.isr` (pure: replica progress → in-sync replicas and high watermark) and
:mod:`~flux.replication.explanation` (pure: why it stands where it stands), then :mod:`~flux.replication.leadership` (one epoch of
leading, and who waits in it), :mod:`~flux.replication.visible` (what consumers see of a log; with
:mod:`~flux.replication.gathering`, for who waits for so many bytes), :mod:`~flux.replication.keys` and
:mod:`~flux.replication.truncation`; :mod:`~flux.replication.partition` puts them together. Last
:mod:`~flux.replication.watermarks` (what outlives the process) and :mod:`~flux.replication.manager`, the room's Service: the table
of partitions, kept as the metadata image says.

Replica ids count from the leader's point of view: 0 is this broker, 1 and up the others in the order of the image's replica
list; only the manager knows which broker that is. Must not know how a log stores bytes, how metadata is stored, nor which
command a caller came with.
"""
