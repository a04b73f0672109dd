import json
from typing import Annotated, Any, Literal
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field

from app.errors import MalformedBody
from app.wire.xml_codec import DECLARATION, FAULTS, Codec, Unwritable, escape
from app.wire.xml_reader import MAX_TEXT, NAMESPACE, WHITE_SPACE
from app.wire.xml_shapes import NoShape


def named(name: str) -> ConfigDict:
    return ConfigDict(json_schema_extra={"xml": {"name": name}})


class Address(BaseModel):
    model_config = named("address")

    version: Literal[4, 6]
    addr: str


class Addresses(BaseModel):
    private: list[Address]
    public: list[Address] | None


class Server(BaseModel):
    model_config = named("server")

    id: int
    name: str
    active: bool
    load: float | None
    addresses: Addresses
    note: str = ""


class OneServer(BaseModel):
    server: Server


class ManyServers(BaseModel):
    servers: list[Server]


FixedIP = Annotated[str, Field(json_schema_extra={"xml": {"name": "fixed_ip"}})]


class Limits(BaseModel):
    servers: int | None = None


class NewServer(BaseModel):
    name: str
    fixed_ips: list[FixedIP] | None = None
    size: int | str = 1
    load: float = 0.0
    shared: bool | None = False
    limits: Limits | None = None


class RegisterBody(BaseModel):
    server: NewServer


class AllocateBody(BaseModel):
    pool: str | None = None
    count: int = 1


class RangeBody(BaseModel):
    ip_range: str


CODEC = Codec(
    requests=[RegisterBody, AllocateBody, RangeBody], answers=[OneServer, ManyServers]
)


def decoded(body: str) -> Any:
    return json.loads(CODEC.decode(body.encode()))


@pytest.mark.parametrize(
    ("body", "document"),
    [
        ("<pool>public</pool>", {"pool": "public"}),
        ("<pool/>", {"pool": ""}),
        ("<pool>null</pool>", {"pool": None}),
        ("<pool>12</pool>", {"pool": "12"}),
        ("<ip_range>null</ip_range>", {"ip_range": "null"}),
        ("<ip_range> 192.0.2.0/24 </ip_range>", {"ip_range": "192.0.2.0/24"}),
        ("<count>12</count>", {"count": 12}),
        ("<count>-1</count>", {"count": -1}),
        ("<count>٣</count>", {"count": "٣"}),
        ("<count>1_0</count>", {"count": "1_0"}),
        ("<count>1.0</count>", {"count": "1.0"}),
        ("<count/>", {"count": ""}),
        ("<count>null</count>", {"count": "null"}),
        ("<count>" + "9" * 4096 + "</count>", {"count": int("9" * 4096)}),
        ("<server/>", {"server": {}}),
    ],
)
def test_a_root_is_typed_by_its_schema(body: str, document: Any) -> None:
    assert decoded(body) == document


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("<name>12</name>", "12"),
        ("<fixed_ips/>", []),
        ("<fixed_ips>null</fixed_ips>", None),
        ("<fixed_ips><fixed_ip>1</fixed_ip></fixed_ips>", ["1"]),
        ("<fixed_ips><fixed_ip/> <fixed_ip>2</fixed_ip></fixed_ips>", ["", "2"]),
        ("<fixed_ips><fixed_ip>null</fixed_ip></fixed_ips>", ["null"]),
        ("<size>2</size>", 2),
        ("<size>big</size>", "big"),
        ("<load>2</load>", 2.0),
        ("<load>2.5e3</load>", 2500.0),
        ("<load>1e999</load>", "1e999"),
        ("<load>nan</load>", "nan"),
        ("<shared>true</shared>", True),
        ("<shared>false</shared>", False),
        ("<shared>null</shared>", None),
        ("<shared>1</shared>", "1"),
        ("<limits/>", {}),
        ("<limits>null</limits>", None),
        ("<limits><servers>null</servers></limits>", {"servers": None}),
    ],
)
def test_a_member_is_typed_by_its_schema(member: str, value: Any) -> None:
    (decoded_value,) = decoded(f"<server>{member}</server>")["server"].values()

    assert decoded_value == value
    assert type(decoded_value) is type(value)


