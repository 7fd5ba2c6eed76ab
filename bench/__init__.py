"""Measures Flux and its peers in one run; prints, asserts nothing. ``python -m bench --help``.

Read :mod:`~bench.servers` (a server, a request, a contender), then the contenders :mod:`~bench.flux_server`,
:mod:`~bench.redis_server` and :mod:`~bench.nats_server`, which know how each is started and what it speaks; ``loadgen.c`` and
``tail.c``, which drive them all alike, and :mod:`~bench.generator`, which runs those; :mod:`~bench.spread` (turns, medians, ratios);
:mod:`~bench.scenes` (what is measured); :mod:`~bench.report`, :mod:`~bench.plot` and :mod:`~bench.docs` (what comes of it).

Beside it: :mod:`~bench.micro_wire` and :mod:`~bench.micro_storage` measure parts of the broker without a server;
:mod:`~bench.power_cut` pulls the plug.
"""
