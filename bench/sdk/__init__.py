"""Client libraries, each in a process of its own: ``python -m bench.sdk.<library> <way> <port> <seconds> <bytes a value>``.

The ways: ``one-by-one`` (each record is acknowledged before the next), ``pipelined`` (up to :data:`WINDOW` are not acknowledged
yet), ``consume`` (as a group does that commits, or acknowledges, what it has handled). A module prints one line of JSON.
"""
