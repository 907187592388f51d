"""Where data lives: heavy tables in ArcticDB, light tables in Parquet, and the manifest that commits both.

Belongs here: everything that touches stored bytes. What is stored, and what it means, is in ``schema``.
"""
