"""An evening in an arcade, pure: who plays when, and how well. What `manage.py demo` posts.

In: a seed, how many players, plays per second, and what they hold already. Out: an endless, repeatable stream of `Play`s.

The cast: a few hundred players whose skill is log-normal (many ordinary, a few outstanding), who come and go while the house
fills and empties in waves, who run hot now and then, and who chase the one ahead of them on the board. A few cheat: one absurd
score takes them to the top, and then they lie low. Nobody is a real person; names are put together from word lists.

Why the chase: sums drift apart with time, so a board fed by skill alone comes to rest after some minutes. A chaser plays
better the further behind, so the top stays a pack in which places change all evening. Scores stay bounded: they
grow with the gap to the one ahead only up to `CHASE_LIMIT` of what the player usually makes.
"""

import heapq
import itertools
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

PLAYERS_LIMIT = 5_000
FIRST_WORDS = (
    "Astro Atomic Binary Blaze Bonus Chrome Cosmic Crimson Cyber Disco Dizzy Electric Fuzzy Galactic Ghost Glitch Golden Hyper "
    "Infra Jumbo Laser Lucky Lunar Magma Mega Midnight Neon Nitro Omega Pixel Plasma Polar Quantum Radical Retro Rocket Rogue "
    "Rusty Savage Shadow Silver Sonic Static Stellar Super Synth Thunder Toxic Turbo Ultra Velvet Vector Wicked Zero"
)
SECOND_WORDS = (
    "Ace Badger Bandit Beetle Bishop Blob Boomer Cactus Cobra Comet Condor Dragon Duchess Falcon Ferret Fox Gecko Gopher Hammer "
    "Hornet Jester Joker Kitten Knight Lobster Lynx Mango Mantis Maverick Muffin Ninja Noodle Otter Owl Panther Pickle Pilot "
    "Pirate Puffin Queen Raven Rhino Robot Rocket Samurai Shark Sphinx Tiger Toaster Unicorn Viper Waffle Wizard Wolf Yeti"
)
MODES = {"classic": 1.0, "blitz": 0.5, "survival": 1.6, "duel": 0.8}  # mode -> how its scores compare to classic's
TYPICAL_SCORE = 1_000  # of an ordinary player in classic
SKILL_SPREAD = 0.6  # sigma of the log-normal: the best of 300 makes about five times the ordinary score
LUCK_SPREAD = 0.35  # sigma from play to play
HOT_CHANCE = 0.04  # of a play to begin a streak
CHASE_CHANCE = 0.35  # of a play to be somebody's near the top who goes for the one ahead
CHASED_RANKS = 14  # how far down the chase goes: a little below what the page shows
CHASE_LIMIT = 4.0  # times the usual score that a chaser makes at most
CHEATERS_SHARE = 0.01
CHEAT_EVERY_S = 45.0  # on average, over all cheaters
WAVE_S = 1_800.0  # from one rush to the next
QUIET, BUSY = 0.35, 0.75  # share of the cast that is in the house in a lull and in a rush
DOOR_CHANCE = 0.15  # of a play to see somebody come in or leave


class Play(NamedTuple):
    """One play that ends `delay_s` after the one before. Those at the start with delay 0 were played before the doors opened."""

    delay_s: float
    player: str
    name: str
    score: int
    game_mode: str
    metadata: dict[str, Any]


@dataclass(slots=True, eq=False)
class Guest:
    """One of the cast. `usual` is the score that it makes in classic, `total` what it holds on the board of sums."""

    player: str
    name: str
    usual: float
    mode: str
    level: int
    total: int = 0
    hot_plays: int = 0  # left in the streak
    streak: int = 0


@dataclass(slots=True)
class Evening:
    """The house at one moment: who is in, who is not, and how late it is."""

    rng: random.Random
    cast: list[Guest]
    cheaters: list[Guest]
    inside: list[Guest] = field(default_factory=list)
    outside: list[Guest] = field(default_factory=list)
    now_s: float = 0.0


def evening(*, seed: int, players: int = 300, rate: float = 20.0, totals: Mapping[str, int] | None = None) -> Iterator[Play]:
    """An endless evening: one play each of everyone who holds nothing yet, then `rate` plays a second.

    The same arguments give the same plays. `totals` is what players hold already (player -> sum), from an earlier evening.
    """
    if not 2 <= players <= PLAYERS_LIMIT:
        raise ValueError(f"players must be from 2 to {PLAYERS_LIMIT}, not {players}")
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(f"rate must be above 0, not {rate}")
    house = _open_house(random.Random(seed), players, totals or {})  # noqa: S311 - a simulation, repeatable on purpose
    for guest in [guest for guest in house.cast if guest.total == 0]:
        yield _scored(guest, _afternoon(house.rng, guest), 0.0, {"level": guest.level})
    while True:
        delay_s = house.rng.expovariate(rate)
        house.now_s += delay_s
        _door(house)
        if house.rng.random() < delay_s / CHEAT_EVERY_S:
            yield _cheat(house, delay_s)
        elif house.rng.random() < CHASE_CHANCE and (chase := _pick_chase(house)) is not None:
            yield _chase(house.rng, *chase, delay_s)
        else:
            yield _ordinary(house.rng, house.rng.choice(house.inside), delay_s)


# --- The cast -----------------------------------------------------------------------------------------------------------


