"""Replay: recompute a recorded log, without network, Docker, torch, NATS or bittensor.

In a notebook: ``audit(open_log("sample"))``.
"""

from quasar.replay.diff_found import Difference as Difference
from quasar.replay.finding import Finding as Finding
from quasar.replay.finding import Report as Report
from quasar.replay.notebook import audit as audit
from quasar.replay.notebook import diff as diff
from quasar.replay.notebook import replay as replay
from quasar.replay.notebook import simulate as simulate
from quasar.replay.opened import RecordedLog as RecordedLog
from quasar.replay.opened import open_log as open_log
from quasar.replay.simulate import Simulation as Simulation
from quasar.replay.state import State as State
from quasar.replay.state import Until as Until
