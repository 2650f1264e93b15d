"""The sandbox runs untrusted code and knows nothing of actors. No driver is here yet, so the
code family is not offered and RunStarted says ``sandbox: null``.
"""
