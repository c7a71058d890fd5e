"""The elements of ``{"findings": [...]}``, cut out of a stream that is read once and never held whole.

The report passes through one buffer. It is cut at the last place that looks like the border between two elements, as the
elements before it had it, and all elements up to there are decoded where they lie. A cut at a wrong place (within a text, or
within a list of an element) leaves a bracket or a quote open, so it cannot be decoded: then, and at both ends of the
report, the elements are found by walking over their quotes and brackets. Elements that cannot be decoded together are
decoded one by one.

Nesting has a bound: the decoders refuse what is nested deeper than Python's own limit for C code, some 10,000 levels.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import msgspec

from findings_analysis.reading.errors import MalformedReportError
from findings_analysis.reading.numbers import whole_number
from findings_exporter.model.report_completeness import EDGE_BYTES

MAX_ELEMENT_BYTES = 8 << 20
"""The largest real finding that was seen has 15.7 kB. Without a cap one unclosed quote would pull in the rest of the report."""
SMALLEST_BUFFER_BYTES = 16
"""Holds a byte-order mark and the opening brace at once."""
ARRAY_NAME = "findings"

_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BRACKETS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|([\[{])|([\]}])|(")', re.DOTALL)
"""A whole text, an opening bracket, a closing one, or a quote whose text does not end here."""
_CLEAN = re.compile(rb'(?:[^"]++|"(?:[^"\\\x00-\x1f]++|\\(?!u[dD][89a-fA-F]).)*+")*+', re.DOTALL)
"""As far as every text is one that strict readers take."""
_SCALAR = re.compile(rb"[^ \t\r\n,\[\]{}\":]++")
_BORDER = re.compile(rb'[ \t\r\n]*+,[ \t\r\n]*+\{[ \t\r\n]*+"[^"\\]*+"')
_ESCAPE = re.compile(
    rb"[\x00-\x1f]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.",
    re.DOTALL,
)
UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoders raise over JSON that is broken, is not what they expect, or is nested too deeply."""
_parse = json.JSONDecoder(parse_int=whole_number, strict=False).decode


class Readable(Protocol):
    """What a report is read from: an unbuffered file, an object in S3 (:mod:`findings_analysis.reading.s3_stream`)."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the buffer, or a part of it, and return how many bytes that were; 0 is the end."""
        ...


class ElementError(Exception):
    """An element cannot be read, however patiently.

    Attributes
    ----------
    position
        In the element; 0 where it is not known.
    """

    def __init__(self, reason: str, position: int = 0) -> None:
        super().__init__(reason)
        self.position = position


class Decoder[Element, Decoded](Protocol):
    """Makes what is to be given of elements. It keeps no reference to the memory that it was given."""

    def batch(self, array: memoryview | bytes, /) -> tuple[int, Decoded]:
        """Return the number of a JSON array's elements, and what is made of them.

        It raises one of :data:`UNDECODABLE` for whatever is unusual: then :meth:`one` is asked for each element.
        """
        ...

    def one(self, element: bytes, /) -> Element:
        """Return an element, read patiently; raises ElementError."""
        ...

    def of(self, elements: list[Element], /) -> Decoded:
        """Return what is made of elements."""
        ...


class _ShortError(Exception):
    """The buffer ends before what is looked for."""


class _UnexpectedError(Exception):
    """What is there is not JSON.

    Attributes
    ----------
    position
        In the buffer.
    """

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position


