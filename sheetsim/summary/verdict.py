"""The words of verdicts: each is declared once, with what it means and whether that is good news."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

Tone = Literal["good", "warning", "bad", "neutral"]


class Verdict(Struct, frozen=True):
    """A word that a verdict can say. meaning: in a sentence, with its limits; tone: how its cells look."""

    word: str
    meaning: str
    tone: Tone


def meanings(verdicts: Iterable[Verdict]) -> dict[str, str]:
    """Each word with what it means."""
    return {verdict.word: verdict.meaning for verdict in verdicts}


def tones(*several: Iterable[Verdict]) -> dict[str, str]:
    """Each word with its tone, as a page's verdicts have it."""
    return {verdict.word: verdict.tone for verdicts in several for verdict in verdicts}
