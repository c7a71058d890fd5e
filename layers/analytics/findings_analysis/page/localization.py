"""The page's texts in one language, and its formats of numbers, dates and times."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta
from babel.numbers import format_decimal, format_percent

from findings_analysis.page import texts_en, texts_ja

MOST_NUMBERS = 10_000
"""That are remembered as they are written: the pages of owners have the same ones again and again."""
TEXTS: Mapping[str, Mapping[str, str]] = {"en": texts_en.TEXTS, "ja": texts_ja.TEXTS}


@dataclass(frozen=True, slots=True)
class PageLocalization:
    """One language and one time zone.

    Attributes
    ----------
    texts
        By key. A text that depends on a number stands under its key and a plural form of CLDR.
    """

    locale: Locale
    texts: Mapping[str, str]
    zone: tzinfo

    def __call__(self, key: str, n: int | None = None, **values: object) -> str:
        """Return a text with its values put in.

        Parameters
        ----------
        n
            The number that decides on the form; the text has it as ``{n}``.
        """
        if n is not None:
            form = f"{key}.{self.locale.plural_form(n)}"
            key = form if form in self.texts else f"{key}.other"
            values["n"] = self.number(n)
        return self.texts[key].format(**values)

    def known(self, group: str, name: str) -> str:
        """Return the word for a code; a code without a word, such as one that AWS adds later, stays as it is."""
        return self.texts.get(f"{group}.{name}", name)

    def number(self, value: float) -> str:
        """Return a number with the separators of the language."""
        return _formatted(value, self.locale)

    def share(self, value: float) -> str:
        """Return a share from 0 to 1 as per cent, to a hundredth."""
        return format_percent(value, "#,##0.##%", locale=self.locale)

    def day(self, value: str) -> str:
        """Return a day or the day of a time, of ISO 8601."""
        day = date.fromisoformat(value) if len(value) == len("2026-11-25") else self._local(value).date()
        return self._date(day)

    def time(self, value: str) -> str:
        """Return a time of ISO 8601 in the time zone, which it names."""
        local = self._local(value)
        clock = format_time(local, "HH:mm", tzinfo=local.tzinfo, locale=self.locale)  # as the mail has it
        return f"{self._date(local.date())} {clock} {local.tzname()}"

    def duration(self, seconds: int) -> str:
        """Return a duration in words."""
        return format_timedelta(timedelta(seconds=seconds), locale=self.locale)

    def _date(self, day: date) -> str:
        return format_date(day, self.texts["date"], locale=self.locale)

    def _local(self, value: str) -> datetime:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        try:
            return moment.astimezone(self.zone)
        except OverflowError:
            # In some time zones the first and the last possible day are outside of the calendar.
            return moment.astimezone(UTC)


@lru_cache(MOST_NUMBERS)
def _formatted(value: float, locale: Locale) -> str:
    return format_decimal(value, locale=locale)


def page_localization(language: str, time_zone: str) -> PageLocalization:
    """Return the texts and formats of a language.

    Parameters
    ----------
    time_zone
        A name of the IANA database. If it is unknown, times are in UTC and say so.

    Raises
    ------
    ValueError
        The page has no such language.
    """
    if language not in TEXTS:
        raise ValueError(f"The page has no language {language!r}. Use one of {', '.join(sorted(TEXTS))}.")
    return PageLocalization(Locale.parse(language), TEXTS[language], zone(time_zone) or UTC)


def zone(name: str) -> tzinfo | None:
    """Return a time zone, or None where its name is not known."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