@pytest.mark.parametrize(
    ("body", "named_element"),
    [
        ("<nobody/>", "nobody"),
        ("<servers/>", "servers"),
        ("<server><x/></server>", "x"),
        ("<server><name>a</name><name>b</name></server>", "name"),
        ("<server>text</server>", "server"),
        ("<server><name><b/></name></server>", "b"),
        ("<server><fixed_ips><ip>1</ip></fixed_ips></server>", "ip"),
        ("<server><fixed_ips>1</fixed_ips></server>", "fixed_ips"),
        ("<server><fixed_ips>null<!-- -->s</fixed_ips></server>", "fixed_ips"),
        ("<pool><pool/></pool>", "pool"),
    ],
)
def test_what_the_schema_does_not_know_is_refused_by_name(
    body: str, named_element: str
) -> None:
    with pytest.raises(MalformedBody, match=f"'{named_element}'"):
        decoded(body)


SERVER = {
    "id": 12,
    "name": "web",
    "active": True,
    "load": None,
    "addresses": {"private": [{"version": 4, "addr": "11.0.0.1"}], "public": []},
}
SERVER_XML = (
    "<server><id>12</id><name>web</name><active>true</active><load>null</load>"
    "<addresses><private><address><version>4</version><addr>11.0.0.1</addr></address>"
    "</private><public></public></addresses></server>"
)


def test_an_answer_is_written_by_its_schema() -> None:
    answer = {"server": {**SERVER, "note": ""}}
    body = SERVER_XML.replace("</server>", "<note></note></server>")

    assert CODEC.encode(json.dumps(answer).encode()).decode() == DECLARATION + body


def test_a_list_of_none_and_of_two() -> None:
    full = {**SERVER, "note": "x"}
    item = SERVER_XML.replace("</server>", "<note>x</note></server>")

    assert CODEC.write({"servers": []}).endswith(b"\n<servers></servers>")
    assert (
        CODEC.write({"servers": [full, full]})
        .decode()
        .endswith(f"\n<servers>{item}{item}</servers>")
    )


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"server": None},
        {"servers": None},
        {"servers": {}},
        {"nobody": 1},
        {"server": SERVER, "servers": []},
        {"server": {**SERVER, "note": "", "@id": 1}},
        {"server": {**SERVER, "note": None}},
        {"server": {**SERVER, "note": "", "id": "12"}},
        {"server": {**SERVER, "note": "", "id": True}},
        {"server": {**SERVER, "note": "", "id": 1.5}},
        {"server": {**SERVER, "note": "", "active": 1}},
        {"server": {**SERVER, "note": "", "name": ["x"]}},
        {"server": {"id": 12}},
        {"detail": [{"loc": ["body"], "msg": "x"}]},
    ],
)
def test_what_no_schema_promises_is_not_written(document: Any) -> None:
    with pytest.raises(Unwritable):
        CODEC.write(document)


@pytest.mark.parametrize("document", [b"", b"{", b"\xff", b"[1]"])
def test_what_is_not_json_is_not_written(document: bytes) -> None:
    with pytest.raises(Unwritable):
        CODEC.encode(document)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_has_its_numbers_in_attributes(name: str) -> None:
    fault = {"code": 413, "message": "a<b", "details": None, "retryAfter": 7}

    root = etree.fromstring(CODEC.write({name: fault}))

    assert root.tag == f"{{{NAMESPACE}}}{name}"
    assert dict(root.attrib) == {"code": "413", "retryAfter": "7"}
    assert [(child.tag, child.text) for child in root] == [
        (f"{{{NAMESPACE}}}message", "a<b")
    ]


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"code": 404},
        {"code": "404", "message": "x"},
        {"code": 404, "message": None},
        {"code": 404, "message": "x", "other": 1},
        {"code": 404, "message": "x", "retryAfter": '"/><x'},
        "x",
    ],
)
def test_a_fault_of_another_shape_is_not_written(fault: Any) -> None:
    with pytest.raises(Unwritable):
        CODEC.write({"itemNotFound": fault})


