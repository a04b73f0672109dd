"""Reads the XML of a request, strictly and within bounds.

One `Parse` of a body of 64 KiB at most, and no DOCTYPE: that leaves no entities, no
defaulted attributes, nothing to fetch and no token that comes in pieces, which are
what the attacks on expat need. Only `MalformedBody`, `TooLarge` and `UnsupportedType`
come out.

Source: XML 1.0; Namespaces in XML 1.0; RFC 7303 section 3; NEGOTIATION 1.1.
"""

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from app.errors import MalformedBody, TooLarge, UnsupportedType, quote

NAMESPACE = "http://docs.openstack.org/compute/api/v1.1"
"""The one namespace that elements may be in; most are in none."""

MAX_BODY = 64 * 1024
"""Bytes."""
MAX_DEPTH = 8
MAX_ELEMENTS = 4096
MAX_TEXT = 4096
"""Characters of one element, white space included."""
MAX_ATTRIBUTES = 8
"""Namespace declarations of one element; there are no other attributes."""
MAX_NAME = 300
"""Characters. Names come back in refusals."""

WHITE_SPACE = " \t\r\n"
XML_TYPES = (
    "application/xml, text/xml; charset=utf-8, application/vnd.openstack.compute+xml"
)

_UTF_8, _ASCII, _UTF_16 = "utf-8", "us-ascii", "utf-16"
_ENCODINGS = {
    "utf-8": _UTF_8,
    "utf8": _UTF_8,
    "us-ascii": _ASCII,
    "ascii": _ASCII,
    "utf-16": _UTF_16,
    "utf-16le": _UTF_16,
    "utf-16be": _UTF_16,
}
_MARKS = {
    # UTF-32 comes first: its little-endian mark begins with that of UTF-16.
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xef\xbb\xbf": _UTF_8,
    b"\xff\xfe": _UTF_16,
    b"\xfe\xff": _UTF_16,
}
_DECLARED = re.compile(
    rb"<\?xml[ \t\r\n][^<>]{0,200}?[ \t\r\n]encoding[ \t\r\n]{0,9}=[ \t\r\n]{0,9}"
    rb"""["']([^"'<>]{1,80})["']"""
)


@dataclass(slots=True)
class Element:
    """An element: either text, without the white space around it, or children."""

    name: str
    text: str = ""
    children: list["Element"] = field(default_factory=list)


def read(body: bytes, charset: str | None = None) -> Element:
    """Return the root element of an XML document.

    `charset` is the parameter of the Content-Type, in lower case.

    Raises MalformedBody, TooLarge or UnsupportedType.
    """
    if len(body) > MAX_BODY:
        raise TooLarge(MAX_BODY)
    parser = expat.ParserCreate(_encoding(body, charset), " ")
    tree = _Tree(parser)
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise _ill_formed(error) from None
    return tree.root


def _ill_formed(error: expat.ExpatError) -> MalformedBody:
    return MalformedBody(
        f"The XML is not well-formed: {expat.ErrorString(error.code)}, "
        f"line {error.lineno}, column {error.offset + 1}."
    )


def _encoding(body: bytes, charset: str | None) -> str:
    """Return the encoding: byte order mark, then parameter, then declaration.

    Source: RFC 7303 section 3.
    """
    for mark, encoding in _MARKS.items():
        if body.startswith(mark):
            return _known(encoding)
    declared = _DECLARED.match(body)
    name = charset or (declared[1].decode("latin-1").lower() if declared else _UTF_8)
    encoding = _known(name)
    # expat would take a NUL here for UTF-16, whatever it is told.
    if encoding == _UTF_16 or b"\x00" in body[:2]:
        raise _foreign_encoding("utf-16 without a byte order mark")
    return encoding


def _known(name: str) -> str:
    if name not in _ENCODINGS:
        raise _foreign_encoding(name)
    return _ENCODINGS[name]


def _foreign_encoding(name: str) -> UnsupportedType:
    return UnsupportedType(
        f"XML in the encoding {quote(name)} cannot be read; send UTF-8.",
        {"Accept": XML_TYPES},
    )


def _local(name: str) -> str:
    """Return the name without the namespace that expat puts before it."""
    uri, _, local = name.rpartition(" ")
    # The prefix "xml" is bound without a declaration.
    _check_namespace(uri)
    if len(local) > MAX_NAME:
        raise MalformedBody(f"A name is longer than {MAX_NAME} characters.")
    return local


def _check_namespace(uri: str) -> None:
    if uri not in ("", NAMESPACE):
        raise MalformedBody(f"The namespace {quote(uri)} is not known.")


class _Tree:
    """Builds the elements from what expat reports, and refuses what we never need."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self._document = Element("")
        self._open = [self._document]
        self._text: list[str] = []
        self._length = 0
        self._elements = 0
        self._namespaces = 0
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartNamespaceDeclHandler = self._namespace
        parser.StartDoctypeDeclHandler = self._doctype
        parser.ProcessingInstructionHandler = self._instruction

    @property
    def root(self) -> Element:
        """Return the element that holds all others."""
        return self._document.children[0]

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        element = Element(_local(name))
        if attributes:
            raise MalformedBody(f"The element {quote(element.name)} has attributes.")
        self._refuse_mixed()
        self._elements += 1
        self._namespaces = 0
        if len(self._open) > MAX_DEPTH:
            raise MalformedBody(f"Elements are nested deeper than {MAX_DEPTH}.")
        if self._elements > MAX_ELEMENTS:
            raise MalformedBody(f"There are more than {MAX_ELEMENTS} elements.")
        self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, name: str) -> None:
        element = self._open[-1]
        if element.children:
            self._refuse_mixed()
        else:
            element.text = self._take_text()
        self._open.pop()

    def _characters(self, data: str) -> None:
        self._length += len(data)
        if self._length > MAX_TEXT:
            name = quote(self._open[-1].name)
            raise MalformedBody(
                f"The element {name} has more than {MAX_TEXT} characters of text."
            )
        self._text.append(data)

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        self._namespaces += 1
        if self._namespaces > MAX_ATTRIBUTES:
            raise MalformedBody(f"An element has over {MAX_ATTRIBUTES} attributes.")
        _check_namespace(uri or "")

    def _doctype(
        self, name: str, system: str | None, public: str | None, internal: bool
    ) -> None:
        raise MalformedBody("A DOCTYPE is not allowed.")

    def _instruction(self, target: str, data: str) -> None:
        raise MalformedBody("Processing instructions are not allowed.")

    def _refuse_mixed(self) -> None:
        if self._take_text():
            name = quote(self._open[-1].name)
            raise MalformedBody(f"The element {name} has both text and elements.")

    def _take_text(self) -> str:
        text = "".join(self._text).strip(WHITE_SPACE)
        self._text.clear()
        self._length = 0
        return text
