"""Who reads what: consumer groups, their generations, sessions and committed offsets.

Read :mod:`~flux.group.group` (one group on one topic: the rules, pure), :mod:`~flux.group.assignors`,
:mod:`~flux.group.offsets` (pure), :mod:`~flux.group.records` (what a change looks like in the internal log),
:mod:`~flux.group.table` (every group, as the log tells it), :mod:`~flux.group.sessions` (who is silent for how long, pure),
:mod:`~flux.group.journal` (the internal log and its snapshots), and last :mod:`~flux.group.coordinator`, the room's Service.

The state of every group is a fold over one log: a decision is a pure function that returns changes, the changes are appended, and
the function that applies them is the one that start-up replays the log with. Must not know connections, commands or files.
"""
