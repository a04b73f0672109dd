"""Bodies as clients write and read them, in JSON and in XML, by code of their own.

What XML leaves open (is this a number, is that a list?) is said here once more.
"""

import json

from lxml import etree  # type: ignore[import-untyped]

from tests.machine.state import JSON

TYPES = ("application/json", "application/xml")

ITEMS = {"tags": "tag", "ids": "id", "fixed_ips": "fixed_ip"}
LISTS = {
    "floating_ips",
    "servers",
    "private",
    "public",
    "tags",
    "floating_ip_info",
    "floating_ip_holds",
    "floating_ip_pools",
}
NUMBERS = {
    *("id", "instance_id", "version", "quarantine_seconds", "floating_ips"),
    *("free", "held", "resting", "reserved", "total"),
}
TRUTHS = {"true": True, "false": False}
TEXTS = {"name", "reason", "description", "tag"}


def encode(body: JSON, media_type: str) -> bytes:
    """Write the body of a request."""
    if body is None:
        return b""
    if media_type == "application/json":
        return json.dumps(body).encode()
    ((root, value),) = body.items()
    document: bytes = etree.tostring(_element(root, value), encoding="utf-8")
    return document


def _element(name: str, value: JSON) -> etree._Element:
    element = etree.Element(name)
    match value:
        case dict():
            element.extend(_element(member, each) for member, each in value.items())
        case list():
            element.extend(_element(ITEMS[name], each) for each in value)
        case bool():
            element.text = str(value).lower()
        case _:
            element.text = str(value)
    return element


def decode(content: bytes, media_type: str) -> JSON:
    """Read the body of an answer that is no refusal."""
    if not content:
        return None
    if media_type == "application/json":
        return json.loads(content)
    root = etree.fromstring(content)
    return {root.tag: _value(root, parent="")}


def _value(element: etree._Element, parent: str) -> JSON:
    name, text = element.tag, element.text
    if name in LISTS and (len(element) or not text):
        return [_value(each, name) for each in element]
    if len(element):
        return {each.tag: _value(each, name) for each in element}
    return _scalar(name, text or "", parent)


def _scalar(name: str, text: str, parent: str) -> JSON:
    if name in TEXTS or (parent, name) == ("quota_set", "id"):
        return text
    if text == "null":
        return None
    return int(text) if name in NUMBERS else TRUTHS.get(text, text)
