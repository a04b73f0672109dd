"""What a client accepts, and what it says its own body is.

Both are one pass over the header, because uvicorn hands on headers of 60 kB: no regular
expression here can backtrack.

Source: RFC 9110 sections 5.6, 8.3 and 12.5.1; the choices where it leaves one are
those of NEGOTIATION 2.1.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

BLANKS = " \t"
CACHED_LENGTH = 256
"""Characters of a header that is remembered; longer ones are read each time."""

_is_token = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_is_quoted = re.compile(
    r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
).fullmatch
_is_weight = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?|\.[0-9]{1,3}").fullmatch
_unescape = re.compile(r"\\(.)", re.DOTALL).sub


@dataclass(frozen=True, slots=True)
class Offer:
    """A media type that the service can send."""

    media_type: str
    content_type: bytes
    is_xml: bool


JSON = Offer("application/json", b"application/json", is_xml=False)
XML = Offer("application/xml", b"application/xml", is_xml=True)
TEXT_XML = Offer("text/xml", b"text/xml; charset=utf-8", is_xml=True)
VENDOR_JSON = Offer(
    "application/vnd.openstack.compute+json",
    b"application/vnd.openstack.compute+json",
    is_xml=False,
)
VENDOR_XML = Offer(
    "application/vnd.openstack.compute+xml",
    b"application/vnd.openstack.compute+xml",
    is_xml=True,
)
OFFERS = (JSON, XML, TEXT_XML, VENDOR_JSON, VENDOR_XML)
"""In the order of preference where the client has none."""


class MediaType(NamedTuple):
    """A Content-Type, in lower case."""

    name: str
    charset: str | None


class _Range(NamedTuple):
    """A media range; `name` is empty if its parameters fit nothing we send."""

    name: str
    has_charset: bool
    weight: int
    """Thousandths."""


def choose(accept: str) -> Offer | None:
    """Return the offer that the client likes best, or None if it likes none.

    Several Accept lines are one list: the caller joins them with commas.
    """
    if len(accept) <= CACHED_LENGTH:
        return _choose_cached(accept)
    return _choose(accept)


def parse_content_type(value: str) -> MediaType | None:
    """Return the media type, or None if the header is malformed."""
    head, *rest = _split(value, ";")
    name = head.strip(BLANKS).lower()
    parameters = _parameters(rest)
    if not _is_media_type(name) or parameters is None:
        return None
    charset = parameters.get("charset")
    return MediaType(name, None if charset is None else _unquote(charset).lower())


def _choose(accept: str) -> Offer | None:
    weights = _weights(accept)
    if not weights:
        return JSON
    best, best_rank = None, (0, True)
    for offer in OFFERS:
        rank = _rank(offer, weights)
        if rank > best_rank:
            best, best_rank = offer, rank
    return best


_choose_cached = lru_cache(maxsize=256)(_choose)


def _weights(accept: str) -> dict[tuple[str, bool], int]:
    """Return the weight of each range; of a range named twice, the greater one."""
    weights: dict[tuple[str, bool], int] = {}
    for name, has_charset, weight in _ranges(accept):
        key = name, has_charset
        weights[key] = max(weight, weights.get(key, 0))
    return weights


def _rank(offer: Offer, weights: dict[tuple[str, bool], int]) -> tuple[int, bool]:
    """Return the weight that the most specific range gives, and if it names the offer.

    Source: RFC 9110 section 12.5.1.
    """
    whole_type = offer.media_type.partition("/")[0] + "/*"
    for name in (offer.media_type, whole_type, "*/*"):
        for has_charset in (True, False):
            weight = weights.get((name, has_charset))
            if weight is not None:
                return weight, name == offer.media_type
    return 0, False


def _ranges(accept: str) -> Iterator[_Range]:
    """Yield the well-formed members of the list; the others are void."""
    for member in _split(accept, ","):
        media_range = _parse_range(member) if member else None
        if media_range is not None:
            yield media_range


def _parse_range(member: str) -> _Range | None:
    head, *rest = _split(member, ";")
    name = head.strip(BLANKS).lower()
    # Java's HttpURLConnection sends "*; q=.2", as if it were "*/*".
    name = "*/*" if name == "*" else name
    parameters = _parameters(rest)
    if not _is_range(name) or parameters is None:
        return None
    weight = parameters.pop("q", "1")
    if not _is_weight(weight):
        return None
    fits = _fits(parameters)
    return _Range(name if fits else "", bool(parameters), round(float(weight) * 1000))


def _fits(parameters: dict[str, str]) -> bool:
    """Tell whether all we send has these parameters: UTF-8, and nothing else."""
    return all(
        name == "charset" and _unquote(value).lower() in ("utf-8", "utf8")
        for name, value in parameters.items()
    )


def _is_media_type(name: str) -> bool:
    main, _, subtype = name.partition("/")
    return bool(_is_token(main) and _is_token(subtype))


def _is_range(name: str) -> bool:
    return _is_media_type(name) and (name == "*/*" or not name.startswith("*/"))


def _parameters(pieces: list[str]) -> dict[str, str] | None:
    """Return the parameters, quotes included, or None if one is malformed or twice.

    Empty ones are allowed: RFC 9110 section 5.6.6.
    """
    parameters: dict[str, str] = {}
    for piece in pieces:
        name, equals, value = piece.strip(BLANKS).partition("=")
        if not (name or equals):
            continue
        name = name.lower()
        sound = _is_token(name) and (_is_token(value) or _is_quoted(value))
        if not sound or name in parameters:
            return None
        parameters[name] = value
    return parameters


def _unquote(value: str) -> str:
    return _unescape(r"\1", value[1:-1]) if value.startswith('"') else value


def _split(text: str, separator: str) -> list[str]:
    """Cut at the separators that stand outside of quoted strings.

    A quotation mark opens a string only behind "=", so that a stray one spoils
    nothing but its own member.
    """
    if '"' not in text:
        return text.split(separator)
    pieces: list[str] = []
    start, before, quoted = 0, "", False
    for position, character in enumerate(text):
        if character == separator and not quoted:
            pieces.append(text[start:position])
            start = position + 1
        quoted = _stays_quoted(before, character, quoted=quoted)
        escaped = quoted and before == "\\"
        before = "" if escaped else character
    return [*pieces, text[start:]]


def _stays_quoted(before: str, character: str, *, quoted: bool) -> bool:
    """Tell whether the text behind the character stands in a quoted string."""
    if character != '"':
        return quoted
    return before == "\\" if quoted else before == "="
