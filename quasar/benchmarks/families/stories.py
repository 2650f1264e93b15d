"""Family ``stories@1``: who went where and who got what, told in order between real text.

Fifty invented people move between fifty invented places, and 25 things pass from one to
another. Half of the lines happened; the others were planned, refused, dreamt or denied, and the
last true line about anyone or anything is drawn flat among its lines. A thing is where its owner
is. Asked is where a thing is, or was before that; who had what is in a place now; or how many
people have had each of some things.

It measures following a state through time, in the manner of bAbI's tasks. Yes and no, and single
counts, are never asked for: they are guessed. A program that knows which wordings are true solves
it.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct

from quasar.benchmarks import names
from quasar.benchmarks.families.updates import Update, histories, interleaved
from quasar.benchmarks.planted import Planted, Spelled
from quasar.draw import Draw

SIZE = 50
"""People, and places."""
THINGS = 25
GIFTS = 6
"""Lines about each thing."""
COUNTED = 6
"""Things in a question for counts."""

WENT = (
    "{a} set out for {b} and arrived by dark.\n",
    "{a} was seen that week in {b}, where the inn kept a bed free.\n",
    "The road took {a} to {b} this time.\n",
    "{b} was where {a} unpacked next.\n",
    "Not even the snow kept {a} from reaching {b}.\n",
    "{b} got another guest from that day on: {a} moved in.\n",
)
"""Lines in which person ``a`` comes to place ``b``."""
STAYED = (
    "{a} thought of going to {b} and stayed at home.\n",
    "{a} would have reached {b} but for the snow.\n",
    "{b} was not where {a} went, whatever the neighbours said.\n",
    "Next spring {a} wants to see {b}.\n",
    "{a} told a long story about {b} that evening.\n",
    "{b} got a letter from {a}, who was too lame to travel.\n",
)
"""Lines in which nobody moves."""
GOT = (
    "The {a} was sent by mule to {b}.\n",
    "{b} paid well and got the {a}.\n",
    "{b} won the {a} at dice.\n",
    "Nobody minded when the {a} passed to {b}.\n",
    "The {a} was not cheap, but {b} bought it.\n",
    "{b} inherited the {a} that week.\n",
)
"""Lines in which thing ``a`` comes to person ``b``."""
LEFT = (
    "{b} offered money for the {a} and was refused.\n",
    "{b} dreamed that the {a} arrived by mule.\n",
    "The {a} was nearly sent to {b}, but the mule fell ill.\n",
    "Some say that {b} has the {a}; they mix it up with another.\n",
    "{b} admired the {a} and went away without it.\n",
    "The {a} may pass to {b} some day, so they say.\n",
)
"""Lines in which nothing changes hands."""

NOUNS = tuple(
    f"{kind} {thing}"
    for kind in ("copper", "wooden", "painted", "broken", "velvet", "silver")
    for thing in ("lantern", "flute", "mirror", "saddle", "clock", "kettle")
)

Kind = Literal["where", "before", "who", "counts"]
KINDS: tuple[Kind, ...] = ("where", "before", "who", "counts")


class Parameters(Struct, frozen=True):
    """Difficulty."""

    moves: Annotated[int, Meta(ge=4, le=6)]
    """Lines about each person."""


class Plan(Struct, frozen=True):
    """What variants share."""

    kind: Kind
    things: list[int]
    """What they are called, by place in NOUNS."""
    asked: list[int]
    """Things, by place in ``things``; several only for counts."""
    updates: list[Update]
    """In order: keys below SIZE are people, whose value is a place; the others are things."""


class Stop(NamedTuple):
    """A thing at a place."""

    place: int
    gift: int
    """Which of the lines about the thing names its owner of that time."""
    move: int
    """Which of the lines about this owner names the place."""


class World(NamedTuple):
    """What the lines lead to."""

    trails: list[list[Stop]]
    """Of each thing, in order."""
    owners: list[list[int]]
    """The people who had each thing, in order."""


def play(updates: Sequence[Update]) -> World:
    """What happens in a plan's lines; nobody is anywhere until a line tells it."""
    told, at = [0] * (SIZE + THINGS), dict[int, Stop]()
    owners, trails = [list[int]() for _ in range(THINGS)], [list[Stop]() for _ in range(THINGS)]
    gifts = [0] * THINGS
    for update in updates:
        nth, thing = told[update.key], update.key - SIZE
        told[update.key] += 1
        if not update.holds:
            continue
        if thing < 0:
            at[update.key] = Stop(update.value, 0, nth)
            moved = [i for i, had in enumerate(owners) if had[-1:] == [update.key]]
        else:
            owners[thing].append(update.value)
            gifts[thing], moved = nth, [thing]
        for i in moved:
            stop, trail = at.get(owners[i][-1]), trails[i]
            if stop and (not trail or trail[-1].place != stop.place):
                trail.append(stop._replace(gift=gifts[i]))
    return World(trails, owners)


