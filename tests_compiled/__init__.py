"""A compiled Flux and the same sources interpreted, side by side: both must answer alike. Only ``tox -e compiled`` runs this.

:mod:`tests_compiled.builds` gets hold of both, :mod:`tests_compiled.comparing` of what a function of each makes of the same
arguments.
"""
