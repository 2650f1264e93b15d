"""Who may do what on a log server: one NATS user an actor, and one that makes the streams.

An actor's user publishes the slots that its actor owns and reads the log; no more. What a server
cannot forbid stands in docs/servers.md.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from quasar.errors import UsageError
from quasar.log.jetstream_api import Login
from quasar.rules import delivery, execution
from quasar.rules.owners import SLOTS, SUPERVISOR

ADMIN = "admin"
"""Makes and removes streams. Of events it writes only what is restored."""
WORKERS = (delivery.ACTOR, execution.ACTOR)
"""Actors of which several may share the work of one log."""
USERS = (ADMIN, *SLOTS)

_READ = (
    "$JS.API.STREAM.INFO.*",
    "$JS.API.STREAM.MSG.GET.*",
    "$JS.API.CONSUMER.CREATE.*.*",
    "$JS.API.CONSUMER.MSG.NEXT.*.*",
    "$JS.API.CONSUMER.DELETE.*.*",
)
"""What a reader asks of JetStream, and a writer that looks a slot up; ``*`` is a stream's name.

Not direct gets: a server sends answers wherever the question says, also into a stream's slots, and
those would be the bytes of events.
"""


class LogServer(Protocol):
    """Where the log's streams are: a child process, or an operator's servers."""

    @property
    def url(self) -> str:
        """One address, or several with commas between them."""
        ...

    @property
    def version(self) -> str:
        """Of the program, such as ``2.15.1``."""
        ...

    @property
    def replicas(self) -> int:
        """Servers that keep a copy of each stream."""
        ...

    def login(self, user: str) -> Login:
        """How one of USERS connects."""
        ...


def work_consumer(actor: str) -> str:
    """Name of the consumer whose work the processes of that actor share."""
    return f"work-{actor}"


def inbox_of(user: str) -> str:
    """Where a user, and nobody else, gets its answers."""
    return f"_INBOX_{user}"


def permissions_of(user: str) -> dict[str, Any] | None:
    """What a server's configuration says of a user; None for the one who may do everything."""
    if user == ADMIN:
        return None
    if user not in SLOTS:
        raise UsageError(f"{user} is no user of a log: these are {', '.join(USERS)}")
    return {
        "publish": {"allow": [*_slots(user), *_READ, *_work(user)], "deny": list(_denied(user))},
        "subscribe": {"allow": [f"{inbox_of(user)}.>"]},
    }


def configured_users(proofs: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """The users of a server's configuration.

    ``proofs``: user to what shows who it is, such as ``{"user": ..., "password": ...}``.
    """
    found = []
    for user, proof in proofs.items():
        permissions = permissions_of(user)
        rights = {} if permissions is None else {"permissions": permissions}
        found.append({**proof, **rights})
    return found


def _slots(actor: str) -> Iterator[str]:
    return (f"q.*.*.{slot}" for slot in SLOTS[actor])


def _work(actor: str) -> Iterator[str]:
    if actor in WORKERS:
        name = work_consumer(actor)
        yield f"$JS.API.CONSUMER.INFO.*.{name}"
        yield f"$JS.ACK.*.{name}.>"
        yield f"$JS.ACK.*.*.*.{name}.>"  # with domain and account, as newer servers write it


def _denied(actor: str) -> Iterator[str]:
    """Work consumers are the supervisor's to make: a reader's rights would reach them too."""
    for worker in WORKERS:
        name = work_consumer(worker)
        if actor != SUPERVISOR:
            yield f"$JS.API.CONSUMER.CREATE.*.{name}"
            yield f"$JS.API.CONSUMER.DELETE.*.{name}"
        if worker != actor:
            yield f"$JS.API.CONSUMER.MSG.NEXT.*.{name}"
