"""What ``flux bench`` is made of: :mod:`~flux.cli.measuring.own_broker` (one to be measured), :mod:`~flux.cli.measuring.phases` (what is
done to it, and for how long), :mod:`~flux.cli.measuring.outcome` (what came of it, in numbers).

Times come from a clock that is handed in.
"""
