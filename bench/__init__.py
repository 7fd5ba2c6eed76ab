"""Measures Flux and its peers in one run; prints, asserts nothing. ``python -m bench --help``."""
