"""The miner's HTTP door, both sides: what a validator sends, and what a miner answers.

``server`` is the miner's side and calls a ``Desk``; ``client`` is the validator's. Every request
is signed (``btauth``), contexts travel compressed and named by their hash (``packing``,
``contexts``), answers come back under the miner's signature (``wire``). Nothing that the other
side sends is trusted: bytes, time and form are bounded, and what breaks a bound is Refused.
"""

from quasar.door.desk import Answer as Answer
from quasar.door.desk import Desk as Desk
