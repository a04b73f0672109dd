import gc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.errors import ApiError, MalformedBody, TooLarge, UnsupportedType
from app.wire import xml_reader
from app.wire.xml_reader import MAX_BODY, NAMESPACE, Element, read

LAUGHS = (
    b'<!DOCTYPE a [<!ENTITY l0 "lol">'
    + b"".join(
        b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10)
    )
    + b"]><a>&l9;</a>"
)
QUADRATIC = (
    b'<!DOCTYPE a [<!ENTITY x "' + b"x" * 30_000 + b'">]><a>' + b"&x;" * 9_000 + b"</a>"
)


def _fixed_ip(text: str) -> Element:
    return Element("a", children=[Element("b", text)])


@pytest.mark.parametrize(
    ("body", "element"),
    [
        (b"<a/>", Element("a")),
        (b"<a></a>", Element("a")),
        (b'<?xml version="1.1"?><a/>', Element("a")),
        (b"<a> x </a>", Element("a", "x")),
        (b"<a>\n\t<b>10.0.0.3</b>\r\n</a>\n", _fixed_ip("10.0.0.3")),
        (b"<a><b>10.0.0.3<!-- -->.evil</b></a>", _fixed_ip("10.0.0.3.evil")),
        (b"<a><b>1<![CDATA[<&]]>2</b></a>", _fixed_ip("1<&2")),
        (b"<!-- x --><a><b>&lt;&amp;&#65;&quot;</b></a>", _fixed_ip('<&A"')),
        (b"<a><b>\xc2\xa0x\xc2\xa0</b></a>", _fixed_ip("\u00a0x\u00a0")),
        (
            b"<a><b>1</b><b>2</b></a>",
            Element("a", "", [Element("b", "1"), Element("b", "2")]),
        ),
        (f'<a xmlns="{NAMESPACE}"><b>1</b></a>'.encode(), _fixed_ip("1")),
        (f'<c:a xmlns:c="{NAMESPACE}"><b>1</b></c:a>'.encode(), _fixed_ip("1")),
        (f'<a xmlns="{NAMESPACE}"><b xmlns="">1</b></a>'.encode(), _fixed_ip("1")),
    ],
)
def test_a_document_is_read(body: bytes, element: Element) -> None:
    assert read(body) == element


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b" \n", id="blanks"),
        pytest.param(b"<a>", id="truncated"),
        pytest.param(b"<a/><b/>", id="two roots"),
        pytest.param(b"<a/>x", id="trailing junk"),
        pytest.param(b"x<a/>", id="leading junk"),
        pytest.param(b"<a></b>", id="crossed tags"),
        pytest.param(b"<a>&x;</a>", id="an unknown entity"),
        pytest.param(b"<a>&#1;</a>", id="a control character by reference"),
        pytest.param(b"<a>&#xD800;</a>", id="a surrogate by reference"),
        pytest.param(b"<a>\x00</a>", id="a raw NUL"),
        pytest.param(b"<a>\x01</a>", id="a raw control character"),
        pytest.param(b"<a>\xff</a>", id="bad UTF-8"),
        pytest.param(b"<a>\xed\xa0\x80</a>", id="a surrogate in UTF-8"),
        pytest.param(b"<a>\xc0\xbc</a>", id="overlong UTF-8"),
        pytest.param(b'{"a": 1}', id="JSON"),
        pytest.param(b"<!DOCTYPE a><a/>", id="a DOCTYPE with nothing in it"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY x "1">]><a>&x;</a>', id="an entity"),
        pytest.param(
            b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
            id="a file",
        ),
        pytest.param(
            b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>', id="a network DTD"
        ),
        pytest.param(
            b'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:1/"> %p;]><a/>',
            id="a parameter entity",
        ),
        pytest.param(
            b'<!DOCTYPE a [<!ATTLIST a b CDATA "x">]><a/>', id="a default attribute"
        ),
        pytest.param(LAUGHS, id="a billion laughs"),
        pytest.param(QUADRATIC, id="quadratic growth"),
        pytest.param(b"<?x y?><a/>", id="an instruction before"),
        pytest.param(b"<a>10.0.0.3<?x?>.evil</a>", id="an instruction in text"),
        pytest.param(b'<a code="1"/>', id="an attribute"),
        pytest.param(b'<a xml:lang="en"/>', id="an attribute of XML"),
        pytest.param(b"<xml:a/>", id="a name of XML"),
        pytest.param(b'<a xmlns="urn:x"/>', id="a foreign namespace"),
        pytest.param(b'<a xmlns:x="urn:x"/>', id="a foreign namespace, unused"),
        pytest.param(b"<x:a/>", id="an undeclared prefix"),
        pytest.param(b"<a>x<b/></a>", id="text before an element"),
        pytest.param(b"<a><b/>x</a>", id="text behind an element"),
        pytest.param(b"<a><b/>x<b/></a>", id="text between elements"),
        pytest.param(b"<a>" * 9 + b"</a>" * 9, id="9 deep"),
        pytest.param(b"<a>" * 9_000, id="9000 deep"),
        pytest.param(b"<a>" + b"<b/>" * 4096 + b"</a>", id="4097 elements"),
        pytest.param(b"<a>" + b"x" * 4097 + b"</a>", id="4097 characters"),
        pytest.param(b"<a>" + b"x<!---->" * 4097 + b"</a>", id="4097 pieces"),
        pytest.param(b"<a>" + b"&amp;" * 4097 + b"</a>", id="4097 references"),
        pytest.param(b"<" + b"a" * 301 + b"/>", id="a name of 301"),
        pytest.param(b"<" + b"a" * 60_000 + b"/>", id="a name of 60000"),
        pytest.param(
            b"<a " + b" ".join(b'b%d=""' % n for n in range(5_000)) + b"/>",
            id="5000 attributes",
        ),
        pytest.param(
            b"<a "
            + b" ".join(b'xmlns:b%d="%s"' % (n, NAMESPACE.encode()) for n in range(9))
            + b"/>",
            id="9 declarations",
        ),
    ],
)
def test_a_hostile_or_broken_document_is_refused(body: bytes) -> None:
    assert len(body) <= MAX_BODY

    with pytest.raises(MalformedBody) as refusal:
        read(body)

    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize(
    "body",
    [
        b"<a>" * 8 + b"</a>" * 8,
        b"<a>" + b"<b/>" * 4095 + b"</a>",
        b"<a>\n" + b"          <b/>\n" * 4000 + b"</a>",
        b"<a>" + b"x" * 4096 + b"</a>",
        b"<" + b"a" * 300 + b"/>",
        b"<a/>".ljust(MAX_BODY),
    ],
)
def test_a_document_within_all_bounds_is_read(body: bytes) -> None:
    read(body)