def parse(text: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return a JSON value, read more patiently than msgspec does.

    NaN is taken, a number too large is infinite, and bytes that are no UTF-8 become U+FFFD.

    Raises
    ------
    ElementError
        It is no JSON, or is nested too deeply.
    """
    try:
        return _parse(text.decode(errors="replace"))
    except json.JSONDecodeError as error:
        raise ElementError(f"it is no JSON: {error.msg}", min(len(error.doc[: error.pos].encode()), len(text))) from None
    except RecursionError:
        raise ElementError("it is nested too deeply") from None


def elements[Element, Decoded](
    stream: Readable,
    decoder: Decoder[Element, Decoded],
    *,
    buffer_bytes: int,
    max_element_bytes: int = MAX_ELEMENT_BYTES,
) -> Iterator[Decoded]:
    """Give the decoded elements of the report's array, some hundreds at a time.

    Parameters
    ----------
    stream
        The report. A byte-order mark, white space of JSON's four kinds anywhere, and other members around the array are
        stood. Bare control characters in texts are taken as they are, halves of surrogate pairs and bytes that are no UTF-8 as
        U+FFFD.
    buffer_bytes
        Size of the buffer. It grows for a single element that is larger.
    max_element_bytes
        Largest element. What stands before or after the array is at most :data:`EDGE_BYTES` long, too.

    Yields
    ------
    Decoded
        What ``decoder`` made of one or more elements.

    Raises
    ------
    MalformedReportError
        The report ends too early, is no such JSON, does not fit what ``decoder`` expects, or has too large an element.
    """
    yield from _Cutter(stream, decoder, buffer_bytes, max_element_bytes).run()


def first_element_end(content: bytes, begin: int) -> int | None:
    """Return where an object ends that begins at a place; None where none begins, or it is not well nested, or not whole."""
    closing = bytearray()
    if content[begin : begin + 1] == b"{":
        for token in _BRACKETS.finditer(content, begin):
            match token.lastindex:
                case 1:
                    closing += b"}" if token[1] == b"{" else b"]"
                case 2 if closing.pop() != ord(token[2]):
                    break
                case 2 if not closing:
                    return token.end()
                case 3:
                    break
    return None


class _Cutter[Element, Decoded]:
    """One reading.

    ``buffer[start:end]`` is what was read and not yet given on. There is always room for a bracket before and after it.
    """

    def __init__(self, stream: Readable, decoder: Decoder[Element, Decoded], buffer_bytes: int, max_element_bytes: int) -> None:
        self.stream = stream
        self.decoder = decoder
        self.max_element_bytes = max_element_bytes
        self.buffer = bytearray(max(buffer_bytes, SMALLEST_BUFFER_BYTES) + 2)
        self.start = self.end = 1
        self.offset = -1
        """Of buffer[0] in the report."""
        self.ended = False
        self.findings = 0
        self.border = b""
        """What stood between two elements: a closing brace, the comma, an opening brace, and the first member's name."""

    def run(self) -> Iterator[Decoded]:
        """See :func:`elements`."""
        self.start = self.whole(self.find_array)
        closed = False
        while not closed:
            self.fill()
            found = self.cut_at_border()
            if found is None:
                found, closed = self.walk()
            if found is not None:
                count, decoded = found
                del found
                self.findings += count
                yield decoded
                # Whoever took it is done with it: it must not live on beside the next one.
                del decoded
        self.whole(self.find_end)

    def whole(self, find: Callable[[], int]) -> int:
        """Return what ``find`` returns as soon as enough is in the buffer."""
        while True:
            self.fill()
            try:
                return find()
            except _ShortError:
                self.grow("what stands before or after the findings", min(self.max_element_bytes, EDGE_BYTES))
            except _UnexpectedError as error:
                raise self.malformed(error.position, str(error)) from None

    def fill(self) -> None:
        """Move what is left to the buffer's front and read until the buffer is full, or the report ends."""
        if self.start > 1:
            left = self.end - self.start
            with memoryview(self.buffer) as view:
                view[1 : 1 + left] = view[self.start : self.end]
            self.offset += self.start - 1
            self.start, self.end = 1, 1 + left
        with memoryview(self.buffer) as view:
            while not self.ended and self.end < len(view) - 1:
                count = self.stream.readinto(view[self.end : -1])
                self.ended = not count
                self.end += count or 0

    def grow(self, what: str, most_bytes: int) -> None:
        """Make room for something larger than the buffer; fails at the report's end, and at the cap."""
        if self.ended:
            raise self.malformed(self.end, "it ends too early")
        if self.end - self.start >= most_bytes:
            raise self.malformed(self.start, f"{what} is larger than {most_bytes:,} bytes")
        # Not extended in place: what still holds the old one, such as a search that just failed, would forbid it.
        larger = bytearray(len(self.buffer) + min(len(self.buffer), most_bytes))
        larger[: self.end] = memoryview(self.buffer)[: self.end]
        self.buffer = larger

    def cut_at_border(self) -> tuple[int, Decoded] | None:
        """Decode up to the last border; None when there is none in the buffer's second half, or that cannot be decoded."""
        cut = self.buffer.rfind(self.border, self.start, self.end) if self.border else -1
        if cut < (self.start + self.end) // 2:
            return None
        try:
            found = self.decoded(self.start, cut + 1)
        except UNDECODABLE:
            return None
        self.start = cut + self.border.index(b"{")
        return found

    def walk(self) -> tuple[tuple[int, Decoded] | None, bool]:
        """Decode the elements that lie wholly in the buffer, found by their brackets; and return whether the array ends."""
        spans, position, closed = self.walk_borders()
        found = None
        if spans:
            try:
                found = self.decoded(spans[0][0], spans[-1][1])
            except UNDECODABLE:
                read = self.one_by_one(spans)
                found = len(read), self.decoder.of(read)
            self.start = position
        elif closed:
            self.start = position
        else:
            self.grow("a finding", self.max_element_bytes)
        return found, closed

    def walk_borders(self) -> tuple[list[tuple[int, int]], int, bool]:
        """Return where each whole element begins and ends, where the next one begins, and whether the array ends there."""
        spans: list[tuple[int, int]] = []
        position, closed = self.start, False
        try:
            while True:
                begin = self.skip_space(position)
                if not spans and not self.findings and self.buffer[begin] == ord("]"):
                    return spans, begin + 1, True
                self.expect(b"{", begin)
                end = self.value_end(begin)
                after = self.skip_space(end)
                closed = self.buffer[after] == ord("]")
                position = self.expect(b"]" if closed else b",", after)
                spans.append((begin, end))
                if closed:
                    break
                if border := _BORDER.match(self.buffer, end, self.end):
                    self.border = b"}" + border.group()
        except _ShortError:
            pass
        except _UnexpectedError as error:
            self.one_by_one(spans)
            self.findings += len(spans)
            raise self.malformed(error.position, str(error)) from None
        return spans, position, closed

    def decoded(self, begin: int, end: int) -> tuple[int, Decoded]:
        """Decode the elements from begin to end where they lie; what is unclean is cleaned all at once and decoded again."""
        try:
            return self.decoded_in_place(begin, end)
        except msgspec.ValidationError:
            raise  # it is a DecodeError, too, but no cleaning can help
        except msgspec.DecodeError:
            unclean = bytes(self.buffer[begin:end])
            clean = cleaned(unclean)
            if clean is unclean:
                raise
        return self.decoder.batch(b"[" + clean + b"]")

    def decoded_in_place(self, begin: int, end: int) -> tuple[int, Decoded]:
        """Decode the elements from begin to end between two brackets that are put there for the while."""
        before, after = self.buffer[begin - 1], self.buffer[end]
        self.buffer[begin - 1], self.buffer[end] = b"[]"
        try:
            # Not released here: an error that is on its way may hold what still refers to this memory.
            return self.decoder.batch(memoryview(self.buffer)[begin - 1 : end + 1])
        finally:
            self.buffer[begin - 1], self.buffer[end] = before, after

    def one_by_one(self, spans: list[tuple[int, int]]) -> list[Element]:
        """Return the elements, each read patiently; fails at the first one that cannot be read, with its place."""
        read: list[Element] = []
        for begin, end in spans:
            element = bytes(self.buffer[begin:end])
            clean = cleaned(element)
            try:
                read.append(self.decoder.one(clean))
            except ElementError as error:
                self.findings += len(read)
                position = begin + error.position if clean is element else begin
                raise self.malformed(position, f"a finding cannot be decoded: {error}") from error
        return read

    # ---- JSON, as far as the walk needs it

    def find_array(self) -> int:
        """Return where the array's first element begins."""
        position = self.start
        if self.buffer[position : min(position + len(_BOM), self.end)] == _BOM:
            position += len(_BOM)
        position = self.expect(b"{", self.skip_space(position))
        while True:
            name, position = self.member_name(position)
            if name == ARRAY_NAME:
                return self.expect(b"[", position)
            position = self.skip_space(self.checked_end(position))
            if self.buffer[position] == ord("}"):
                raise _UnexpectedError(position, f"it has no member {ARRAY_NAME!r}")
            position = self.expect(b",", position)

    def find_end(self) -> int:
        """Return where the report ends: after the array only other members may stand."""
        position = self.skip_space(self.start)
        while self.buffer[position] != ord("}"):
            name, position = self.member_name(self.expect(b",", position))
            if name == ARRAY_NAME:
                raise _UnexpectedError(position, f"it has a second member {ARRAY_NAME!r}")
            position = self.skip_space(self.checked_end(position))
        end = _SPACE.match(self.buffer, position + 1, self.end).end()  # type: ignore[union-attr] # it matches nothing, too
        if end < self.end:
            raise _UnexpectedError(end, "something stands after its end")
        if not self.ended:
            raise _ShortError
        return end

    def member_name(self, position: int) -> tuple[str, int]:
        """Return a member's name, and where its value begins."""
        begin = self.skip_space(position)
        if self.buffer[begin] != ord('"'):
            raise _UnexpectedError(begin, "a member's name was expected")
        end = self.checked_end(begin)
        return parse(cleaned(bytes(self.buffer[begin:end]))), self.skip_space(self.expect(b":", self.skip_space(end)))

    def checked_end(self, begin: int) -> int:
        """Return where a value ends that is not a finding, having looked that it is JSON."""
        end = self.value_end(begin)
        try:
            parse(cleaned(bytes(self.buffer[begin:end])))
        except ElementError as error:
            raise _UnexpectedError(begin, f"a member cannot be decoded: {error}") from None
        return end

    def value_end(self, begin: int) -> int:
        """Return where the value ends that begins here; inside it only quotes and brackets are read."""
        if self.buffer[begin] not in b'"{[':
            scalar = _SCALAR.match(self.buffer, begin, self.end)
            if not scalar:
                raise _UnexpectedError(begin, "a value was expected")
            if scalar.end() == self.end:
                raise _ShortError
            return scalar.end()
        depth = 0
        for token in _BRACKETS.finditer(self.buffer, begin, self.end):
            match token.lastindex:
                case 1:
                    depth += 1
                case 2:
                    depth -= 1
                case 3:
                    raise _ShortError
            if depth <= 0:
                return token.end()
        raise _ShortError

    def skip_space(self, position: int) -> int:
        """Return where the next thing that is not white space stands."""
        position = _SPACE.match(self.buffer, position, self.end).end()  # type: ignore[union-attr] # it matches nothing, too
        if position >= self.end:
            raise _ShortError
        return position

    def expect(self, sign: bytes, position: int) -> int:
        """Return the place after a sign that must stand here."""
        if self.buffer[position : position + 1] != sign:
            raise _UnexpectedError(position, f"{sign.decode()!r} was expected")
        return position + 1

    def malformed(self, position: int, reason: str) -> MalformedReportError:
        """Return the error that says what is wrong at a place of the buffer."""
        return MalformedReportError(reason, findings=self.findings, offset=self.offset + position)


def cleaned(json: bytes) -> bytes:
    """Return JSON as strict readers want it: control characters in texts escaped, halves of surrogate pairs replaced.

    What is clean is passed over by the regular expression alone, and comes back as the same object if it is clean as a whole.
    """
    pieces: list[bytes] = []
    taken = 0
    while text := _STRING.match(json, _CLEAN.match(json, taken).end()):  # type: ignore[union-attr] # it matches nothing, too
        pieces += json[taken : text.start()], _ESCAPE.sub(_escaped, text[0])
        taken = text.end()
    return b"".join((*pieces, json[taken:])) if pieces else json


def _escaped(match: re.Match[bytes]) -> bytes:
    found = match.group()
    if len(found) == 1:
        return b"\\u%04x" % found[0]
    # A pair of surrogates and any other escape are well as they are.
    return b"\\ufffd" if len(found) == len(b"\\ufffd") else found
