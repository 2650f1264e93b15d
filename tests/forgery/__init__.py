"""Forgeries of the threat model: a kit to make them, the list, and the audit that names them."""