def fitting(kind: Kind, world: World, gift: int, move: int) -> list[int]:
    """Things that such a question may be about.

    What was before must follow from these two of the lines about a thing and about its owner:
    left to chance, it would mostly be early ones.
    """
    ends = [trail[-1].place for trail in world.trails]
    if kind == "before":
        former = [trail[-2] if len(trail) > 1 else None for trail in world.trails]
        return [i for i, stop in enumerate(former) if stop and stop[1:] == (gift, move)]
    if kind == "who":
        return [
            i
            for i, owners in enumerate(world.owners)
            if len(owners) > 1 and ends.count(ends[i]) == 1
        ]
    return list(range(THINGS))


class Stories(Planted[Parameters, Plan]):
    """The family.

    The rate: the place is right for one of 24 who take one line about the thing, and one about the
    person named there; who had a thing takes a step more, and counts are harder to guess.
    """

    name = "stories@1"
    guess_rate = 1 / (4 * GIFTS)
    levels: Sequence[Parameters] = (Parameters(4), Parameters(5), Parameters(6))
    min_tokens = 8_000
    ordered = True

    def plan(self, draw: Draw, parameters: Parameters) -> Plan:
        kind = draw.choice(KINDS)
        things = draw.sample(range(len(NOUNS)), THINGS)
        gift, move = divmod(draw.below(GIFTS * parameters.moves - 1), parameters.moves)
        for _ in range(1000):
            updates = _updates(draw, parameters)
            found = fitting(kind, play(updates), gift, move)
            if found:
                asked = draw.sample(found, COUNTED if kind == "counts" else 1)
                return Plan(kind, things, asked, updates)
        raise AssertionError("1000 stories had nothing to ask about")

    def spell(self, plan: Plan, draw: Draw) -> Spelled:
        invented = names.many(draw, 2 * SIZE)
        people, places = invented[:SIZE], invented[SIZE:]
        things = [NOUNS[i] for i in plan.things]
        world = play(plan.updates)
        pieces = [_line(update, people, places, things) for update in plan.updates]
        asked = draw.shuffled(plan.asked)  # counts alone would be right for all miners
        question, form, answer = _asked(plan.kind, asked, world, people, places, things)
        told = {SIZE + thing for thing in plan.asked}
        if plan.kind != "counts":
            told |= {person for thing in plan.asked for person in world.owners[thing]}
        proof = [i for i, update in enumerate(plan.updates) if update.key in told]
        return Spelled(pieces, question, form, answer, proof)


def _updates(draw: Draw, parameters: Parameters) -> list[Update]:
    moves = histories(draw, SIZE, parameters.moves, (len(WENT), len(STAYED)))
    gifts = histories(draw, THINGS, GIFTS, (len(GOT), len(LEFT)), SIZE // THINGS)
    left = [iter(history) for history in moves + gifts]
    order = interleaved(draw, [len(history) for history in moves + gifts])
    found = [(key, next(left[key])) for key in order]
    return [Update(key, told.value, told.holds, told.wording) for key, told in found]


def _line(update: Update, people: list[str], places: list[str], things: list[str]) -> str:
    if update.key < SIZE:
        wording = (WENT if update.holds else STAYED)[update.wording]
        return wording.format(a=people[update.key], b=places[update.value])
    wording = (GOT if update.holds else LEFT)[update.wording]
    return wording.format(a=things[update.key - SIZE], b=people[update.value])


def _asked(
    kind: Kind,
    asked_for: list[int],
    world: World,
    people: list[str],
    places: list[str],
    things: list[str],
) -> tuple[str, str, str]:
    """Question, form and answer."""
    before = (
        "The document tells in order where people go and who gets what; wishes, dreams and rumours "
        "change nothing. A thing is always where the one is who has it. "
    )
    first = asked_for[0]
    trail, place = world.trails[first], "the name of the place"
    if kind == "where":
        return f"{before}Where is the {things[first]} at the end?", place, places[trail[-1].place]
    if kind == "before":
        asked = f"Where was the {things[first]} before it came to the place where it is at the end?"
        return before + asked, place, places[trail[-2].place]
    if kind == "who":
        asked = (
            f"One of the things is in {places[trail[-1].place]} at the end. Who had it before its "
        )
        return f"{before}{asked}last owner?", "the name", people[world.owners[first][-2]]
    listed = ", ".join(f"the {things[thing]}" for thing in asked_for)
    counts = ", ".join(str(len(world.owners[thing])) for thing in asked_for)
    asked = f"How many people have had each of these, all in all: {listed}?"
    return before + asked, f"the {COUNTED} counts in that order, like 1, 2, 3", counts
