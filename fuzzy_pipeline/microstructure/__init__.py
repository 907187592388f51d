"""Measures of market microstructure: arrays in, arrays or numbers out.

Belongs here: formulas with their units, errors and sources. Nothing here knows of symbols, dates or stores.
"""
