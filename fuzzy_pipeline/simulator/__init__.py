"""A seeded market that trades like the real one on paper and is labelled ``simulated`` everywhere.

Belongs here: everything that invents ticks. ``market`` is the tick source, ``tape`` assembles a symbol-day from
``arrivals`` (when), ``price_paths`` and ``quotes`` (at what price), ``print_types`` (codes, venues, sizes) and
``characters`` (what makes one symbol differ from another). Nothing outside this package draws random ticks.
"""
