"""catalog.py: the list of things (one per emoji, skin tones dropped) and who draws them.

things(cache)    -> list of dicts: cp, name, group, subgroup, words (keywords)
chosen(catalog, FIRST or CHOSEN) -> the few that prior and decoder are taught above all
drawings(cache)  -> list of (thing index, style, kind, payload) for training
openmoji(cache)  -> {thing index: svg path} for evaluation only
"""
import collections
import json
import pathlib
import re
import xml.etree.ElementTree as ET

from fetch import NPM, folder

VERSION = {name: version for name, version, _ in NPM}
TONES = {"1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"}
STYLES = [  # our style name, iconify package, also drawn once more with a dark outline
    ("noto", "@iconify-json/noto", True),
    ("old noto", "@iconify-json/noto-v1", False),
    ("twemoji", "@iconify-json/twemoji", True),
    ("fluent", "@iconify-json/fluent-emoji", False),
    ("flat fluent", "@iconify-json/fluent-emoji-flat", True),
    ("black fluent", "@iconify-json/fluent-emoji-high-contrast", False),
    ("emojione", "@iconify-json/emojione", True),
    ("black emojione", "@iconify-json/emojione-monotone", False),
    ("firefox", "@iconify-json/fxemoji", True),
    ("streamline", "@iconify-json/streamline-emojis", False),
]

ALIAS = {"car": "automobile", "plane": "airplane", "train": "locomotive", "bike": "bicycle", "boat": "sailboat", "phone": "telephone", "apple": "red apple",
         "computer": "desktop computer", "heart": "red heart", "burger": "hamburger", "coffee": "hot beverage", "smiley": "grinning face",
         "tree": "deciduous tree", "pine": "evergreen tree", "clock": "mantelpiece clock", "gun": "water pistol", "beer": "beer mug", "cake": "shortcake"}
VAGUE = {"fish", "bird", "person", "man", "woman", "boy", "girl", "baby", "sign", "hash", "input symbols", "number", "flag",
         "on! arrow", "no entry", "top arrow", "star", "hole", "hollow red circle", "national park", "heart suit", "link",
         "shield", "label", "key", "card", "game die", "new button", "free button", "up! button", "cool button", "wave",
         "stop sign", "red square", "foot", "up arrow", "down arrow", "left arrow", "right arrow", "bust in silhouette"}

