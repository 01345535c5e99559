"""The languages of a book: what stands there in place of an English text. It knows no workbook.

A catalog is a gettext file, `locale/ja/LC_MESSAGES/sheetsim.po`, whose keys are English texts as a book in English has
them. Messages of errors (`errors.po`) and the help of the command line (`help.po`) have catalogs of their own, so that
no text of a book is taken for one of them. A key with placeholders in braces stands for all texts of that form:

    msgid "{samples} samples of {inputs} inputs"
    msgstr "{inputs} 次元のサンプル {samples} 件"

What a placeholder stands for is looked up in its turn, and stays as it is where it is no key. `{0}`, `{1}`, … stand for
numbers alone, and one in capitals, `{NAME}`, for a name, which is not looked up. Texts that are no key as a whole are
`Joined` of parts that are, or of names. An entry with a context (`msgctxt`) is for the books of the studies that it
lists, there before any other of its key: a word can have several meanings.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple
from unicodedata import east_asian_width

from sheetsim.errors import SheetsimError

ENGLISH = "en"

# Languages beside English.
LANGUAGES = ("ja",)

# The catalogs of a language: of books and what is printed, of errors, of --help.
BOOKS, ERRORS, HELP = DOMAINS = ("sheetsim", "errors", "help")

# Fonts that Excel has on Windows and macOS, where the book's own has no such letters.
FONTS = {"ja": "Yu Gothic"}

PLACEHOLDER = re.compile(r"\{(\w+)\}")
NUMBER, TEXT = r"[-+]?(?:[0-9][0-9.,]*(?:[eE][-+]?[0-9]+)?|inf|nan)", ".+?"
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")

Say = Callable[[str], str]


class Name(str):
    """A text that is one in every language: a person's word, a template's key."""

    __slots__ = ()


class Joined(str):
    """A text of parts that are said one by one: sentences, names, parts of a heading.

    most: how many letters it has at most, of which a wide one counts as 2.5, 0 for all; what is left out shows as an
    ellipsis. english: what stands in a book in English, where that is another text than the parts together.
    """

    parts: tuple[str, ...]
    most: int

    def __new__(cls, *parts: str, most: int = 0, english: str | None = None) -> "Joined":
        """The text in English."""
        made = super().__new__(cls, shortened("".join(parts) if english is None else english, most))
        made.parts, made.most = parts, most
        return made


# What stands between sentences, where a language has something there.
SPACE = Name(" ")


def sentences(*several: str) -> Joined:
    """Sentences one after another; empty ones are left out."""
    parts = [part for sentence in several if sentence for part in (SPACE, sentence)]
    return Joined(*parts[1:])


def shortened(text: str, most: int) -> str:
    """The text with so many letters, of which a wide one counts as 2.5, or all of it (0)."""
    if not most or len(text) + 1.5 * wide_letters(text) <= most:
        return text
    while text and len(text) + 1.5 * wide_letters(text) > most - 1:
        text = text[:-1]
    return f"{text}…"


def wide_letters(text: str) -> int:
    """How many letters of a text are wide, as Japanese ones are: in a terminal they take two columns."""
    return sum(east_asian_width(letter) in "WF" for letter in text)


class Language:
    """A language. code: as the key `lang` has it; font: in place of the book's own, if any."""

    def __init__(self, code: str, entries: Sequence[tuple[str, str]] = ()) -> None:
        self.code = code
        self.font = FONTS.get(code, "")
        last = dict(entries)
        self.texts = {key: text for key, text in last.items() if not PLACEHOLDER.search(key)}
        forms = [_Form(key, text) for key, text in last.items() if PLACEHOLDER.search(key)]
        # Of two that fit, the one that says more.
        self.forms = sorted(forms, key=lambda form: -len(PLACEHOLDER.sub("", form.key)))
        # By the kind of text too: of two equal ones a name is not looked up.
        self.say = lru_cache(maxsize=None, typed=True)(self._say)

    def _say(self, text: str) -> str:
        if self.code == ENGLISH or isinstance(text, Name):
            return text
        if isinstance(text, Joined):
            return shortened("".join("" if part is SPACE else self.say(part) for part in text.parts), text.most)
        if text in self.texts:
            return self.texts[text]
        form, parts = self.form_of(text)
        return text if form is None else form.filled({key: self._part(key, part) for key, part in parts.items()})

    def _part(self, key: str, part: str) -> str:
        return part if key.isupper() else self.say(part)

    def form_of(self, text: str) -> "tuple[_Form | None, dict[str, str]]":
        """The entry with placeholders that a text fits, and what stands for each of them."""
        return next(((form, parts) for form in self.forms if (parts := form.parts(text))), (None, {}))


