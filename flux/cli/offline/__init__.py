"""What ``flux log`` is made of: a data directory is read, whether or not its broker runs, and nothing in it is changed.

Read: :mod:`~flux.cli.offline.place` (what a path leads to), :mod:`~flux.cli.offline.data_files` (what the rooms keep beside the logs,
held against the logs), :mod:`~flux.cli.offline.verifying` and :mod:`~flux.cli.offline.verdict` (all findings, as an answer),
:mod:`~flux.cli.offline.group_log` (the group log in words), :mod:`~flux.cli.offline.dumping`.

What is wrong with a log is :mod:`flux.storage.verification`'s to say. Must not write, lock, or talk to a broker.
"""
