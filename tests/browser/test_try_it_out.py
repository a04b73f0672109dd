"""The draft's user story by "Try it out", and refusals, in JSON and in XML."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from tests.browser.swagger_ui import Shown, SwaggerUI

TOKEN = "joe:demo"  # noqa: S105  # the demo's, and no secret
FAULTS = "{http://docs.openstack.org/compute/api/v1.1}"
WEB, WEB_ID = "10.0.0.3", 1
DB, DB_ID = "10.0.0.4", 2


def of_json(text: str) -> Any:
    """Read what the page shows, without the root."""
    (_, inner), *_ = json.loads(text).items()
    return inner


def of_xml(text: str) -> Any:
    """Read the same out of XML, its texts as they are but for null and numbers."""
    return _value(ElementTree.fromstring(text))  # noqa: S314  # our own answer


def _value(element: ElementTree.Element) -> Any:
    if len(element) == 0:
        text = (element.text or "").strip()
        return int(text) if text.isdecimal() else None if text == "null" else text
    if element.tag in LISTS:
        return [_value(child) for child in element]
    members = {child.tag.removeprefix(FAULTS): _value(child) for child in element}
    return {name: int(value) for name, value in element.items()} | members


LISTS = {"floating_ips", "servers", "private", "public"}


@dataclass(frozen=True)
class Form:
    """One of the two types, and how to say and read things in it."""

    name: str
    read: Callable[[str], Any]
    associate: str

    @property
    def media_type(self) -> str:
        return f"application/{self.name}"


JSON = Form("json", of_json, '{{"associate_address": {{"fixed_ip": "{}"}}}}')
XML = Form(
    "xml",
    of_xml,
    "<associate_address><fixed_ip>{}</fixed_ip></associate_address>",
)


@pytest.fixture(params=[JSON, XML], ids=lambda form: form.name)
def form(request: pytest.FixtureRequest) -> Form:
    chosen: Form = request.param
    return chosen


@pytest.fixture
def authorized(swagger_ui: SwaggerUI) -> Iterator[SwaggerUI]:
    """The page with the token of a member; what he holds is released in the end."""
    swagger_ui.authorize(TOKEN)
    yield swagger_ui
    with httpx.Client(base_url=swagger_ui.url, headers={"X-Auth-Token": TOKEN}) as joe:
        for floating_ip in joe.get("/os-floating-ips").json()["floating_ips"]:
            joe.delete(f"/os-floating-ips/{floating_ip['id']}")


def sent_type(shown: Shown) -> str:
    found = re.search(r"content-type: (\S+)", shown.headers)
    return found[1].partition(";")[0] if found else ""


def test_the_user_story(authorized: SwaggerUI, form: Form) -> None:
    execute, media_type = authorized.execute, form.media_type

    allocated = execute("allocate_floating_ip", media_type)
    authorized.picture_of_answer(f"allocate-{form.name}", "allocate_floating_ip")
    floating_ip = form.read(allocated.body)
    id, ip = floating_ip["id"], floating_ip["ip"]
    assert (allocated.status, sent_type(allocated)) == (200, media_type)
    assert ip.startswith("203.0.113.")
    assert floating_ip == {"id": id, "ip": ip, "fixed_ip": None, "instance_id": None}

    listed = execute("list_floating_ips", media_type)
    authorized.picture_of_answer(f"list-{form.name}", "list_floating_ips")
    assert (listed.status, form.read(listed.body)) == (200, [floating_ip])

    associated = execute("associate_floating_ip", media_type, id=id)
    authorized.picture_of_request(f"associate-{form.name}", "associate_floating_ip")
    assert (associated.status, associated.body) == (202, "")

    shown = execute("show_floating_ip", media_type, id=id)
    assert shown.status == 200
    assert form.read(shown.body) == {
        "id": id,
        "ip": ip,
        "fixed_ip": WEB,
        "instance_id": WEB_ID,
    }

    server = execute("show_server", media_type, id=WEB_ID)
    authorized.picture_of_answer(f"server-{form.name}", "show_server")
    assert server.status == 200
    assert form.read(server.body)["addresses"] == {
        "private": [{"version": 4, "addr": WEB}],
        "public": [{"version": 4, "addr": ip}],
    }

    disassociated = execute("disassociate_floating_ip", media_type, id=id)
    assert (disassociated.status, disassociated.body) == (202, "")
    shown = execute("show_floating_ip", media_type, id=id)
    assert form.read(shown.body) == floating_ip

    released = execute("release_floating_ip", media_type, id=id)
    assert (released.status, released.body) == (202, "")
    gone = execute("show_floating_ip", media_type, id=id)
    assert gone.status == 404


def test_moving_a_floating_ip(authorized: SwaggerUI, form: Form) -> None:
    execute, media_type = authorized.execute, form.media_type
    id = form.read(execute("allocate_floating_ip", media_type).body)["id"]
    execute("associate_floating_ip", media_type, id=id)

    body = form.associate.format(DB)
    moved = execute("associate_floating_ip", media_type, id=id, body=body)

    shown = form.read(execute("show_floating_ip", media_type, id=id).body)
    assert moved.status == 202
    assert (shown["fixed_ip"], shown["instance_id"]) == (DB, DB_ID)


def test_not_found_is_shown(authorized: SwaggerUI, form: Form) -> None:
    shown = authorized.execute("show_floating_ip", form.media_type, id=999_999)

    authorized.picture_of_answer(f"not-found-{form.name}", "show_floating_ip")
    assert (shown.status, sent_type(shown)) == (404, form.media_type)
    assert form.read(shown.body) == {
        "code": 404,
        "message": "Floating IP '999999' was not found.",
    }


def test_a_conflict_is_shown(authorized: SwaggerUI, form: Form) -> None:
    execute, media_type = authorized.execute, form.media_type
    ids = [
        form.read(execute("allocate_floating_ip", media_type).body)["id"]
        for _ in range(2)
    ]
    execute("associate_floating_ip", media_type, id=ids[0])

    shown = execute("associate_floating_ip", media_type, id=ids[1])

    authorized.picture_of_answer(f"conflict-{form.name}", "associate_floating_ip")
    fault = form.read(shown.body)
    assert (shown.status, sent_type(shown)) == (409, media_type)
    assert fault["code"] == 409
    assert WEB in fault["message"]


def test_a_malformed_request_is_shown(authorized: SwaggerUI, form: Form) -> None:
    execute, media_type = authorized.execute, form.media_type
    id = form.read(execute("allocate_floating_ip", media_type).body)["id"]

    body = form.associate.format("10.0.0.256")
    shown = execute("associate_floating_ip", media_type, id=id, body=body)

    authorized.picture_of_answer(f"bad-request-{form.name}", "associate_floating_ip")
    fault = form.read(shown.body)
    assert (shown.status, sent_type(shown)) == (400, media_type)
    assert fault["code"] == 400
    assert "'10.0.0.256'" in fault["message"]