def _open_house(rng: random.Random, players: int, totals: Mapping[str, int]) -> Evening:
    cast = [_guest(rng, name, totals) for name in _names(rng, players)]
    house = Evening(rng=rng, cast=cast, cheaters=rng.sample(cast, max(1, round(players * CHEATERS_SHARE))))
    house.inside = rng.sample(cast, max(1, round(players * _share_inside(0.0))))
    inside = {guest.player for guest in house.inside}
    house.outside = [guest for guest in cast if guest.player not in inside]
    return house


def _guest(rng: random.Random, name: str, totals: Mapping[str, int]) -> Guest:
    player = name.lower().replace(" ", "-")
    usual = TYPICAL_SCORE * rng.lognormvariate(0, SKILL_SPREAD)
    return Guest(player, name, usual, rng.choice(list(MODES)), rng.randint(1, 30), total=max(0, totals.get(player, 0)))


def _names(rng: random.Random, count: int) -> list[str]:
    """Different names; numbers come in only when the words are used up."""
    first_words, second_words = FIRST_WORDS.split(), SECOND_WORDS.split()
    pairs = len(first_words) * len(second_words)
    names = []
    for number in rng.sample(range(pairs * (1 + count // pairs)), count):
        first, second = divmod(number % pairs, len(second_words))
        suffix = f" {1 + number // pairs}" if number >= pairs else ""
        names.append(f"{first_words[first]} {second_words[second]}{suffix}")
    return names


# --- Coming and going -------------------------------------------------------------------------------------------------


def _share_inside(now_s: float) -> float:
    return QUIET + (BUSY - QUIET) * (0.5 + 0.5 * math.sin(2 * math.pi * now_s / WAVE_S))


def _door(house: Evening) -> None:
    """Now and then one comes or goes, more often the way that the wave runs."""
    if house.rng.random() >= DOOR_CHANCE:
        return
    too_few = len(house.inside) < len(house.cast) * _share_inside(house.now_s)
    coming = too_few != (house.rng.random() < 0.25)  # some go against the wave
    if coming and house.outside:
        _move(house.rng, house.outside, house.inside)
    elif not coming and len(house.inside) > 1:
        _move(house.rng, house.inside, house.outside).streak = 0


def _move(rng: random.Random, source: list[Guest], target: list[Guest]) -> Guest:
    """Take one at random, in constant time: the last fills the gap."""
    index = rng.randrange(len(source))
    source[index], source[-1] = source[-1], source[index]
    target.append(source.pop())
    return target[-1]


# --- Playing ------------------------------------------------------------------------------------------------------------


def _scored(guest: Guest, score: int, delay_s: float, metadata: dict[str, Any]) -> Play:
    guest.total += score
    return Play(delay_s, guest.player, guest.name, score, guest.mode, metadata)


def _made(rng: random.Random, guest: Guest) -> float:
    """What one play brings this time, before streaks."""
    return guest.usual * MODES[guest.mode] * rng.lognormvariate(0, LUCK_SPREAD)


def _rounded(score: float) -> int:
    return 10 * max(1, round(score / 10))  # arcade scores end in 0, and nobody plays for nothing


def _afternoon(rng: random.Random, guest: Guest) -> int:
    """What was played before the doors opened, in one score."""
    return _rounded(_made(rng, guest) * rng.uniform(2, 8))


def _ordinary(rng: random.Random, guest: Guest, delay_s: float) -> Play:
    if rng.random() < 0.1:
        guest.mode = rng.choice(list(MODES))
    if guest.hot_plays == 0 and rng.random() < HOT_CHANCE:
        guest.hot_plays = rng.randint(3, 8)
    guest.streak = guest.streak + 1 if guest.hot_plays else 0
    guest.hot_plays = max(0, guest.hot_plays - 1)
    guest.level += rng.random() < 0.1
    score = _rounded(_made(rng, guest) * (1 + 0.25 * guest.streak))
    return _scored(guest, score, delay_s, {"level": guest.level, "streak": guest.streak})


def _pick_chase(house: Evening) -> tuple[Guest, Guest] | None:
    """One of the top who is in the house, and the one just ahead; None if there is none."""
    top = heapq.nlargest(CHASED_RANKS, house.cast, key=lambda guest: guest.total)
    inside = {id(guest) for guest in house.inside}
    pairs = [(chaser, rival) for rival, chaser in itertools.pairwise(top) if id(chaser) in inside]
    return house.rng.choice(pairs) if pairs else None


def _chase(rng: random.Random, chaser: Guest, rival: Guest, delay_s: float) -> Play:
    """About what the gap is, above the usual and below the possible: it may or may not be enough."""
    usual = chaser.usual * MODES[chaser.mode]
    gap = (rival.total - chaser.total) * rng.uniform(0.6, 1.5)
    score = _rounded(min(max(gap, _made(rng, chaser) * 0.3), usual * CHASE_LIMIT))
    return _scored(chaser, score, delay_s, {"level": chaser.level, "rival": rival.player})


def _cheat(house: Evening, delay_s: float) -> Play:
    """One absurd score: to the top, and some."""
    cheater = house.rng.choice(house.cheaters)
    leader = max(guest.total for guest in house.cast)
    score = _rounded(leader - cheater.total + TYPICAL_SCORE * house.rng.uniform(5, 40))
    return _scored(cheater, score, delay_s, {"level": 255, "seconds": 1})
