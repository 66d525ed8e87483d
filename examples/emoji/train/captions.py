"""captions.py: what we say about a picture.

A caption is built from the thing's name or keywords, and, only if the picture
really has them, the style, the background colour and the size.
"""
COLOURS = {  # named backgrounds, sRGB
    "white": (255, 255, 255), "black": (16, 16, 16), "gray": (128, 128, 128), "light gray": (205, 205, 205),
    "red": (210, 40, 40), "orange": (245, 140, 30), "yellow": (250, 215, 50), "green": (50, 160, 70),
    "blue": (45, 100, 215), "purple": (130, 65, 180), "pink": (250, 150, 190), "brown": (125, 80, 45),
    "light blue": (165, 210, 245), "light green": (175, 230, 165), "dark blue": (25, 35, 95), "beige": (240, 225, 190),
}
COLOUR_WORDS = {"red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "grey", "gray", "gold", "golden"}
SINGLE = [  # template, weight; plain names come first
    ("{}", 40), ("a {}", 8), ("a photo of a {}.", 6), ("a picture of a {}", 6), ("a picture of {}", 3), ("an emoji of a {}", 4),
    ("an emoji of {}", 2), ("{} emoji", 4), ("a drawing of a {}", 4), ("an icon of a {}", 3), ("{} icon", 2), ("an image of a {}", 3),
    ("a cartoon {}", 1), ("a cartoon of a {}", 1), ("clip art of a {}", 1), ("this is a {}", 1), ("the {}", 2), ("a photo of {}", 2), ("one {}", 1),
]
PLACE = {"left": ["{} left of {}", "{} to the left of {}", "{} on the left, {} on the right", "{} next to {}", "{} and {}", "{} beside {}"],
         "right": ["{} right of {}", "{} to the right of {}", "{} on the right, {} on the left"],
         "above": ["{} above {}", "{} on top of {}", "{} over {}"],
         "below": ["{} below {}", "{} under {}", "{} beneath {}"]}
SIZES = {"small": ["small", "tiny", "little"], "large": ["large", "big", "huge"]}
PREFIX = ["", "", "", "a picture of ", "an emoji of ", "a drawing of "]


def article(text):
    """'a {}' with a vowel after it becomes 'an {}'; a name that is a plural or a proper name goes without."""
    for head in ("a ", "of a ", "is a "):
        i = text.find(head + "@")
        if i >= 0 and (i == 0 or text[i - 1] == " "):
            j = i + len(head)
            if text[j + 1:j + 2] in "aeiou":
                text = text[:j - 1] + "n " + text[j:]
            break
    return text.replace("@", "")


def noun(rng, thing):
    """(words, sure): sure is False if only keywords are given, which other things may share."""
    r = rng.random()
    name, words = thing["name"], thing["words"]
    if words and r < 0.08:
        k = rng.choice(len(words), min(len(words), 3), replace=False)
        return ", ".join(words[i] for i in k), False
    if words and r < 0.20:
        k = rng.choice(len(words), min(len(words), int(rng.integers(1, 3))), replace=False)
        return name + ", " + ", ".join(words[i] for i in k), True
    if "grey" in name and r < 0.6:
        name = name.replace("grey", "gray")
    return name, True


WEIGHT = [w for _, w in SINGLE]
CHANCE = [w / sum(WEIGHT) for w in WEIGHT]


def single(rng, thing, style=None, colour=None, size=None, must=None):
    """One thing.  Give style, colour, size only where they are true; must names one that has to be said."""
    words, sure = noun(rng, thing) if must is None else (thing["name"], True)
    if size and (must == "size" or rng.random() < 0.5):
        words = rng.choice(SIZES[size]) + " " + words
    tail = []
    if colour and (must == "colour" or rng.random() < 0.3):
        tail.append((" on a " if rng.random() < 0.7 else " on ") + colour + (" background" if rng.random() < 0.8 else ""))
        if tail[-1].startswith(" on a " + colour) and not tail[-1].endswith("background"):
            tail[-1] += " background"
        tail[-1] = tail[-1].replace(" a orange", " an orange")
    if style and (must == "style" or rng.random() < 0.15):
        tail.append(rng.choice([" in {} style", ", {} style", ", {}"]).format(style))
    if len(tail) == 2 and rng.random() < 0.5:
        tail.reverse()
    t = SINGLE[rng.choice(len(SINGLE), p=CHANCE)][0] if must is None or rng.random() < 0.5 else "{}"
    if tail:
        t = t.rstrip(".")
    return article(t.format("@" + words)) + "".join(tail), sure


PLAIN = [("{}", 30), ("a {}", 35), ("a picture of a {}", 8), ("an emoji of a {}", 4), ("{} emoji", 4), ("a drawing of a {}", 8), ("a photo of a {}.", 3), ("an icon of a {}", 3), ("the {}", 5)]


def plain(rng, words, style=None, colour=None):
    """A caption that leaves nothing open: one thing, its style unless it is the default one, its ground unless that is white."""
    words = words[0] if rng.random() < 0.5 else words[rng.integers(len(words))]
    t = PLAIN[rng.choice(len(PLAIN), p=[w / 100 for _, w in PLAIN])][0]
    text = article(t.format("@" + words))
    if words.endswith("s") and words not in ("bus", "glasses", "cactus", "octopus") or words == "rain":
        text = text.replace("a " + words, words)
    if colour or style:
        text = text.rstrip(".")
    if style:
        text += (" in {} style" if rng.random() < 0.6 else ", {} style").format(style)
    if colour:
        text += (" on an " if colour[0] in "aeiou" else " on a ") + colour + " background" if rng.random() < 0.8 else " on " + colour
    return text


def double(rng, a, b, where, must=False):
    """Two things; a lies 'left' of or 'above' b.  must: the order has to be said."""
    opposite = {"left": "right", "above": "below"}[where]
    if rng.random() < 0.5:
        first, second, word = a, b, where
    else:
        first, second, word = b, a, opposite
    forms = PLACE[word][:3] if must else PLACE[word]
    art = ["{}", "a {}", "the {}"][rng.choice(3, p=[0.5, 0.4, 0.1])]
    one, two = (article(art.format("@" + t["name"])) for t in (first, second))
    return rng.choice(PREFIX) + forms[rng.choice(len(forms))].format(one, two)


def corpus(things):
    """(text, weight) pairs for the merges."""
    for t in things:
        yield t["name"], 20
        for w in t["words"]:
            yield w, 3
    n = 20 * len(things) // 100
    for text, w in SINGLE:
        yield text.replace("{}", " "), w * n // 4
    for c in COLOURS:
        yield c + " on a background", n
    for texts in PLACE.values():
        for text in texts:
            yield text.replace("{}", " "), n // 2
    for s in ("outlined", "noto", "old noto", "twemoji", "fluent", "flat fluent", "black fluent", "3d fluent", "emojione", "firefox", "streamline", "in style"):
        yield s, n // 2
    for texts in SIZES.values():
        for text in texts:
            yield text, n // 2
    for w in ("the", "an", "and", "with", "no", "not", "two", "three", "four", "five", "dark", "light", "bright", "photo", "image", "logo", "sketch",
              "painting", "it", "in", "is", "at", "to", "from", "by", "for", "me", "my", "i", "you"):
        yield w, 50
