"""Records on their way through a pipe: what ``flux produce`` and ``flux consume`` are made of.

Read: :mod:`~flux.cli.records.cutting` (bytes into records), :mod:`~flux.cli.records.sending` (records to a topic);
:mod:`~flux.cli.records.starting` (where to begin), :mod:`~flux.cli.records.reading` (partitions, without a group),
:mod:`~flux.cli.records.sharing` (with one), :mod:`~flux.cli.records.layout` (a record as text), :mod:`~flux.cli.records.stdout` (where
it goes, and whether anybody still reads there), :mod:`~flux.cli.records.writing`,
:mod:`~flux.cli.records.outage` (what is survived).
"""
