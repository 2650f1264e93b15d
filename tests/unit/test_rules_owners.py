"""Who may write what."""

import re

import pytest

from quasar.events import ValidatorEvent
from quasar.events.base import Event
from quasar.rules.owners import ACTOR_OF, OWNED, SLOTS
from tests.unit.test_events import CATALOGUE

VALIDATORS = {str(kind.__struct_config__.tag) for kind in ValidatorEvent.__args__}


def matches(pattern: str, slot: str) -> bool:
    """As a NATS server matches subjects."""
    words = pattern.split(".")
    expression = [".+" if w == ">" else "[^.]+" if w == "*" else re.escape(w) for w in words]
    return re.fullmatch(r"\.".join(expression), slot) is not None


def slot_of(tag: str) -> str:
    """A slot of that type, with words in place of its fields."""
    return re.sub(r"\{[^}]*\}", "x", CATALOGUE[tag][1])


def test_every_event_of_a_validator_has_one_owner() -> None:
    """No type is left out, none has two."""
    assert set(ACTOR_OF) == VALIDATORS
    assert sum(len(tags) for tags in OWNED.values()) == len(ACTOR_OF)
    assert set(SLOTS) == set(OWNED)


@pytest.mark.parametrize("tag", sorted(VALIDATORS))
def test_an_event_fits_its_owners_slots_and_no_others(tag: str) -> None:
    """So a server that allows each actor its slots refuses whatever is another's."""
    allowed = [
        a for a, patterns in SLOTS.items() if any(matches(p, slot_of(tag)) for p in patterns)
    ]
    assert allowed == [ACTOR_OF[tag]]


def test_an_event_type_is_an_event() -> None:
    """The union of a validator's events holds nothing else."""
    assert all(issubclass(kind, Event) for kind in ValidatorEvent.__args__)
