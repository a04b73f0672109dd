import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire import accept
from app.wire.accept import (
    JSON,
    OFFERS,
    TEXT_XML,
    VENDOR_JSON,
    VENDOR_XML,
    XML,
    MediaType,
    Offer,
    choose,
    parse_content_type,
)

with warnings.catch_warnings():
    # WebOb imports cgi, which Python is going to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    from webob.acceptparse import create_accept_header  # type: ignore[import-untyped]

NAMES = [offer.media_type for offer in OFFERS]


@pytest.mark.parametrize(
    ("header", "offer"),
    [
        pytest.param("", JSON, id="empty is absent"),
        pytest.param(" \t", JSON, id="blank is absent"),
        pytest.param(", ,", JSON, id="nothing in the list"),
        pytest.param("*/*", JSON, id="anything"),
        pytest.param("*", JSON, id="a star alone"),
        pytest.param("application/*", JSON, id="server order in a wildcard"),
        pytest.param("text/*", TEXT_XML, id="text"),
        pytest.param("application/xml", XML, id="XML"),
        pytest.param("text/xml", TEXT_XML, id="text/xml"),
        pytest.param("application/vnd.openstack.compute+json", VENDOR_JSON, id="vnd"),
        pytest.param("application/vnd.openstack.compute+xml", VENDOR_XML, id="vnd xml"),
        pytest.param("application/xml, application/json", JSON, id="server order"),
        pytest.param("application/xml, */*", XML, id="named before wildcard"),
        pytest.param("*/*, application/xml", XML, id="named before wildcard, turned"),
        pytest.param("application/xml;q=0.9, */*;q=0.8", XML, id="weight"),
        pytest.param("application/xml;q=0.8, */*;q=0.9", JSON, id="wildcard's weight"),
        pytest.param("application/json;q=0, */*", XML, id="0 against a wildcard"),
        pytest.param("application/json;q=0, application/*", XML, id="0 against a type"),
        pytest.param("application/*;q=0, */*", TEXT_XML, id="0 for a whole type"),
        pytest.param("*/*;q=0", None, id="all weights 0"),
        pytest.param("*/*;q=0.001, application/json;q=0", XML, id="least weight"),
        pytest.param("text/html", None, id="nothing we have"),
        pytest.param("image/png, text/html;q=0.5", None, id="nothing in a list"),
        pytest.param("APPLICATION/XML ; Q=0.9 , text/plain", XML, id="case, blanks"),
        pytest.param(",,application/xml,,", XML, id="empty members"),
        pytest.param("application/xml;;q=1;", XML, id="empty parameters"),
        pytest.param("application/xml;charset=UTF-8", XML, id="our charset"),
        pytest.param('application/xml;charset="utf\\-8"', XML, id="quoted charset"),
        pytest.param("application/xml;charset=latin1", None, id="another charset"),
        pytest.param("application/xml;version=1", None, id="another parameter"),
        pytest.param("*/*;level=1", None, id="a parameter of a wildcard"),
        pytest.param(
            "application/xml;charset=utf-8;q=0, application/xml", None, id="specific"
        ),
        pytest.param("application/xml;q=.2, application/json;q=.1", XML, id="q=.2"),
        pytest.param("application/xml;q=1., */*;q=0.9", XML, id="q=1."),
        pytest.param("xml", JSON, id="no subtype is void"),
        pytest.param("*/xml", JSON, id="a star before a subtype is void"),
        pytest.param("application/xml;q=1.5", JSON, id="a weight above 1 is void"),
        pytest.param("application/xml;q=nan, text/xml", TEXT_XML, id="nan is void"),
        pytest.param("application/xml;q=0.1234", JSON, id="four digits are void"),
        pytest.param("application/xml;q=1;q=0", JSON, id="two weights are void"),
        pytest.param('application/xml;q="1"', JSON, id="a quoted weight is void"),
        pytest.param("application /xml", JSON, id="a blank in the type is void"),
        pytest.param('a"b, application/xml', XML, id="a stray quotation mark"),
        pytest.param('text/html;a="x, application/xml', JSON, id="an open string"),
        pytest.param('text/html;a=",application/xml;"', None, id="a comma in quotes"),
        pytest.param('text/html;a="\\",application/xml;"', None, id="an escaped mark"),
        pytest.param('a/b;a="\\\\",application/xml', XML, id="an escaped backslash"),
        pytest.param("application/xml;q=0.1, application/xml", XML, id="named twice"),
        pytest.param(
            "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON, id="Java"
        ),
        pytest.param(
            "text/html,application/xhtml+xml,application/xml;q=0.9,"
            "image/avif,image/webp,*/*;q=0.8",
            XML,
            id="a browser",
        ),
    ],
)
def test_the_offer_chosen(header: str, offer: Offer | None) -> None:
    assert choose(header) == offer


