"""Day metadata: one record per symbol and date.

Belongs here: short assemblies of measures into the groups of ``schema.day_metadata``. Formulas live in
``microstructure`` and in the bars' shared aggregation; only what the feed's own counters say is computed here.
"""
