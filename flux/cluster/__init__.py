"""What exists and who leads.

Pure, and to be read first: :mod:`~flux.cluster.image` (the metadata as one immutable value), :mod:`~flux.cluster.changes` (what
makes the next image), :mod:`~flux.cluster.election` (who leads), :mod:`~flux.cluster.start` (what a controller begins with),
:mod:`~flux.cluster.settings` (a topic's settings), :mod:`~flux.cluster.codec` (image ↔ JSON). Then :mod:`~flux.cluster.store`
(where the image is kept), :mod:`~flux.cluster.metadata` (the queue of changes), :mod:`~flux.cluster.topics` and
:mod:`~flux.cluster.brokers` (who asks for them), :mod:`~flux.cluster.history`, and last :mod:`~flux.cluster.controller`, the
room's Service. Must not know logs' contents, connections or commands.
"""
