"""Starts actors, restarts them, drains them. A process is a validator or a miner."""
