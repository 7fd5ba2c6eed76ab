"""Who reads what: consumer groups, their generations, sessions and committed offsets.

Read in this order. Pure: :mod:`~flux.group.group` (one group on one topic, and the rules that change it),
:mod:`~flux.group.offsets`, :mod:`~flux.group.records` (what a change looks like in the internal log), :mod:`~flux.group.table` (every
group, as the log tells it), :mod:`~flux.group.sessions` (who is silent for how long), :mod:`~flux.group.limits`. Assignors are plugins:
:mod:`~flux.group.assignors` has ours, :mod:`~flux.group.assigning` calls anybody's. Then what acts: :mod:`~flux.group.snapshots` (the two
files), :mod:`~flux.group.journal` (the internal log), :mod:`~flux.group.live` (table, sessions and journal in step),
:mod:`~flux.group.topics`, :mod:`~flux.group.reset`, :mod:`~flux.group.report`, and last the Service, :mod:`~flux.group.coordinator`.

The state of every group is a fold over one log: a decision is a pure function that returns changes, the changes are appended, and
the function that applies them is the one that start-up replays the log with. Must not know connections, commands or files.
"""
