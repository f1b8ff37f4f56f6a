#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""German-English sentences about numbers, dates, times of day and prices, in words and in figures.

The sentences are compositional: their parts recur, their combinations are many. A tenth of the numbers, dates, times and
prices is held out: no sentence of `train` has one of these, every sentence of `valid` and `test` has, so who translates
`test` well has learnt how German numbers and times are built ("halb vier" is half past three), not a list.

Writes train, valid and test as FOLDER/<part>.de and FOLDER/<part>.en. Same seed, same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

ONES_DE = [
    "null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf",
    "dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn",
]  # fmt: skip
TENS_DE = ["", "", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"]
ONES_EN = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
TENS_EN = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
ORDINALS_EN = [
    "", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth",
]  # fmt: skip
MONTHS = [
    ("Januar", "January"), ("Februar", "February"), ("März", "March"), ("April", "April"), ("Mai", "May"),
    ("Juni", "June"), ("Juli", "July"), ("August", "August"), ("September", "September"), ("Oktober", "October"),
    ("November", "November"), ("Dezember", "December"),
]  # fmt: skip
WEEKDAYS = [
    ("Montag", "Monday"), ("Dienstag", "Tuesday"), ("Mittwoch", "Wednesday"), ("Donnerstag", "Thursday"),
    ("Freitag", "Friday"), ("Samstag", "Saturday"), ("Sonntag", "Sunday"),
]  # fmt: skip
GOODS = [
    ("das Buch", "the book"), ("der Tisch", "the table"), ("die Lampe", "the lamp"), ("das Fahrrad", "the bicycle"),
    ("der Mantel", "the coat"), ("die Uhr", "the watch"), ("das Brot", "the bread"), ("der Stuhl", "the chair"),
]  # fmt: skip
PLURALS = [
    ("Äpfel", "apples"), ("Bücher", "books"), ("Stühle", "chairs"), ("Karten", "tickets"), ("Flaschen", "bottles"),
    ("Kinder", "children"), ("Bäume", "trees"), ("Briefe", "letters"),
]  # fmt: skip
EVENTS = [
    ("der Zug fährt {}", "the train leaves {}"), ("das Konzert beginnt {}", "the concert begins {}"),
    ("der Laden öffnet {}", "the shop opens {}"), ("das Treffen ist {}", "the meeting is {}"),
    ("wir essen {}", "we eat {}"), ("sie kommt {}", "she comes {}"),
]  # fmt: skip

Pair = tuple[str, str]


def german(n: int, counting: bool = True) -> str:
    """0 to 999 in German; before a noun (not counting) one is "ein"."""
    if n >= 100:
        hundreds = "ein" if n < 200 else ONES_DE[n // 100]
        return f"{hundreds}hundert" + (german(n % 100, counting) if n % 100 else "")
    if n < 20:
        return "ein" if n == 1 and not counting else ONES_DE[n]
    ones = "ein" if n % 10 == 1 else ONES_DE[n % 10]
    return (f"{ones}und" if n % 10 else "") + TENS_DE[n // 10]


def english(n: int) -> str:
    """0 to 999 in English."""
    if n >= 100:
        return f"{ONES_EN[n // 100]} hundred" + (f" and {english(n % 100)}" if n % 100 else "")
    if n < 20:
        return ONES_EN[n]
    return TENS_EN[n // 10] + (f"-{ONES_EN[n % 10]}" if n % 10 else "")


def german_day(n: int) -> str:
    """The ordinal of a day of the month with the ending it has after "der"."""
    irregular = {1: "erste", 3: "dritte", 7: "siebte", 8: "achte"}
    return irregular.get(n) or german(n) + ("te" if n < 20 else "ste")


def english_day(n: int) -> str:
    if n <= 20:
        return ORDINALS_EN[n]
    return "thirtieth" if n == 30 else f"{TENS_EN[n // 10]}-{ORDINALS_EN[n % 10]}"


@dataclass(frozen=True)
class Phrase:
    """A number, date, time or price: what it is, and how both languages say it."""

    value: str
    german: str
    english: str

    def is_held_out(self) -> bool:
        return hashlib.sha256(self.value.encode()).digest()[0] % 10 == 0


def number(rng: random.Random) -> Phrase:
    n = rng.randrange(2, 1000) if rng.random() < 0.8 else rng.randrange(2, 100)
    if rng.random() < 0.25:
        return Phrase(f"number {n}", str(n), str(n))
    return Phrase(f"number {n}", german(n, counting=False), english(n))


def date(rng: random.Random) -> Phrase:
    day, month = rng.randrange(1, 32), rng.randrange(12)
    names = MONTHS[month]
    value = f"date {day} {month}"
    if rng.random() < 0.5:
        year = f" {rng.randrange(1950, 2030)}" if rng.random() < 0.5 else ""
        return Phrase(value + year, f"am {day}. {names[0]}{year}", f"on {day} {names[1]}{year}")
    return Phrase(value, f"am {german_day(day)}n {names[0]}", f"on the {english_day(day)} of {names[1]}")


def time_in_words(rng: random.Random) -> Phrase:
    hour, minute = rng.randrange(1, 12), rng.choice((0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55))
    value = f"time {hour} {minute}"
    this, following = hour, hour + 1
    de = {
        0: f"{german(this, counting=False)} Uhr", 15: f"Viertel nach {german(this)}", 25: f"fünf vor halb {german(following)}",
        30: f"halb {german(following)}", 35: f"fünf nach halb {german(following)}", 45: f"Viertel vor {german(following)}",
    }  # fmt: skip
    en = {0: f"{english(this)} o'clock", 15: f"quarter past {english(this)}", 30: f"half past {english(this)}",
          45: f"quarter to {english(following)}"}  # fmt: skip
    if minute < 30:
        de.setdefault(minute, f"{german(minute)} nach {german(this)}")
        en.setdefault(minute, f"{english(minute)} past {english(this)}")
    else:
        de.setdefault(minute, f"{german(60 - minute)} vor {german(following)}")
        en.setdefault(minute, f"{english(60 - minute)} to {english(following)}")
    return Phrase(value, f"um {de[minute]}", f"at {en[minute]}")


def time_in_figures(rng: random.Random) -> Phrase:
    hour, minute = rng.randrange(24), rng.randrange(60)
    half = "a.m." if hour < 12 else "p.m."
    return Phrase(f"clock {hour} {minute}", f"um {hour}:{minute:02} Uhr", f"at {(hour + 11) % 12 + 1}:{minute:02} {half}")


def time(rng: random.Random) -> Phrase:
    return time_in_words(rng) if rng.random() < 0.5 else time_in_figures(rng)


def price(rng: random.Random) -> Phrase:
    euros, cents = rng.randrange(2, 100), rng.randrange(1, 100)
    value = f"price {euros} {cents}"
    if rng.random() < 0.5:
        return Phrase(value, f"{euros},{cents:02} Euro", f"€{euros}.{cents:02}")
    if rng.random() < 0.5:
        return Phrase(f"number {euros}", f"{german(euros)} Euro", f"{english(euros)} euros")
    return Phrase(value, f"{german(euros)} Euro {german(cents)}", f"{english(euros)} euros {english(cents)}")


def sentence(rng: random.Random) -> tuple[Pair, list[Phrase]]:
    """One pair and the phrases in it."""
    form = rng.randrange(6)
    if form == 0:
        count, things = number(rng), rng.choice(PLURALS)
        return (f"wir haben {count.german} {things[0]}", f"we have {count.english} {things[1]}"), [count]
    if form == 1:
        cost, thing = price(rng), rng.choice(GOODS)
        return (f"{thing[0]} kostet {cost.german}", f"{thing[1]} costs {cost.english}"), [cost]
    if form == 2:
        count, cost, things = number(rng), price(rng), rng.choice(PLURALS)
        return (f"{count.german} {things[0]} kosten {cost.german}", f"{count.english} {things[1]} cost {cost.english}"), [count, cost]
    event = rng.choice(EVENTS)
    if form == 3:
        moment = time(rng)
        return (event[0].format(moment.german), event[1].format(moment.english)), [moment]
    if form == 4:
        day, moment = date(rng), time(rng)
        # German tells the day first, English the time.
        return (event[0].format(f"{day.german} {moment.german}"), event[1].format(f"{moment.english} {day.english}")), [day, moment]
    weekday, moment = rng.choice(WEEKDAYS), time(rng)
    return (event[0].format(f"am {weekday[0]} {moment.german}"), event[1].format(f"{moment.english} on {weekday[1]}")), [moment]


def capitalised(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


def collect(rng: random.Random, count: int, held_out: bool, taken: set[str]) -> list[Pair]:
    """Distinct pairs, with at least one phrase that is held out, or with none."""
    pairs: list[Pair] = []
    while len(pairs) < count:
        (de, en), phrases = sentence(rng)
        if any(phrase.is_held_out() for phrase in phrases) != held_out or de in taken:
            continue
        taken.add(de)
        pairs.append((capitalised(de), capitalised(en)))
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the files go")
    parser.add_argument("--train", type=int, default=40000, help="pairs to train on")
    parser.add_argument("--held-out", type=int, default=300, help="pairs each of valid and test")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    taken: set[str] = set()
    args.folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", args.train), ("valid", args.held_out), ("test", args.held_out)):
        pairs = collect(rng, count, part != "train", taken)
        for side, language in enumerate(("de", "en")):
            text = "".join(pair[side] + "\n" for pair in pairs)
            (args.folder / f"{part}.{language}").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