def test_a_body_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(TooLarge):
        read(b"<a/>".ljust(MAX_BODY + 1))


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        ("<a>é</a>".encode(), None),
        ("<a>é</a>".encode(), "utf-8"),
        ("<a>é</a>".encode("utf-8-sig"), None),
        ("<a>é</a>".encode("utf-8-sig"), "iso-8859-1"),
        ("<a>é</a>".encode("utf-16"), None),
        ("<a>é</a>".encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + "<a>é</a>".encode("utf-16-be"), "us-ascii"),
        ('<?xml version="1.0" encoding="UTF-8"?><a>é</a>'.encode("utf-16"), None),
        ('<?xml version="1.0" encoding="latin1"?><a>é</a>'.encode(), "utf-8"),
        (b'<?xml version="1.0" encoding="US-ASCII"?><a>&#233;</a>', None),
        (b"<a>&#233;</a>", "us-ascii"),
    ],
)
def test_mark_goes_before_parameter_before_declaration(
    body: bytes, charset: str | None
) -> None:
    assert read(body, charset) == Element("a", "é")


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (b"<a/>", "iso-8859-1"),
        (b"<a/>", "utf-7"),
        (b"<a/>", "no-such-charset"),
        (b"<a/>", "rot13"),
        (b"<a/>", "utf-16"),
        ("<a/>".encode("utf-16-le"), None),
        ("<a/>".encode("utf-16-be"), "utf-8"),
        (" <a/>".encode("utf-16-le"), None),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>', None),
        (b"<?xml version='1.0' encoding='UTF-7'?><a/>", None),
        (b"<?xml version='1.0' encoding='idna'?><a/>", None),
        (b"<?xml version='1.0' encoding='hex'?><a/>", None),
        (b"<?xml version='1.0' encoding='nonsense'?><a/>", None),
        (b"<?xml version='1.0' encoding='UTF-16'?><a/>", None),
        ("<a/>".encode("utf-32"), None),
        (b"\x00\x00\xfe\xff" + "<a/>".encode("utf-32-be"), None),
    ],
)
def test_other_encodings_are_of_the_wrong_type(
    body: bytes, charset: str | None
) -> None:
    with pytest.raises(UnsupportedType) as refusal:
        read(body, charset)

    assert "application/xml" in refusal.value.headers["Accept"]


def test_ascii_means_ascii() -> None:
    with pytest.raises(MalformedBody):
        read("<a>é</a>".encode(), "us-ascii")


SEEDS = [
    b'<?xml version="1.0" encoding="UTF-8"?>\n<a><b>10.0.0.9</b></a>',
    b"\xef\xbb\xbf<a><!-- x --><b><![CDATA[1]]></b></a>",
    "<a><b>é</b></a>".encode("utf-16"),
    f'<a xmlns="{NAMESPACE}"><b/></a>'.encode(),
    b'<!DOCTYPE a [<!ENTITY x "1">]><a>&x;</a>',
    b"<?xml version='1.0' encoding='utf-7'?><a>+AGE-</a>",
]
TOKENS = [b"<", b">", b"&", b";", b"]]>", b"<!DOCTYPE a>", b"<?x?>", b"\x00", b"\xff"]
TOKENS += [b"xmlns='", b"encoding='", b"utf-16", b"\xff\xfe", b"&#xD800;", b"<a>" * 9]
cuts = st.integers(0, 80)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    body = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        start, end = sorted((draw(cuts), draw(cuts)))
        token = draw(st.sampled_from(TOKENS) | st.binary(max_size=4))
        body = body[:start] + token + body[draw(st.sampled_from([start, end])) :]
    return body


charsets = st.none() | st.sampled_from(["utf-8", "us-ascii", "utf-16", "hex", ""])


@given(mutated() | st.binary(max_size=40), charsets)
@example(b"<?xml version='1.0' encoding='\xff'?><a/>", None)
@example(b"<a>\xff\xfe</a>", "")
def test_only_our_own_refusals_come_out(body: bytes, charset: str | None) -> None:
    try:
        element = read(body, charset)
    except ApiError as refusal:
        assert isinstance(refusal, MalformedBody | UnsupportedType)  # noqa: PT017
    else:
        assert element.name


def test_nothing_is_left_for_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        read(b"<a><b>1</b></a>")
        left = gc.collect()
    finally:
        gc.enable()

    assert left == 0


def test_all_the_types_of_xml_are_named() -> None:
    assert xml_reader.XML_TYPES.count("xml") == 3