weights = st.integers(0, 1000).map(lambda thousandths: f"{thousandths / 1000:.3f}")
blanks = st.text(" \t", max_size=2)


@st.composite
def well_formed(draw: st.DrawFn) -> str:
    """Draw a header whose meaning RFC 9110 decides: no range in it twice."""
    ranges = [*NAMES, "*/*", "application/*", "text/*", "text/html", "image/*"]
    members = draw(st.lists(st.sampled_from(ranges), min_size=1, unique=True))
    shouted = [draw(st.sampled_from([name, name.upper()])) for name in members]
    return ",".join(
        f"{draw(blanks)}{name}{draw(blanks)};{draw(blanks)}q={draw(weights)}"
        for name in shouted
    )


@given(well_formed())
def test_webob_agrees_where_the_rfc_decides(header: str) -> None:
    # Servers strip the blanks around a header, WebOb takes offence at them.
    oracle = create_accept_header(header.strip(" \t"))
    by_name = dict(oracle.acceptable_offers(NAMES))

    offer = choose(header)

    if offer is None:
        assert by_name == {}
    else:
        assert by_name[offer.media_type] == max(by_name.values())


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_header_raises(header: str) -> None:
    assert choose(header) in (*OFFERS, None)
    parse_content_type(header)


@given(st.text('aq/*;,="\\ .10', max_size=40))
def test_no_header_of_the_grammar_raises(header: str) -> None:
    assert choose(header) in (*OFFERS, None)
    parse_content_type(header)


@pytest.mark.parametrize(
    "piece",
    [
        '"\\',
        '="\\',
        "a/b,",
        ";",
        " ",
        ",",
        "a/b;",
        'a/b;a="b",',
        "*/*;q=0.5,",
        "0",
        "=",
    ],
)
def test_a_hostile_header_costs_as_much_as_it_is_long(piece: str) -> None:
    short, long = piece * (6_000 // len(piece)), piece * (60_000 // len(piece))

    taken = _least_seconds(long)

    # Quadratic time would be a hundred times as much; a loaded machine is not.
    assert taken < 40 * max(_least_seconds(short), 0.000_1)
    assert taken < 1


def _least_seconds(header: str) -> float:
    seconds = []
    for _ in range(3):
        began = time.process_time()
        choose(header)
        parse_content_type(header)
        seconds.append(time.process_time() - began)
    return min(seconds)


def test_long_headers_are_not_remembered() -> None:
    before = accept._choose_cached.cache_info().currsize

    choose("application/xml," * 1000)

    assert accept._choose_cached.cache_info().currsize == before


@pytest.mark.parametrize(
    ("value", "media_type"),
    [
        ("application/json", MediaType("application/json", None)),
        (" Text/XML ; Charset=UTF-8", MediaType("text/xml", "utf-8")),
        ('text/xml;charset="utf-16";x=y', MediaType("text/xml", "utf-16")),
        ("text/xml;", MediaType("text/xml", None)),
        ("", None),
        ("json", None),
        ("a/b/c", None),
        ("a/b, c/d", None),
        ("a/b; charset", None),
        ("a/b; charset=", None),
        ("a/b; charset=x; charset=y", None),
        ('a/b; charset="x', None),
    ],
)
def test_a_content_type_is_read(value: str, media_type: MediaType | None) -> None:
    assert parse_content_type(value) == media_type
