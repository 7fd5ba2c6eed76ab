"""The only code that touches the file system, and a model of it that loses what POSIX lets a disk lose.

Every byte the other rooms keep goes through an :class:`~flux.interfaces.IDirectory` and an :class:`~flux.interfaces.IFile`;
this room provides both twice. Read in this order: :mod:`~flux.disk.names` (what may name an entry), :mod:`~flux.disk.files`
(the real thing), :mod:`~flux.disk.read_only` (the same, only looked at). Then the model: :mod:`~flux.disk.medium` (what a power
cut leaves of a file and of a directory), :mod:`~flux.disk.tree` (nodes by path, and damage done to them), :mod:`~flux.disk.faults`
(which calls fail, and at which one the power goes), :mod:`~flux.disk.memory_file` and last :mod:`~flux.disk.memory`, the disk itself.

It must not know what the bytes mean: no batches, no offsets, no names of files. It decides nothing about when to sync.
"""