FLAT = ("twemoji", "flat fluent", "noto")  # the styles of the chosen things; a caption that names none means the first
# What a newcomer would name, and the words for it, the best first; without any, the name itself.  NAMING is what naming.txt asks for,
# FIRST has what kept.txt and the demo show besides.
NAMING = """
pizza | strawberry | banana | hamburger = hamburger, burger | ice cream | hot beverage = cup of coffee, coffee, hot beverage | carrot | mushroom
watermelon | red apple = red apple, apple | birthday cake = birthday cake, cake | cherries = cherries, two cherries
cat face = cat, cat face | dog face = dog, dog face | penguin | fish = fish, blue fish | butterfly | elephant | frog = frog, frog face | owl
rabbit face = rabbit, bunny, rabbit face | smiling face = smiling face, smiley, happy face | robot | ghost | skull | sun | rainbow | snowman
crescent moon = moon, crescent moon | cloud with rain = cloud with rain, rain cloud, rain | sport utility vehicle = blue car
bicycle = bicycle, bike | rocket | sailboat | airplane = airplane, plane | hammer | key | light bulb | umbrella
scissors | deciduous tree = tree, deciduous tree | cactus | sunflower | rose = rose, red rose | red heart = red heart, heart
star = star, yellow star | house | guitar
"""
FIRST = NAMING + """
green apple | tomato | crab | bus | bell | camera | whale | chair | pear | lemon | top hat = top hat, hat | soccer ball = soccer ball, football | octopus
"""
CHOSEN = FIRST + """
automobile = car, red car, automobile | balloon = balloon, red balloon | blue circle | pencil | three o'clock = clock, three o'clock
triangular flag = red flag, triangular flag | tulip | crown | fire = fire, flame
grinning face = grinning face, grin | winking face = winking face, wink | smiling face with halo = angel face, smiling face with halo
smiling face with heart-eyes = heart eyes, face in love, smiling face with heart-eyes | face blowing a kiss = kissing face, face blowing a kiss
face with tears of joy = laughing face, face with tears of joy | winking face with tongue = face with tongue out, winking face with tongue
thinking face | neutral face | sleeping face | cowboy hat face = cowboy | partying face | nerd face = nerd, nerd face
smiling face with sunglasses = cool face, smiling face with sunglasses | frowning face = sad face, frowning face | crying face | loudly crying face
face screaming in fear = screaming face, scared face, face screaming in fear | angry face | smiling face with horns = devil, smiling face with horns
clown face = clown, clown face | alien | pile of poo = poo, pile of poo | broken heart | heart with arrow
heart on fire = burning heart, heart on fire | orange heart | yellow heart | green heart | blue heart | purple heart | black heart
kiss mark = kiss, lips, kiss mark | collision = explosion, collision | speech balloon = speech bubble, speech balloon | waving hand
raised hand = hand, raised hand | ok hand | victory hand = peace sign, victory hand | thumbs up | thumbs down | leg | foot | ear | nose | brain
tooth | bone | eye | eyes | mouth | baby | santa claus | footprints | monkey face = monkey, monkey face | gorilla | wolf | fox | raccoon | lion
tiger face = tiger, tiger face | horse face = horse, horse face | unicorn | zebra | deer | cow face = cow, cow face | pig face = pig, pig face | ram
ewe = sheep, ewe | goat | camel | giraffe | mouse face = mouse, mouse face | hedgehog | bat | bear = bear, bear face | polar bear | koala
panda = panda, panda face | kangaroo | paw prints = paw, paw prints | rhinoceros = rhino, rhinoceros | hippopotamus = hippo, hippopotamus | chicken
rooster | hatching chick = chick in an egg, hatching chick | baby chick = chick, baby chick | bird | dove | eagle | duck | swan | flamingo | peacock
parrot | feather | crocodile | turtle | lizard | snake | dragon face = dragon, dragon face | sauropod = dinosaur, sauropod | t-rex | dolphin
tropical fish = yellow fish, tropical fish | blowfish | shark | spiral shell = shell, spiral shell | jellyfish | snail | bug = caterpillar, bug | ant
honeybee = bee, honeybee | lady beetle = ladybug, lady beetle | spider | spider web | scorpion | fly | bouquet = bunch of flowers, bouquet
cherry blossom | hibiscus | blossom = flower, yellow flower, blossom | seedling = sprout, seedling | potted plant
evergreen tree = pine tree, fir tree, evergreen tree | palm tree | four leaf clover = clover, four leaf clover | maple leaf
fallen leaf = brown leaves, fallen leaf | grapes | tangerine = orange, tangerine | pineapple | peach | blueberries | kiwi fruit = kiwi, kiwi fruit
coconut | avocado | eggplant | potato | ear of corn = corn, ear of corn | hot pepper = chili, hot pepper | bell pepper = pepper, bell pepper
cucumber | broccoli | garlic | onion | peanuts | bread = bread, loaf of bread | croissant | baguette bread = baguette, baguette bread | pretzel
pancakes | waffle | cheese wedge = cheese, cheese wedge | meat on bone = meat, meat on bone | poultry leg = chicken leg, drumstick, poultry leg
cut of meat = steak, cut of meat | bacon | french fries = fries, french fries | hot dog | sandwich | taco | burrito | egg
cooking = fried egg, cooking | green salad = salad, green salad | popcorn | salt | steaming bowl = ramen, noodle soup, steaming bowl | spaghetti
sushi | lobster | shrimp | squid | soft ice cream = ice cream cone, soft ice cream | doughnut = donut, doughnut | cookie
shortcake = piece of cake, shortcake | cupcake | pie | chocolate bar = chocolate, chocolate bar | candy = candy, sweet | lollipop
honey pot = honey, honey pot | baby bottle | glass of milk = milk, glass of milk | teapot | teacup without handle = cup of tea, tea
bottle with popping cork = champagne, bottle | wine glass = wine, glass of wine, wine glass | cocktail glass = cocktail, cocktail glass
tropical drink | beer mug = beer, mug of beer, beer mug | cup with straw = soda, cup with straw | bubble tea | chopsticks | fork and knife | spoon
kitchen knife = knife, kitchen knife | jar | globe showing europe-africa = earth, globe, planet earth | world map = map, world map | compass
snow-capped mountain = mountain, snowy mountain, snow-capped mountain | volcano | camping = campsite, camping | desert island = island, desert island
classical building = temple, classical building | rock = rock, stone | factory | castle | tokyo tower = tower, tokyo tower | church | mosque | tent
ferris wheel | locomotive = train, steam train, locomotive | bullet train | tram = tram, streetcar | ambulance | fire engine = fire truck, fire engine
police car | taxi | pickup truck | delivery truck = truck, delivery truck | tractor | racing car = race car, racing car
motorcycle = motorbike, motorcycle | motor scooter = scooter, motor scooter | kick scooter | skateboard | roller skate | wheel
police car light = siren, police car light | vertical traffic light = traffic light, vertical traffic light | stop sign | anchor
ring buoy = lifebuoy, ring buoy | canoe | speedboat | ship | parachute | helicopter | flying saucer = ufo, flying saucer | luggage = suitcase, luggage
hourglass done = hourglass, hourglass done | watch | alarm clock | stopwatch | full moon | full moon face = moon with a face, full moon face
sun with face = sun with a face | ringed planet = planet, saturn, ringed planet | glowing star | shooting star | cloud | sun behind cloud
cloud with lightning = thunder cloud, thunderstorm, cloud with lightning | cloud with snow = snow cloud, cloud with snow | tornado | closed umbrella
umbrella with rain drops = umbrella in the rain, umbrella with rain drops | umbrella on ground = beach umbrella, parasol, umbrella on ground
high voltage = lightning bolt, lightning, high voltage | snowflake | droplet = drop of water, water drop, droplet | water wave = wave, water wave
jack-o-lantern = pumpkin, jack-o-lantern | christmas tree | sparkles | ribbon = bow, ribbon | wrapped gift = gift, present, wrapped gift | ticket
military medal = medal, military medal | trophy = trophy, cup | sports medal = gold medal, sports medal | baseball | basketball | volleyball
american football | tennis = tennis ball | bowling = bowling ball, bowling | boxing glove | ice skate | fishing pole = fishing rod, fishing pole
skis | bullseye = target, dartboard, bullseye | kite | pool 8 ball = billiard ball, eight ball | crystal ball | magic wand
video game = game controller, video game | game die = dice, die, game die | puzzle piece | teddy bear | piñata | spade suit = spade, spade suit
heart suit | diamond suit | club suit = club, club suit | framed picture = picture frame, painting | artist palette = palette, paint palette
yarn = ball of yarn, yarn | glasses | sunglasses | goggles | necktie = tie, necktie | t-shirt = shirt, t-shirt | jeans = trousers, jeans | scarf
gloves | coat | socks | dress | handbag = bag, handbag | backpack | running shoe = sneaker, shoe, running shoe
high-heeled shoe = high heel, high-heeled shoe | woman's boot = boot, woman's boot | graduation cap | billed cap = cap, baseball cap
rescue worker's helmet = helmet, rescue worker's helmet | lipstick | ring | gem stone = diamond, gem, gem stone
speaker high volume = loudspeaker, speaker | megaphone | musical note = note, musical note | microphone | headphone = headphones, headphone | radio
saxophone | musical keyboard = piano, musical keyboard | trumpet | violin | drum | maracas | mobile phone = smartphone, mobile phone
telephone = phone, telephone | battery | laptop | desktop computer = computer, monitor | printer | keyboard | computer mouse | floppy disk
clapper board | television = tv, television | magnifying glass tilted left = magnifying glass | candle | flashlight = torch, flashlight
closed book = book, red book, closed book | open book | books = stack of books, books | scroll | newspaper | money bag | coin | credit card
envelope = letter, envelope | package = box, parcel, package | fountain pen | pen | paintbrush = brush, paintbrush | memo = note and pencil, memo
briefcase | calendar | pushpin = pin, pushpin | paperclip | straight ruler = ruler, straight ruler | wastebasket = bin, trash can, wastebasket
locked = lock, padlock, locked | axe | dagger = sword, dagger | crossed swords = two swords, crossed swords | bomb | shield
carpentry saw = saw, carpentry saw | wrench | screwdriver | gear = cog, gear | magnet | ladder | test tube | microscope | telescope | syringe | pill
stethoscope | door | window | bed | couch and lamp = sofa, couch, couch and lamp | toilet | bathtub = bath, bathtub | broom | basket
roll of paper = toilet paper, roll of paper | bucket | soap | bubbles | toothbrush | shopping cart = shopping trolley, shopping cart | coffin
warning = warning sign, warning | no entry | right arrow | left arrow | up arrow | down arrow | yin yang | peace symbol | star of david | check mark
cross mark = red cross, cross mark | plus | red question mark = question mark, red question mark
red exclamation mark = exclamation mark, red exclamation mark | red circle | orange circle | yellow circle | green circle | purple circle
black circle | red square | yellow square | blue square
"""


