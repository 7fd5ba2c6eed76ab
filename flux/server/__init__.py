"""Connections: bytes in, answers out, in order and within limits. Knows nothing of topics, groups or what a command does.

Read in this order: :mod:`~flux.server.families` (plugins → the table of commands), :mod:`~flux.server.suggestions` (what an
unknown command may have meant), :mod:`~flux.server.answer` (one answer, at hand or to come), :mod:`~flux.server.joint` (one run,
of one or many connections), :mod:`~flux.server.dispatch` (requests → answers; the only place where an exception becomes an
``ERR`` line), :mod:`~flux.server.pipeline` (the order of one connection), :mod:`~flux.server.outlet` (answers on their way out),
:mod:`~flux.server.patience` (timeouts without timers), :mod:`~flux.server.tuning` (sockets), :mod:`~flux.server.session` (who
speaks), :mod:`~flux.server.protocol` (one connection), and last :mod:`~flux.server.factory`, which owns the room's clock: limits,
the sweep, the drain.
"""
