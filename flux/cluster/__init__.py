"""What exists and who leads.

Read :mod:`~flux.cluster.image` (the metadata as one immutable value), :mod:`~flux.cluster.changes` (pure: the changes that make the
next image), :mod:`~flux.cluster.election` (pure: who leads), :mod:`~flux.cluster.settings` (a topic's settings),
:mod:`~flux.cluster.codec` (image ↔ JSON), :mod:`~flux.cluster.store` (where it is kept), then
:mod:`~flux.cluster.controller`, the room's Service. Must not know logs' contents, connections or commands.
"""
