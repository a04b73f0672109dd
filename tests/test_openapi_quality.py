"""The document tells a stranger everything: nothing without description and example."""

import json
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

JSON = "application/json"
FOR_ANYBODY = {
    "/livez",
    "/readyz",
    "/",
    "/v1.1",
    "/v2",
    "/v2.1",
    "/v2.0",
    "/networking",
}
DOCUMENT: dict[str, Any] = json.loads(Path("openapi/openapi.json").read_text())
OPERATIONS: dict[str, dict[str, Any]] = {
    operation["operationId"]: operation
    for item in DOCUMENT["paths"].values()
    for operation in item.values()
}
ASKED_WHO = {
    operation["operationId"]
    for path, item in DOCUMENT["paths"].items()
    for operation in item.values()
    if path not in FOR_ANYBODY
}
CHANGES = {
    operation["operationId"]
    for item in DOCUMENT["paths"].values()
    for method, operation in item.items()
    if method != "get"
}
OF_ONE_FLOATING_IP = {
    "associate_floating_ip",
    "disassociate_floating_ip",
    "release_floating_ip",
    "update_floating_ip_attributes",
    "network_update_floatingip",
    "network_delete_floatingip",
    "network_replace_tags",
    "network_add_tags",
    "network_remove_tags",
    "network_add_tag",
    "network_remove_tag",
}
SCHEMAS: dict[str, dict[str, Any]] = DOCUMENT["components"]["schemas"]
MEMBERS = [
    (f"{name}.{member}", schema)
    for name, model in SCHEMAS.items()
    for member, schema in model.get("properties", {}).items()
]
RESPONSES = [
    (f"{name} {status}", response)
    for name, operation in OPERATIONS.items()
    for status, response in operation["responses"].items()
]
LINKS = [
    (f"{where} {name}", response, link)
    for where, response in RESPONSES
    for name, link in response.get("links", {}).items()
]

each_operation = pytest.mark.parametrize("name", OPERATIONS)


def test_the_document_says_where_the_service_is_and_how_it_is_licensed() -> None:
    assert DOCUMENT["servers"][0]["url"] == "/"
    assert DOCUMENT["info"]["license"]["identifier"] == "Apache-2.0"


def test_every_tag_is_described_and_used() -> None:
    described = {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]}
    used = [operation["tags"] for operation in OPERATIONS.values()]

    assert {tag for tags in used for tag in tags} == described
    assert all(len(tags) == 1 for tags in used)


@each_operation
def test_every_operation_has_a_title_and_a_description(name: str) -> None:
    operation = OPERATIONS[name]

    assert operation["description"].strip()
    assert operation["summary"].lower().replace(" ", "_") != name, "that says nothing"


@each_operation
def test_every_parameter_has_a_description_and_an_example(name: str) -> None:
    for parameter in OPERATIONS[name].get("parameters", ()):
        assert parameter["description"], parameter["name"]
        assert parameter["schema"].get("examples"), parameter["name"]


@pytest.mark.parametrize(("member", "schema"), MEMBERS)
def test_every_member_has_a_description_and_an_example(
    member: str, schema: dict[str, Any]
) -> None:
    assert schema.get("description")
    # The example of an object is made of its members'.
    assert schema.get("examples") or set(leads_to(schema)) & SCHEMAS.keys()


def leads_to(schema: dict[str, Any]) -> Iterator[str]:
    """The models that a schema is made of."""
    for part in (schema, schema.get("items", {}), *schema.get("anyOf", ())):
        if "$ref" in part:
            yield part["$ref"].rpartition("/")[2]


@each_operation
def test_every_body_has_an_example_in_each_type(name: str) -> None:
    operation = OPERATIONS[name]
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    forms = [form for body in bodies for form in body.get("content", {}).values()]

    assert all("example" in form or form.get("examples") for form in forms)


@pytest.mark.parametrize(("where", "response"), RESPONSES)
def test_every_answer_and_every_header_of_it_is_described(
    where: str, response: dict[str, Any]
) -> None:
    assert response["description"] not in ("", "Successful Response")
    for header in response.get("headers", {}).values():
        assert header["description"]
        assert header["schema"]
        assert "example" in header