def test_details_of_a_fault_are_an_element() -> None:
    fault = {"code": 404, "message": "x", "details": "y"}

    body = CODEC.write({"itemNotFound": fault})

    assert body.endswith(b"<message>x</message><details>y</details></itemNotFound>")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain é \U0001f600", "plain é \U0001f600"),
        ("<&>\"'", "&lt;&amp;&gt;\"'"),
        ("]]>", "]]&gt;"),
        ("\t\n\r\x85\u2028", "\t\n&#13;\x85\u2028"),
        ("\x00\x08\x0b\x0c\x0e\x1f", "\ufffd" * 6),
        ("\ud800\udfff\ufffe\uffff", "\ufffd" * 4),
    ],
)
def test_text_is_escaped(text: str, escaped: str) -> None:
    assert escape(text) == escaped


anything = st.text(st.characters(), max_size=30)


@given(anything)
def test_expat_and_libxml_read_back_what_was_written(text: str) -> None:
    document = {"server": {**SERVER, "name": text, "note": ""}}
    body = CODEC.write(document)

    by_expat = ElementTree.fromstring(body)  # noqa: S314  # our own answer
    by_libxml = etree.fromstring(body)

    safe = "".join(c if _is_xml(c) else "\ufffd" for c in text)
    assert (by_expat.findtext("name") or "") == safe
    assert (by_libxml.findtext("name") or "") == safe


def _is_xml(character: str) -> bool:
    """Source: XML 1.0 section 2.2."""
    code = ord(character)
    return character in "\t\n\r" or (
        code >= 0x20 and not 0xD800 <= code < 0xE000 and code not in (0xFFFE, 0xFFFF)
    )


words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=20
).map(lambda text: text.strip(WHITE_SPACE))
not_null = words.filter(lambda text: text != "null")
requests = st.one_of(
    st.fixed_dictionaries({"pool": st.none() | not_null}),
    st.fixed_dictionaries({"count": st.integers()}),
    st.fixed_dictionaries(
        {
            "server": st.fixed_dictionaries(
                {"name": words},
                optional={
                    "fixed_ips": st.none() | st.lists(words, max_size=4),
                    "size": st.integers() | st.just("big"),
                    "load": st.floats(allow_nan=False, allow_infinity=False),
                    "shared": st.none() | st.booleans(),
                    "limits": st.none()
                    | st.fixed_dictionaries({"servers": st.none() | st.integers()}),
                },
            )
        }
    ),
)


@given(requests)
def test_a_request_comes_back_as_it_was_written(document: Any) -> None:
    assert json.loads(CODEC.decode(CODEC.write_request(document))) == document


def test_a_request_is_as_long_as_a_text_may_be() -> None:
    document = {"ip_range": "x" * MAX_TEXT}

    assert json.loads(CODEC.decode(CODEC.write_request(document))) == document


def test_the_same_request_root_may_not_have_two_shapes() -> None:
    class Other(BaseModel):
        pool: int

    with pytest.raises(NoShape, match="pool"):
        Codec(requests=[AllocateBody, Other], answers=[])


def test_the_same_shape_may_come_from_two_models() -> None:
    class Other(BaseModel):
        ip_range: Annotated[str, Field(min_length=1)]

    codec = Codec(requests=[RangeBody, Other], answers=[])

    assert list(codec.requests) == ["ip_range"]


class Tree(BaseModel):
    children: list["Tree"]


class Nameless(BaseModel):
    words: list[str]


class Map(BaseModel):
    words: dict[str, str]


class Mixed(BaseModel):
    word: str | Address


class Oddly(BaseModel):
    word: Annotated[str, Field(alias="a:b")]


class Anything(BaseModel):
    word: Any


@pytest.mark.parametrize("model", [Tree, Nameless, Map, Mixed, Oddly, Anything])
def test_a_model_that_xml_cannot_carry_is_found_at_the_start(
    model: type[BaseModel],
) -> None:
    with pytest.raises(NoShape):
        Codec(requests=[model], answers=[])
