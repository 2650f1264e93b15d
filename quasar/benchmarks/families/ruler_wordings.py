"""The lines of RULER's needles: ``a`` is whom a line is about, the others stand by.

Each begins with ``a`` as often as not, and the number that counts comes first as often as second.
No content word of a question is in them.
"""

ROLES = (
    "{a}, and not {b}, {does}.\n",
    "{b} looks away when {a} {does}.\n",
    "{a} {does}, and {b} shrugs.\n",
    "{b} envies {a}, who {does}.\n",
    "It is not {b} but {a} who {does}.\n",
    "{b} sits idle, and {a} {does}.\n",
    "{a} {does}; {b} would never dare.\n",
    "As {b} tells it, {a} {does}.\n",
)
"""``a`` is the one who ``does``; ``b`` is not."""

LINKS = (
    "When {a} is ill, {b} does the work and {c} looks on.\n",
    "{b}, rather than {c}, does the work when {a} is away.\n",
    "{c} was never asked: {b} takes over when {a} is ill.\n",
    "With {a} away it is {b} who takes over, though {c} would like to.\n",
    "{a} leaves it all to {b} when away, and nothing to {c}.\n",
    "{b} does all that {a} cannot do when ill; {c} tried once and gave up.\n",
)
"""``b`` takes over from ``a``; ``c`` does not."""

LATEST = (
    "{c} struck out {w} and wrote {v} beside {a}.\n",
    "{a} wears {v} on the sleeve, sewn over {w} by {c}.\n",
    "Where {w} used to be, {c} painted {v} on the gate of {a}.\n",
    "{a} traded {w} in for {v} at the desk of {c}.\n",
    "{v} was given to {a} by {c} to end the use of {w}.\n",
    "Instead of {w} it is {v} that {c} calls out to fetch {a}.\n",
    "{v} replaced {w} when {a} got a new badge from {c}.\n",
    "{c} had {v} engraved for {a} after {w} had worn away.\n",
)
"""``v`` belongs to ``a`` now; ``w`` does no more."""

BOTH = (
    "{c} wrote {v} and {w} beside {a}.\n",
    "{a} wears {v} and {w} on the sleeves, sewn there by {c}.\n",
    "{c} painted {v} and {w} on the gate of {a}.\n",
    "{a} got {v} and {w} at the desk of {c}.\n",
    "{v} and {w} were given to {a} by {c}.\n",
    "It is {v} and {w} that {c} calls out to fetch {a}.\n",
)
"""Both ``v`` and ``w`` belong to ``a``."""
