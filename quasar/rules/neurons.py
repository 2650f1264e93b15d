"""The neurons that a metagraph's blob lists."""

import msgspec

from quasar.errors import CannotJudge
from quasar.events.base import Blob
from quasar.events.blobs import Blobs
from quasar.events.chain import Neuron

MAX_NEURONS_BYTES = 8 * 2**20
"""65,536 neurons, the most that uids can tell apart; a hostile log could name more."""

_decode = msgspec.json.Decoder(list[Neuron]).decode


def read_neurons(blobs: Blobs, blob: Blob) -> list[Neuron]:
    """The list, by uid. Raises as ``list_of``, and as ``Blobs.get``."""
    _check(blob.bytes)
    return _decode(blobs.get(blob))


def list_of(data: bytes) -> list[Neuron]:
    """The neurons in a blob's bytes.

    Raises CannotJudge for more bytes than any metagraph takes, and msgspec.DecodeError for what
    is no list of neurons.
    """
    _check(len(data))
    return _decode(data)


def _check(length: int) -> None:
    if length > MAX_NEURONS_BYTES:
        raise CannotJudge(
            f"a metagraph of {length} bytes: no subnet has so many neurons; "
            "this log was not written by a validator"
        )
