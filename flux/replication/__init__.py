"""Who has what, and what is safe.

Read :mod:`~flux.replication.isr` (pure: replica progress → in-sync replicas and high watermark), then
:mod:`~flux.replication.partition` (role, epoch, append with acks, fetch up to the watermark), then
:mod:`~flux.replication.manager`, the room's Service: the table of partitions, kept like the metadata image says.

Replica ids count from the leader's point of view: 0 is this broker, 1 and up the others in the order of the image's replica
list; only the manager knows which broker that is. Must not know how a log stores bytes, how metadata is stored, nor which
command a caller came with.
"""