def test_an_answer_of_202_has_no_content() -> None:
    empty = {where for where, each in RESPONSES if "content" not in each}

    with_202 = {where for where, _ in RESPONSES if where.endswith(" 202")}
    # Whoever creates a server is told its id.
    assert with_202 - empty == {"compute_create_server 202"}
    assert len(with_202) == 10


@pytest.mark.parametrize(
    ("header", "where"),
    [
        (
            "ETag",
            {
                "allocate_floating_ip 200",
                "show_floating_ip 200",
                "associate_floating_ip 202",
                "disassociate_floating_ip 202",
                "show_floating_ip_attributes 200",
                "update_floating_ip_attributes 200",
            },
        ),
        (
            "Link",
            {
                "list_floating_ips 200",
                "list_servers 200",
                "list_floating_ips_bulk 200",
                "list_floating_ip_holds 200",
                "list_floating_ip_history 200",
            },
        ),
        (
            "Retry-After",
            {f"{name} 503" for name in {*ASKED_WHO, "readyz"}}
            | {f"{name} 429" for name in ASKED_WHO}
            | {f"{name} 409" for name in CHANGES},
        ),
        ("Location", {"compute_create_server 202"}),
        (
            "OpenStack-API-Version",
            {
                where
                for where, _ in RESPONSES
                if where.startswith("compute_") and " 20" in where
            },
        ),
        (
            "Idempotency-Replayed",
            {
                f"{name} {status}"
                for name in CHANGES
                for status in OPERATIONS[name]["responses"]
                if status < "300"
            },
        ),
    ],
)
def test_headers_are_declared_where_they_are_sent(header: str, where: set[str]) -> None:
    found = {each for each, answer in RESPONSES if header in answer.get("headers", {})}

    assert found == where


@pytest.mark.parametrize(
    ("header", "taken_by", "refusals"),
    [
        ("Idempotency-Key", CHANGES, {"400", "409", "422"}),
        ("If-Match", OF_ONE_FLOATING_IP, {"400", "412"}),
    ],
)
def test_headers_are_declared_where_they_are_read(
    header: str, taken_by: set[str], refusals: set[str]
) -> None:
    found = {
        name
        for name, operation in OPERATIONS.items()
        for parameter in operation.get("parameters", ())
        if (parameter["in"], parameter["name"]) == ("header", header)
    }

    assert found == taken_by
    assert all(refusals <= OPERATIONS[name]["responses"].keys() for name in taken_by)


@each_operation
def test_every_operation_but_those_for_anybody_asks_who_it_is(name: str) -> None:
    operation = OPERATIONS[name]

    assert ("401" in operation["responses"]) == (name in ASKED_WHO)
    assert operation.get("security", DOCUMENT["security"]) == (
        [{"token": []}] if name in ASKED_WHO else []
    )


@pytest.mark.parametrize(("where", "response", "link"), LINKS)
def test_every_link_leads_somewhere(
    where: str, response: dict[str, Any], link: dict[str, Any]
) -> None:
    target = OPERATIONS[link["operationId"]]
    declared = {each["name"] for each in target.get("parameters", ())}

    assert link["description"]
    assert link.get("parameters", {}).keys() <= declared
    for expression in link.get("parameters", {}).values():
        assert value(expression, where.partition(" ")[0], response) is not None


def value(expression: str, operation: str, response: dict[str, Any]) -> object:
    """Find what a runtime expression means in the example."""
    kind, _, rest = expression.partition("#")
    if kind == "$response.body":
        example = response["content"][JSON]["example"]
        return reduce(step, rest.strip("/").split("/"), example)
    name = expression.removeprefix("$request.path.")
    parameters = OPERATIONS[operation]["parameters"]
    return next(each for each in parameters if each["name"] == name)


def step(node: Any, key: str) -> Any:
    return node[int(key)] if isinstance(node, list) else node[key]


def test_the_story_can_be_followed_by_links_alone() -> None:
    ahead = {"register_server"}
    reached: set[str] = set()
    while ahead:
        here = ahead.pop()
        reached.add(here)
        next_ones = {
            link["operationId"] for where, _, link in LINKS if where.startswith(here)
        }
        ahead |= next_ones - reached

    assert reached >= {
        "allocate_floating_ip",
        "associate_floating_ip",
        "show_server",
        "disassociate_floating_ip",
        "release_floating_ip",
        "list_floating_ips",
    }