def bare(cp):
    """Code points as lower-case hex joined by '-', without the variation selector."""
    return "-".join(p for p in cp.lower().replace("_", "-").split("-") if p != "fe0f").lstrip("0")


def slug(text):
    return re.sub(r"[^a-z0-9]", "", text.lower().replace("&", "and"))


def tidy(name):
    """Names as a person would type them: 'flag: France' -> 'flag of France'."""
    name = name.replace("\u201c", "").replace("\u201d", "").replace("\u2019", "'")
    name = re.sub(r"^flag: (.*)", r"flag of \1", name)
    name = re.sub(r"^keycap: (.*)", r"keycap \1", name)
    name = re.sub(r"^family: (.*)", r"family of \1", name)
    return name.replace(":", "").lower()


def package(cache, name):
    return pathlib.Path(cache) / "x" / folder(name, VERSION[name])


def things(cache):
    usr = pathlib.Path(cache) / "x"
    words = {}
    for part in ("annotations", "annotationsDerived"):
        f = usr / "unicode-cldr-core/usr/share/unicode/cldr/common" / part / "en.xml"
        for a in ET.parse(f).getroot().iter("annotation"):
            if a.get("type") != "tts":
                key = bare("-".join(f"{ord(c):x}" for c in a.get("cp")))
                words[key] = [w.strip() for w in a.text.split("|")]
    for e in json.load(open(package(cache, "emoji-datasource-google") / "emoji.json")):
        words.setdefault(bare(e["unified"]), []).extend(n.replace("_", " ").replace("-", " ") for n in e["short_names"])
    out, group, sub, seen = [], "", "", set()
    for line in open(usr / "unicode-data/usr/share/unicode/emoji/emoji-test.txt", encoding="utf-8"):
        if line.startswith("# group:"):
            group = line.split(":", 1)[1].strip()
        elif line.startswith("# subgroup:"):
            sub = line.split(":", 1)[1].strip()
        elif "; fully-qualified" in line:
            raw = line.split(";")[0].strip().lower().split()
            if TONES & set(raw) or group == "Component":
                continue
            name = tidy(re.sub(r"^.*?E\d+\.\d+ ", "", line.split("#", 1)[1].strip()))
            cp = bare("-".join(raw))
            if cp in seen:
                continue
            seen.add(cp)
            more = []
            for w in words.get(cp, []):
                w = tidy(w)
                if w != name and w not in more and not w.startswith("flag ") and len(w) > 1 and w.isascii():
                    more.append(w)
            if group == "Flags":
                more = [w for w in more if w != "flag" and len(w) > 3]
            out.append(dict(cp=cp, name=name, group=group, subgroup=sub, words=more))
    return out


