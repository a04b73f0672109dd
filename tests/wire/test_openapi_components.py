from copy import deepcopy
from typing import Any

import pytest

from app.wire.openapi_components import share


def fault(root: str, status: str) -> dict[str, Any]:
    return {
        status: {
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/Used"}},
                "application/xml": {
                    "schema": {
                        "type": "object",
                        "properties": {"code": {"$ref": "#/components/schemas/Code"}},
                        "xml": {"name": root},
                    }
                },
            }
        }
    }


@pytest.fixture
def document() -> dict[str, Any]:
    schemas = {
        "Unused": {"$ref": "#/components/schemas/UnusedToo"},
        "UnusedToo": {"type": "string"},
        "Used": {"type": "object"},
        "Code": {"anyOf": [{"$ref": "#/components/schemas/Number"}]},
        "Number": {"type": "integer"},
    }
    listed = {"type": "array", "items": {}, "xml": {"name": "servers"}}
    return {
        "paths": {
            "/a": {"get": {"responses": fault("itemNotFound", "404")}},
            "/b": {"get": {"responses": fault("itemNotFound", "404")}},
            "/c": {
                "get": {
                    "responses": {
                        **fault("quota_set", "default"),
                        "200": {"content": {"application/xml": {"schema": listed}}},
                    }
                }
            },
        },
        "components": {"schemas": schemas, "headers": {}},
    }


def xml_schema(document: dict[str, Any], path: str, status: str) -> dict[str, Any]:
    answer = document["paths"][path]["get"]["responses"][status]
    schema: dict[str, Any] = answer["content"]["application/xml"]["schema"]
    return schema


def test_an_object_in_xml_becomes_one_component(document: dict[str, Any]) -> None:
    inline = deepcopy(xml_schema(document, "/a", "404"))

    share(document)

    for path in ("/a", "/b"):
        assert xml_schema(document, path, "404") == {
            "$ref": "#/components/schemas/ItemNotFoundXml"
        }
    assert document["components"]["schemas"]["ItemNotFoundXml"] == inline
    assert "QuotaSetXml" in document["components"]["schemas"]


def test_another_object_of_that_root_stays_where_it_is(
    document: dict[str, Any],
) -> None:
    xml_schema(document, "/b", "404")["properties"] = {}

    share(document)

    assert "$ref" in xml_schema(document, "/a", "404")
    assert "$ref" not in xml_schema(document, "/b", "404")


def test_a_list_stays_where_it_is(document: dict[str, Any]) -> None:
    share(document)

    assert xml_schema(document, "/c", "200")["type"] == "array"


def test_what_nobody_refers_to_goes(document: dict[str, Any]) -> None:
    share(document)

    assert list(document["components"]["schemas"]) == [
        "Code",
        "ItemNotFoundXml",
        "Number",
        "QuotaSetXml",
        "Used",
    ]
    assert "headers" in document["components"]


def test_doing_it_twice_changes_nothing(document: dict[str, Any]) -> None:
    before = deepcopy(share(document))

    assert share(document) == before
