"""Ways to describe somebody: how a question puts it, and how a text tells it in other words.

No word of an asked form begins like a word of a told one, so nobody gets from one to the other by
comparing letters; one has to know what a cobbler does.
"""

from typing import NamedTuple


class Trait(NamedTuple):
    """One thing to know about a person."""

    asked: str
    """Such as ``cobbler``: follows "the", "who keeps" or "who lives", by its table."""
    told: str
    """Such as ``puts new soles under worn boots``: follows the person, or "who"."""


def _table(lines: str) -> tuple[Trait, ...]:
    rows = (line.split(": ") for line in lines.strip().split("\n"))
    return tuple(Trait(asked, told) for asked, told in rows)


TRADES = _table("""
cobbler: puts new soles under worn boots
baker: has loaves in the oven before dawn
blacksmith: hammers red-hot iron on an anvil
tailor: cuts cloth and sews coats to measure
carpenter: planes boards and joins tables
mason: lays stone on stone with a trowel
potter: shapes jugs from wet clay
weaver: throws the shuttle through the loom
miller: grinds corn between two great stones
butcher: carves pork and hangs sausages
fisherman: hauls nets full of herring ashore
shepherd: leads ewes and lambs to the high meadow
barber: trims beards and shaves chins
physician: feels the pulse and treats fevers
dentist: pulls aching molars
midwife: helps newborns into the world
apothecary: mixes pills and ointments
schoolteacher: has children recite their sums
judge: sentences thieves in court
lawyer: pleads for the accused
clergyman: reads mass and hears confessions
gravedigger: shovels earth over coffins
sailor: reefs canvas on tall ships
pilot: flies passengers across the ocean
astronomer: charts comets through a telescope
librarian: lends out novels and stamps their due dates
printer: inks type and pulls sheets off the press
bookbinder: stitches pages into leather covers
painter: puts landscapes on canvas in oil
sculptor: chisels busts out of marble
photographer: develops negatives in a darkroom
organist: treads the pedals in the cathedral
drummer: beats time with two sticks
violinist: draws a bow over four strings
trumpeter: blows brass fanfares
pianist: strikes eighty-eight keys in concerts
ballerina: twirls on the tips of her toes
actor: speaks the lines of Hamlet on stage
clown: wears a red nose in the circus
conjurer: pulls doves out of an empty box
cook: stirs soup in the kitchen of the inn
brewer: turns hops and malt into beer
vintner: presses grapes and racks casks
cheesemaker: curdles milk and ripens rounds of it
gardener: prunes roses and rakes the beds
ploughman: turns furrows with an ox
lumberjack: fells pines with an axe
hunter: stalks deer with a rifle
miner: digs coal far underground
jeweller: sets diamonds into rings
watchmaker: repairs tiny springs under a magnifying glass
glazier: fits panes into windows
thatcher: covers roofs with straw
plumber: stops leaks in pipes and taps
electrician: wires lamps and fuses
chimney sweep: brushes soot out of flues
postman: drops letters through front doors
firefighter: comes running at the alarm with hose and ladder
constable: walks the beat and arrests burglars
coachman: drives a carriage and four
ferryman: rows travellers over the river
optician: grinds lenses for weak eyes
cartographer: draws coasts and borders to scale
interpreter: repeats strange speech in our own words
banker: takes deposits and grants loans
auctioneer: brings down the gavel on the highest bid
ropemaker: twists hemp into cables
tanner: cures hides in pits of oak bark
saddler: makes bridles and stirrup straps
cooper: bends staves into barrels
wheelwright: fits spokes and rims to wagons
basketweaver: plaits willow rods
hatter: blocks felt for bowlers
perfumer: blends scents of jasmine and musk
""")
"""Asked as "the cobbler"."""

PETS = _table("""
bees: has hives humming behind the fence
geese: is chased round the pond by honking ganders
goats: milks bearded nannies with horns
parrots: has taught green birds to swear
cats: is purred at by two mousers
dogs: throws sticks for hounds that bark
horses: curries mares and stallions
rabbits: feeds carrots to long-eared does in a hutch
pigeons: has a loft full of cooing birds
snakes: warms pythons under a lamp
tortoises: feeds lettuce to slow old things in shells
goldfish: sprinkles flakes into a round bowl of swimmers
chickens: gathers eggs every morning
cattle: milks two Holsteins
pigs: brings swill to a sow and her litter
donkeys: loads braying beasts with grey coats
canaries: covers a cage of yellow singers at night
owls: is hooted at by night birds on a perch
hedgehogs: has prickly lodgers that curl up when touched
spiders: breeds tarantulas
ants: sees a colony behind glass drag crumbs
frogs: breeds tadpoles in a tub
peacocks: has birds that fan out a hundred eyes
falcons: flies hooded raptors from the glove
swans: feeds two long white necks on the lake
ducks: hears quacking from the pond
turkeys: fattens gobblers for Christmas
silkworms: picks mulberry leaves for spinning grubs
butterflies: hatches red admirals from chrysalids
llamas: shears spitting beasts from the Andes
camels: rides beasts with two humps
reindeer: harnesses antlered beasts to a sleigh
monkeys: shares bananas with two gibbons
mice: has whiskered gnawers squeaking in a box
crickets: listens to chirping insects in a matchbox
snails: raises slow eaters of salad with spiral homes
oysters: seeds pearls in a tidal bed
leeches: has a jar of bloodsuckers
bats: has hundreds hanging upside down under the roof
wolves: has raised two grey cubs that howl at the moon
""")
"""Asked as "who keeps bees"."""

HOMES = _table("""
on an island: sees the sea in every direction
in a tower: climbs two hundred stairs to bed
in a cave: sleeps under bare rock
in a tent: drives pegs into the ground every evening
on a houseboat: is rocked to sleep at a mooring
in the desert: has nothing but dunes around
in the forest: hardly sees the sun for oaks and firs
on a summit: looks down on the clouds
beside a volcano: finds ash on the washing
near the Pole: sees no sunrise for half the winter
in a castle: crosses a drawbridge every night
in a monastery: is called to prayers by night
in a prison: is counted by warders every evening
in a hospital: wakes to nurses and thermometers
in a hotel: hands in a key at the desk each morning
beside a railway: shakes with every passing express
next to an airport: cannot talk for jets overhead
by a waterfall: hears the river plunge all night
at the harbour: counts masts from bed
on a farm: steps over dung to the door
in a swamp: wades through reeds to the door
in a treehouse: goes to bed up a ladder of knots
above a theatre: falls asleep to applause
in the jungle: sleeps among lianas and mosquitoes
in a caravan: has axles under the bedroom
in an igloo: sleeps between walls of snow
""")
"""Asked as "who lives on an island"."""
