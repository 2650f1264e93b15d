"""How a volume's stream must be set, and what its state must say."""

from typing import Any

from quasar.errors import Damaged, LogError

MAX_MESSAGE_BYTES = 128 * 1024
"""An event and its headers."""

_FREE = ("name", "num_replicas")
"""Settings that the one who runs the server may change; there may be more copies than wanted."""


_SINCE = (2, 12)
"""The first nats-server that stores a batch whole."""


def check_version(url: str, version: tuple[int, int] | None) -> None:
    """Raise LogError for a server that cannot keep a log, before anything is made there."""
    if version is not None and version < _SINCE:
        raise LogError(
            f"{url} runs nats-server {version[0]}.{version[1]}, which cannot store a step whole: "
            f"install {_SINCE[0]}.{_SINCE[1]} or later"
        )


def stream_config(name: str, subject: str, replicas: int) -> dict[str, Any]:
    """Nothing is dropped, removed or overwritten, and a step is stored whole."""
    return {
        "name": name,
        "subjects": [f"{subject}.>"],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "max_age": 0,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_msgs_per_subject": -1,
        "max_consumers": -1,
        "max_msg_size": MAX_MESSAGE_BYTES,
        "num_replicas": replicas,
        "deny_delete": True,
        "deny_purge": True,
        "allow_atomic": True,
        "allow_direct": True,
    }


def check_stream(info: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Compare a stream with ``wanted``.

    Raises LogError where a setting differs and Damaged where events are gone.
    """
    found = info["config"]
    for key, value in wanted.items():
        if key not in _FREE and found.get(key) != value:
            raise LogError(
                f"stream {wanted['name']} has {key} = {found.get(key)!r} where a log needs "
                f"{value!r}: use nats-server 2.12 or later, and a stream that nobody else made"
            )
    copies = wanted["num_replicas"]
    if found.get("num_replicas", 1) < copies:
        raise LogError(
            f"stream {wanted['name']} is kept {found.get('num_replicas', 1)} times where {copies} "
            f"are wanted: let the one who runs the server set its replicas to {copies}"
        )
    if found.get("persist_mode", "default") != "default":
        raise LogError(f"stream {wanted['name']} acknowledges before it stores: make it anew")
    _check_whole(wanted["name"], info["state"])


def _check_whole(name: str, state: dict[str, Any]) -> None:
    missing = state["last_seq"] - state["messages"]  # num_deleted is 1 for an empty stream
    if state["last_seq"] and state["first_seq"] > 1:
        raise Damaged(1, f"missing; {name} begins at {state['first_seq']}")
    if missing:
        first = min(state.get("deleted") or [state["last_seq"]])
        raise Damaged(first, f"missing, one of {missing} that {name} lost")
