"""Quasar: an event-sourced Bittensor subnet whose every score and weight can be recomputed."""

__version__ = "0.1.0"
