"""A node in Python that looks like subtensor from outside: websocket, SCALE, signatures, rules.

It emulates; it is not the Rust runtime. ``rules.EMULATED`` and ``rules.NOT_EMULATED`` say what
that means, and so does its RPC method ``quasar_rules``.
"""
