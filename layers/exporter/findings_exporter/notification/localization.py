"""How something is said: texts, numbers, sizes and times, in a language and a time zone.

Babel and the time zone's data are imported when the first number is written: a step without messages does not load them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from findings_exporter.model.config import Config
from findings_exporter.model.taxonomy import SEVERITIES
from findings_exporter.notification import texts_en, texts_ja

type Day = date
LANGUAGES: Mapping[str, Mapping[str, str]] = {"en": texts_en.TEXTS, "ja": texts_ja.TEXTS}
NEAR = timedelta(days=180)
"""A day that is nearer than this is written without its year."""


@dataclass(frozen=True, slots=True)
class Localization:
    """A language, and the time zone that times are written in."""

    language: str = "en"
    time_zone: str = "UTC"

    @classmethod
    def of(cls, config: Config, language: str | None = None) -> "Localization":
        """Return the deployment's language and time zone; an unknown language is English, since a message must go out."""
        wanted = language or config.language
        return cls(wanted if wanted in LANGUAGES else "en", config.time_zone)

    def say(self, text: str, **values: object) -> str:
        """Return a text, filled in."""
        return LANGUAGES[self.language][text].format(**values)

    def known(self, text: str) -> bool:
        """Return whether there is such a text."""
        return text in LANGUAGES[self.language]

    def number(self, count: float, pattern: str | None = None) -> str:
        """Return a number with its language's separators."""
        from babel.numbers import format_decimal  # noqa: PLC0415 - see the module's docstring

        return format_decimal(count, format=pattern, locale=self.language)

    def counted(self, text: str, count: int, **values: object) -> str:
        """Return a number of things, in the form that the language has for so many."""
        from babel.core import Locale  # noqa: PLC0415 - see the module's docstring

        return self.say(f"{text}_{Locale.parse(self.language).plural_form(count)}", count=self.number(count), **values)

    def listed(self, words: Iterable[str]) -> str:
        """Return words in a row."""
        return self.say("list").join(words)

    def sentences(self, sentences: Iterable[str]) -> str:
        """Return sentences one after the other."""
        return self.say("sentence_end").join(sentences)

    def severity(self, word: str) -> str:
        """Return a severity as it is written in a sentence; one that is not known as it is written."""
        return self.say(f"severity.{word}") if self.known(f"severity.{word}") else word

    def severities(self, counts: Mapping[str, int]) -> str:
        """Return counts by severity, worst first."""
        order = [*SEVERITIES, *(word for word in counts if word not in SEVERITIES)]
        return self.listed(
            self.say("count", count=self.number(counts[word]), what=self.severity(word)) for word in order if counts.get(word)
        )

    def date(self, time: datetime, pattern: str = "date") -> str:
        """Return a time as a pattern of the language has it, in the time zone."""
        from babel.dates import format_datetime  # noqa: PLC0415 - see the module's docstring

        return format_datetime(self._local(time), self.say(pattern), locale=self.language)

    def day(self, day: Day, today: Day | None = None) -> str:
        """Return a day; without its year where that is clear, since it is less than half a year from today."""
        from babel.dates import format_date  # noqa: PLC0415 - see the module's docstring

        is_near = today is not None and abs(day - today) < NEAR
        return format_date(day, self.say("day" if is_near else "date"), locale=self.language)

    def time(self, time: datetime) -> str:
        """Return a time with its zone."""
        name = self._local(time).tzname() or ""
        return f"{self.date(time, 'date_and_time')} {name if name[:1].isalpha() else f'UTC{name}'}"

    def size(self, size_bytes: int) -> str:
        """Return a size as people read it."""
        size = float(size_bytes)
        for unit in ("bytes", "kB", "MB"):
            if size < 1000:  # noqa: PLR2004 - SI units
                return self.say("bytes", count=size_bytes) if unit == "bytes" else f"{self.number(size, '#,##0.0')} {unit}"
            size /= 1000
        return f"{self.number(size, '#,##0.0')} GB"

    def duration(self, seconds: int) -> str:
        """Return a duration as people read it."""
        minutes, rest = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return self.say("hours", hours=hours, minutes=minutes)
        return self.say("minutes", minutes=minutes, seconds=rest) if minutes else self.say("seconds", seconds=rest)

    def before(self, age: timedelta) -> str:
        """Return how long before something was."""
        if age < timedelta(hours=1):
            return self.say("minutes_before", minutes=round(age / timedelta(minutes=1)))
        hours = round(age / timedelta(hours=1))
        if hours < 48:  # noqa: PLR2004 - a run that was left out is still written in hours
            return self.say("hours_before", hours=hours)
        return self.say("days_before", days=round(hours / 24))

    def _local(self, time: datetime) -> datetime:
        try:
            return time.astimezone(self._zone())
        except OverflowError:
            # The first and the last day that there are lie outside of the calendar in some time zones.
            return time.astimezone(UTC)

    def _zone(self) -> tzinfo:
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - see the module's docstring

        try:
            return ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):
            # A message must go out, and says its zone.
            return UTC