def chosen(catalog, text):
    """Of a list like FIRST: {thing index: words for it}."""
    where = {t["name"]: i for i, t in enumerate(catalog)}
    out = {}
    for part in text.replace("\n", "|").split("|"):
        if part.strip():
            name, _, words = (x.strip() for x in part.partition("="))
            out[where[name]] = [w.strip() for w in words.split(",")] if words else [name]
    return out


def drawings(cache, catalog, styles=None):
    """Every picture we may train on, or those in styles alone: then no other package is needed.  kind 'svg' carries SVG text, 'file' a path."""
    want = lambda style: styles is None or style in styles
    where = {t["cp"]: i for i, t in enumerate(catalog)}
    by_slug = {}
    for i, t in enumerate(catalog):
        by_slug.setdefault(slug(t["name"]), i)
    for e in json.load(open(package(cache, "emoji-datasource-google") / "emoji.json")):
        i = where.get(bare(e["unified"]))
        if i is not None:
            for n in e["short_names"]:
                by_slug.setdefault(slug(n), i)
    sets = {style: json.load(open(package(cache, p) / "icons.json")) for style, p, _ in STYLES if want(style) or want("outlined " + style)}
    chars = {}
    for style, p, _ in [s for s in STYLES if s[0] in sets]:  # chars.json: code points -> icon name; it also teaches names to the sets without one
        f = package(cache, p) / "chars.json"
        if f.exists() and (c := json.load(open(f))):
            chars[style] = c
            for cp, n in c.items():
                if bare(cp) in where:
                    by_slug.setdefault(slug(n), where[bare(cp)])
    for style in sets:  # names that one set gives as an alias of another
        for n, a in sets[style].get("aliases", {}).items():
            if slug(a["parent"]) in by_slug:
                by_slug.setdefault(slug(n), by_slug[slug(a["parent"])])
    out = []
    for style, p, outline in [s for s in STYLES if s[0] in sets]:
        icons, done = sets[style]["icons"], set()
        w0, h0 = sets[style].get("width", 16), sets[style].get("height", 16)
        pairs = [(where.get(bare(cp)), n) for cp, n in chars.get(style, {}).items()] + [(by_slug.get(slug(n)), n) for n in icons]
        for i, n in pairs:
            if i is None or i in done or n not in icons:
                continue
            done.add(i)
            ic = icons[n]
            box = f'{ic.get("left", 0)} {ic.get("top", 0)} {ic.get("width", w0)} {ic.get("height", h0)}'
            size = max(ic.get("width", w0), ic.get("height", h0))
            head = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{box}" color="#222">'
            if want(style):
                out.append((i, style, "svg", f'{head}{ic["body"]}</svg>'))
            if outline and want("outlined " + style):  # the same drawing with a dark line around every shape, as a comic would have
                g = f'<g stroke="#000" stroke-width="{size * 0.022:.3f}" stroke-linejoin="round">'
                out.append((i, "outlined " + style, "svg", f'{head}{g}{ic["body"]}</g></svg>'))
    for f in sorted((package(cache, "@lobehub/fluent-emoji-3d") / "assets").glob("*.webp")) if want("3d fluent") else ():
        i = where.get(bare(f.stem))
        if i is not None:
            out.append((i, "3d fluent", "file", str(f)))
    seen = collections.Counter()
    for i, f in clipart(cache, catalog) if want("clip art") else ():
        seen[i] += 1
        if seen[i] <= 8:  # of some there are dozens
            out.append((i, "clip art", "svg", f.read_text(errors="replace")))
    return out