class Messages(Language):
    """The messages of errors in a language. What stands before a message (the template, the key) is a name."""

    def _say(self, text: str) -> str:
        told = super()._say(text)
        if told != text:
            return told
        place, _, rest = text.partition(": ")
        return f"{place}: {self.say(rest)}" if rest else text

    def form_of(self, text: str) -> "tuple[_Form | None, dict[str, str]]":
        """One that does not take what stands before a message for a part of its subject."""
        several = ((form, parts) for form in self.forms if (parts := form.parts(text)))
        whole = (one for one in several if one[0].key[0] != "{" or not _has_place(next(iter(one[1].values()))))
        return next(whole, (None, {}))


def _has_place(subject: str) -> bool:
    return ": " in QUOTED.sub("", f"{subject} ")


class _Form:
    """An entry with placeholders."""

    def __init__(self, key: str, text: str) -> None:
        self.key, self.text = key, text
        self._piece = max(PLACEHOLDER.split(key)[::2], key=len)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # A group's name begins with no digit.
        return re.compile(
            "".join(
                f"(?P<_{piece}>{NUMBER if piece.isdecimal() else TEXT})" if k % 2 else re.escape(piece)
                for k, piece in enumerate(PLACEHOLDER.split(self.key))
            ),
            re.DOTALL,
        )

    def parts(self, text: str) -> dict[str, str]:
        """What stands for each placeholder, by its group in the pattern, where the text is of this form."""
        # Most forms never meet a text that has their longest piece: their patterns are not made.
        match = self._pattern.fullmatch(text) if self._piece in text else None
        return match.groupdict() if match else {}

    def filled(self, parts: Mapping[str, str]) -> str:
        """The text with what stands for each placeholder."""
        return PLACEHOLDER.sub(lambda place: parts[f"_{place[1]}"], self.text)


@cache
def language(code: str | None, study: str = "") -> Language:
    """The language of a code, English where there is none, in a book of a study.

    Raises SheetsimError for one that has no catalog.
    """
    if code is None or code == ENGLISH:
        return Language(ENGLISH)
    check_language(code)
    here = [entry for entry in entries(code) if study in entry.studies or not entry.studies]
    # The last of a key counts.
    return Language(code, [entry[:2] for entry in sorted(here, key=lambda entry: len(entry.studies))])


@cache
def messages(code: str) -> Language:
    """The messages of errors in a language."""
    return language(ENGLISH) if code == ENGLISH else Messages(code, [entry[:2] for entry in entries(code, ERRORS)])


@cache
def help_texts(code: str) -> Language:
    """The help of the command line in a language."""
    return language(ENGLISH) if code == ENGLISH else Language(code, [entry[:2] for entry in entries(code, HELP)])


class Entry(NamedTuple):
    """A text in English and in the language; studies: those that it is for, of every book where there are none."""

    key: str
    text: str
    studies: tuple[str, ...] = ()


@cache
def entries(code: str, domain: str = BOOKS) -> tuple[Entry, ...]:
    """The texts of a catalog, one of DOMAINS."""
    # A .po file as it is, so that a wheel and a checkout need no step that makes another of it.
    import polib

    path = Path(__file__).parent / "locale" / code / "LC_MESSAGES" / f"{domain}.po"
    return tuple(
        Entry(entry.msgid, entry.msgstr, tuple(entry.msgctxt.split(", ")) if entry.msgctxt else ())
        for entry in polib.pofile(str(path))
    )


def check_language(code: str | None) -> None:
    """Raises SheetsimError for a language that there is not; none given is English."""
    if code is not None and code not in (ENGLISH, *LANGUAGES):
        raise SheetsimError(f"lang must be {' or '.join((ENGLISH, *LANGUAGES))}, not {code!r}")


def counted(number: int, word: str) -> str:
    """So many of something, in words."""
    return f"1 {word}" if number == 1 else f"{number:,} {word}s"
