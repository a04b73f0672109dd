"""Keeps the entity tags of the JSON and of the XML representation apart.

The app knows one tag, the revision's. Outside, that of the XML has a suffix.

Source: RFC 9110 sections 8.8.3, 13.1.1 and 13.1.2.
"""

import re

SUFFIX = b"-xml"

_TAG = re.compile(rb'(?:W/)?"[^"]*"')


def of_xml(tag: bytes) -> bytes:
    """Return the tag of the XML representation: `"5"` becomes `"5-xml"`."""
    return tag[:-1] + SUFFIX + b'"' if tag.endswith(b'"') else tag


def for_match(value: bytes) -> bytes:
    """Return the If-Match that the app understands: any representation will do."""
    return _TAG.sub(lambda tag: _stem(tag[0]), value)


def for_none_match(value: bytes) -> bytes:
    """Return the If-None-Match that the app understands, where XML is to be sent.

    A tag of the JSON means another representation, so it is left out.
    """
    tags = _TAG.findall(value)
    ours = [_stem(tag) for tag in tags if tag.endswith(SUFFIX + b'"')]
    return b", ".join(ours) if tags else value


def _stem(tag: bytes) -> bytes:
    stem = tag.removesuffix(SUFFIX + b'"')
    return tag if stem == tag else stem + b'"'
