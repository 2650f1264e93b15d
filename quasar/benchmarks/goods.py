"""Things for sale, named by two words: 30 thousand of them, all of one length in a list."""

_LOOKS = """
red blue green yellow brown black white grey pink purple orange golden silver pale dark bright
dull light heavy small big large little tiny huge long short tall wide narrow thick thin round
square flat curved straight bent broken cracked patched painted polished rusty dusty dirty clean
fresh old new ancient modern antique young cheap costly plain fancy simple soft hard smooth
rough sharp blunt sweet sour bitter salty warm cold cool hot dry wet empty full folded rolled
loose tight double single upper lower inner outer front rear wooden iron steel copper brass
stone paper leather cotton linen silk velvet plastic rubber marble clay straw wool bamboo oak
pine maple cedar Chinese Danish Dutch English French German Greek Indian Irish Italian Japanese
Mexican Persian Polish Roman Russian Scottish Spanish Swedish Swiss Turkish royal military local
foreign holy magic secret hidden borrowed favourite rare common famous noble humble proud quiet
loud silent noisy quick lazy lucky happy sad merry summer winter autumn spring
"""
_THINGS = """
lamp kettle bucket basket bottle barrel box bag chest drawer desk table chair bench stool bed
pillow blanket sheet towel curtain carpet rug mirror clock watch bell whistle drum flute guitar
piano violin trumpet horn ball doll kite puzzle toy card dice book map letter stamp pen pencil
brush ruler notebook album frame picture poster candle torch lantern stove oven pan pot plate
bowl cup mug glass jug spoon fork knife tray jar rope chain wire string thread needle button
ribbon lace belt buckle hat cap scarf glove sock shoe boot coat jacket shirt skirt dress robe
vest cloak ring necklace bracelet crown medal coin purse wallet umbrella fan stick cane ladder
hammer saw drill screw bolt wrench axe shovel rake hose pump wheel saddle whip cart wagon sled
boat canoe sail anchor net hook rod tent compass globe telescope lens camera radio phone vase
statue flag banner mask wig comb razor soap sponge mop key lock handle hinge shelf rack stand
tile brick board plank pipe tap sink tub door gate fence window shutter roof bird cage fish tank
bone shell feather crystal pearl seed bulb rose fern moss sword shield spear bow arrow helmet
armor pistol rifle cannon tablet scroll
"""
LOOKS, THINGS = _LOOKS.split(), _THINGS.split()
GOODS = len(LOOKS) * len(THINGS)
"""How many things ``good`` knows."""


def good(number: int) -> str:
    """The thing of a number from 0 to GOODS - 1, each another one."""
    look, thing = divmod(number, len(THINGS))
    return f"{LOOKS[look]} {THINGS[thing]}"