def words_of(text):
    """'Pizza_slice2 (B and W)' -> ['pizza', 'slice']."""
    text = re.sub(r"\(.*?\)|[0-9]", " ", text.lower().replace("_", " ").replace("-", " "))
    return [w for w in re.sub(r"[^a-z' ]", " ", text).split() if w]


def clipart(cache, catalog):
    """openclipart's drawings of things that we have: (thing index, path).

    A drawing shows a thing if its title (or file name, where the title is one for a whole series) ends with the thing's
    name or contains it, or if exactly one of its few keywords is such a name."""
    root = pathlib.Path(cache) / "x/openclipart-svg/usr/share/openclipart/svg"
    names = {tuple(words_of(t["name"])): i for i, t in reversed(list(enumerate(catalog))) if t["group"] != "Flags"}
    for short, name in ALIAS.items():
        names[(short,)] = next(i for i, t in enumerate(catalog) if t["name"] == name)
    flags = {slug(t["name"].removeprefix("flag of ")): i for i, t in enumerate(catalog) if t["subgroup"] == "country-flag"}
    out = []
    for f in sorted(root.glob("**/*.svg")):
        part = f.relative_to(root).parts
        if part[0] in ("computer", "shapes", "special", "geography", "logos", "buttons", "decorations") or f.stat().st_size > 400000:
            continue
        if "flags" in part:
            if slug(f.stem) in flags:
                out.append((flags[slug(f.stem)], f))
            continue
        s = f.read_text(errors="replace")
        title = re.search(r"<dc:title>(.*?)</dc:title>", s, re.S)
        i = None
        for said in (words_of(title[1]) if title else [], words_of(f.stem)):
            spans = [said[a:b] for a in range(len(said)) for b in range(a + 1, min(a + 4, len(said)) + 1)]
            spans.sort(key=lambda w: (-len(w), w != said[-len(w):]))
            for w in spans:
                i = next((names[k] for k in (tuple(w), (*w[:-1], w[-1].removesuffix("s"))) if k in names), None)
                if i is not None and catalog[i]["name"] not in VAGUE:
                    break
                i = None
            if i is not None:
                break
        if i is None:
            k = {w.strip().lower() for w in re.findall(r"<rdf:li>(.*?)</rdf:li>", s)}
            found = {names[tuple(words_of(w))] for w in k if tuple(words_of(w)) in names} if len(k) <= 5 else set()
            found = {j for j in found if catalog[j]["name"] not in VAGUE}
            i = found.pop() if len(found) == 1 else None
        if i is not None:
            out.append((i, f))
    return out


def openmoji(cache, catalog):
    where = {t["cp"]: i for i, t in enumerate(catalog)}
    out = {}
    for f in sorted((package(cache, "openmoji") / "color/svg").glob("*.svg")):
        i = where.get(bare(f.stem))
        if i is not None:
            out[i] = str(f)
    return out


if __name__ == "__main__":
    import sys
    t = things(sys.argv[1])
    d = drawings(sys.argv[1], t)
    print(len(t), "things", len(d), "drawings", len(openmoji(sys.argv[1], t)), "openmoji")
    print(collections.Counter(s for _, s, _, _ in d))
    for i in range(0, len(t), 150):
        print(t[i])
