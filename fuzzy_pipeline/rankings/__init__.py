"""Rankings: the symbols of one date compared with each other.

Belongs here: ranks, relations to a benchmark and correlations of pairs, from the day's measures and 5-minute bars of
all symbols. Formulas of a single symbol live in ``microstructure``; reading and storing is for ``steps``.
"""
