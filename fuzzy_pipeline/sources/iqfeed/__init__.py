"""IQFeed: the wire, a client, a source of ticks, and a loopback server that speaks the same protocol.

Belongs here: what only IQFeed has. ``messages`` (requests, errors, text lines), ``tick_decoding`` and
``tick_encoding`` (tick lines and arrays) know no sockets; ``client`` and ``server`` share them.
The page ``docs/reference/iqfeed.md`` tells commands, errors, limits and faults.
"""
