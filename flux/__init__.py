"""Flux: a partitioned, durable event log you can ``import``, type to, and extend.

How to read the house, from the ground up:

- :mod:`flux.errors`, :mod:`flux.model`: the nouns, and what can go wrong with them.
- :mod:`flux.batch` (with :mod:`flux.envelope`, :mod:`flux.records`, :mod:`flux.compression` under it),
  :mod:`flux.partitioner`: the bytes a record becomes, and the partition a key goes to.
- :mod:`flux.watermark`, :mod:`flux.interfaces`, :mod:`flux.config`: the promises the rooms make each other.
- The rooms, siblings that never import one another: :mod:`flux.disk`, :mod:`flux.storage`, :mod:`flux.replication`,
  :mod:`flux.group`, :mod:`flux.cluster`, :mod:`flux.commands`, :mod:`flux.server`, :mod:`flux.client`, :mod:`flux.alerts`.
- :mod:`flux.wire`: the line protocol as text and back, without a socket; commands, server and client read it.
- :mod:`flux.broker` builds the rooms and introduces them; :mod:`flux.tap` turns that into ``twistd flux``, and
  :mod:`flux.embedded` into a broker for a test, which :mod:`flux.pytest_plugin` hands out.
"""

from flux._version import __version__ as _version

__version__ = _version.public()
__all__ = ["__version__"]
