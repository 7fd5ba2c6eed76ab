"""A broker for the length of a test: the one ``twistd flux`` runs, on a thread of this process or in one of its own.

Read :mod:`~flux.embedded.broker`, which is what a test holds. It has two hosts that keep one promise
(:mod:`~flux.embedded.host`): :mod:`~flux.embedded.thread_host`, which starts a :mod:`~flux.embedded.life` after the other, and
:mod:`~flux.embedded.process_host`, whose :mod:`~flux.embedded.child` is a process around the first. A life has a reactor and a clock
of its own (:mod:`~flux.embedded.reactor`), files that end with it (:mod:`~flux.embedded.tracking`) and errors on order
(:mod:`~flux.embedded.faults`). :mod:`~flux.embedded.trial` and :mod:`flux.pytest_plugin` hand it to tests.

An entry point, as ``flux.tap`` is: it speaks to the operating system. Must not know how the rooms work inside.
"""

from flux.embedded.broker import EmbeddedBroker

__all__ = ["EmbeddedBroker"]
