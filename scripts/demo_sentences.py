"""The grammar of the demo's sentiment sentences, in the style of GLUE's SST-2.

A sentence is lower case, with spaces around punctuation, as SST-2 has them. Its
label follows from its opinion words and from what stands before them: negation
turns them round, concessions ("may be warm , but ...") are outvoted by what
follows, and fillers carry no opinion. Words alone therefore do not settle it.
"""

GOOD = """moving charming funny brilliant clever warm delightful gripping elegant fresh honest lovely
tender witty superb thrilling touching wonderful inspired compelling graceful rewarding vivid absorbing
beautiful joyous remarkable heartfelt enchanting exhilarating""".split()
BAD = """dull tedious lifeless bland messy clumsy shallow tired hollow silly awful boring pointless
predictable grating sloppy stale clichéd tiresome dreary forgettable incoherent annoying lazy
uninspired contrived pretentious overlong joyless ridiculous""".split()
ASPECTS = """film movie plot acting dialogue direction script ending soundtrack pacing story romance
cast humor editing screenplay villain performance premise cinematography""".split()
KINDS = """comedy drama thriller western musical documentary fable portrait sequel remake satire
mystery romance adventure biography""".split()
TOPICS = """family|love and loss|growing up|a small town|two brothers|the war years|an old piano|a lost dog
life at sea|a bank robbery|high school|a paris café|friendship|the price of fame|a summer in maine
three sisters|a country doctor|jazz musicians|a night train|city politics""".replace("\n", "|").split("|")
PLACES = "a small town|paris|new york|the old west|a girls ' school|the arctic|1920s chicago|rural france".split("|")
FILLERS = """set in {place} ,|at {minutes} minutes ,|like the director 's last work ,|for the most part ,
in the end ,|as a study of {topic} ,|seen on a big screen ,|based on a novel about {topic} ,
shot in black and white ,|to be fair ,""".replace("\n", "|").split("|")
ADVERBS = "truly really quite often utterly very always thoroughly deeply surprisingly".split()
NEGATIONS = "is not|is never|is n't|is hardly|is far from|is anything but".split("|")
PRAISE = "i loved|i admired|i enjoyed|critics adored|you will cherish|audiences will savor".split("|")
BLAME = "i hated|i regretted|i endured|critics panned|you will resent|audiences will despise".split("|")
EFFECTS_GOOD = "delight|charm|move|engage|surprise|dazzle".split("|")
EFFECTS_BAD = "bore|irritate|disappoint|exhaust|confuse|annoy".split("|")


def _opinion(rng, good, adverb=True):
    word = rng.choice(GOOD if good else BAD)
    return f"{rng.choice(ADVERBS)} {word}" if adverb and rng.below(3) == 0 else word


def _plain(rng, good):
    return f"the {rng.choice(ASPECTS)} is {_opinion(rng, good)}"


def _negated(rng, good):
    return f"the {rng.choice(ASPECTS)} {rng.choice(NEGATIONS)} {_opinion(rng, not good, adverb=False)}"


def _phrase(rng, good):
    return f"a {_opinion(rng, good)} and {_opinion(rng, good, adverb=False)} {rng.choice(KINDS)} about {rng.choice(TOPICS)}"


def _verb(rng, good):
    return f"{rng.choice(PRAISE if good else BLAME)} the {rng.choice(ASPECTS)} of this {rng.choice(KINDS)}"


def _effect(rng, good):
    how = rng.below(3)
    if how == 0:
        return f"this {rng.choice(KINDS)} manages to {rng.choice(EFFECTS_GOOD if good else EFFECTS_BAD)}"
    if how == 1:
        return f"the {rng.choice(ASPECTS)} never fails to {rng.choice(EFFECTS_GOOD if good else EFFECTS_BAD)}"
    return f"the {rng.choice(ASPECTS)} fails to {rng.choice(EFFECTS_BAD if good else EFFECTS_GOOD)}"


def _concession(rng, good):
    return (f"the {rng.choice(ASPECTS)} may be {_opinion(rng, not good, adverb=False)} , "
            f"but {_plain(rng, good)}")


def _two(rng, good):
    return f"{_plain(rng, good)} and {_plain(rng, good)}"


# Shares of the kinds of sentence, in percent.
_SHARES = ((_plain, 22), (_phrase, 26), (_verb, 16), (_two, 12), (_negated, 12), (_effect, 8), (_concession, 4))


def sentence(rng):
    """One sentence without its label's trap: (text, label), label 1 = positive."""
    good = rng.below(2) == 1
    pick = rng.below(100)
    for make, share in _SHARES:
        if pick < share:
            break
        pick -= share
    text = make(rng, good)
    if rng.below(4) == 0:
        filler = rng.choice(FILLERS).format(topic=rng.choice(TOPICS), place=rng.choice(PLACES), minutes=80 + rng.below(100))
        text = f"{filler} {text}"
    return text + (" ." if rng.below(5) else " !"), int(good)


def splits(rng, sizes):
    """Disjoint lists of (text, label), one for each size."""
    seen, out = set(), []
    for size in sizes:
        rows = []
        while len(rows) < size:
            text, label = sentence(rng)
            if text not in seen:
                seen.add(text)
                rows.append((text, label))
        out.append(rows)
    return out
