"""Who is told when something goes wrong.

Read :mod:`~flux.alerts.transitions` (pure: two images → what an operator may want to know), then :mod:`~flux.alerts.delivery` (one
receiver and what waits for it), then :mod:`~flux.alerts.alerter`, the room's Service. :mod:`~flux.alerts.webhook` and
:mod:`~flux.alerts.posting` are the one receiver that comes with Flux. Nothing here is ever called by a request: alerts come from the
metadata, and leave in a later turn of the reactor. Must not know logs, connections or commands.
"""
