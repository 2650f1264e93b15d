"""Replay: recompute a recorded log, without network, Docker, torch, NATS or bittensor."""

from quasar.replay.audit import audit as audit
from quasar.replay.finding import Finding as Finding
from quasar.replay.finding import Report as Report
