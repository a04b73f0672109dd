"""The user story of the draft, over the published port, in both formats."""

import re

from httpx import Response

from tests.containers.stack import Stack

XML = {"Accept": "application/xml", "Content-Type": "application/xml"}
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


def between(response: Response, before: str, after: str) -> str:
    return response.text.split(before)[1].split(after)[0]


def test_eldar_associates_and_disassociates_in_json(stack: Stack) -> None:
    with stack.client("eldar", "story-json") as client:
        server = client.post("/servers", json={"server": {"name": "web"}}).json()
        server_id = server["server"]["id"]
        fixed_ip = server["server"]["addresses"]["private"][0]["addr"]
        free = client.post("/os-floating-ips").json()["floating_ip"]
        url = f"/os-floating-ips/{free['id']}"
        assert free == {**free, "fixed_ip": None, "instance_id": None}
        assert client.get("/os-floating-ips").json() == {"floating_ips": [free]}

        body = {"associate_address": {"fixed_ip": fixed_ip}}
        assert client.post(f"{url}/addFloatingIp", json=body).status_code == 202
        used = {**free, "fixed_ip": fixed_ip, "instance_id": server_id}
        assert client.get(url).json() == {"floating_ip": used}
        public = client.get(f"/servers/{server_id}").json()["server"]["addresses"]
        assert public["public"] == [{"version": 4, "addr": free["ip"]}]

        assert client.post(f"{url}/removeFloatingIp").status_code == 202
        assert client.get(url).json() == {"floating_ip": free}
        assert client.delete(url).status_code == 202
        assert client.get(url).status_code == 404


def test_eldar_associates_and_disassociates_in_xml(stack: Stack) -> None:
    with stack.client("eldar", "story-xml") as client:
        client.headers.update(XML)
        server = client.post("/servers", content="<server><name>web</name></server>")
        server_id = between(server, "<id>", "</id>")
        fixed_ip = between(server, "<addr>", "</addr>")
        response = client.post("/os-floating-ips")
        floating_ip_id = between(response, "<id>", "</id>")
        ip = between(response, "<ip>", "</ip>")
        url = f"/os-floating-ips/{floating_ip_id}"

        def one(fixed_ip: str, instance_id: str) -> str:
            return (
                f"<floating_ip><id>{floating_ip_id}</id><ip>{ip}</ip>"
                f"<fixed_ip>{fixed_ip}</fixed_ip>"
                f"<instance_id>{instance_id}</instance_id></floating_ip>"
            )

        free = one("null", "null")
        assert response.text == DECLARATION + free
        listed = client.get("/os-floating-ips").text
        assert listed == f"{DECLARATION}<floating_ips>{free}</floating_ips>"

        body = f"<associate_address><fixed_ip>{fixed_ip}</fixed_ip></associate_address>"
        accepted = client.post(f"{url}/addFloatingIp", content=DECLARATION + body)
        assert accepted.status_code == 202
        assert client.get(url).text == DECLARATION + one(fixed_ip, server_id)
        public = between(client.get(f"/servers/{server_id}"), "<public>", "</public>")
        assert public == f"<address><version>4</version><addr>{ip}</addr></address>"

        assert client.post(f"{url}/removeFloatingIp").status_code == 202
        assert client.get(url).text == DECLARATION + free
        assert client.delete(url).status_code == 202
        assert client.get(url).status_code == 404


def test_a_newcomer_finds_the_documentation_with_all_its_files(stack: Stack) -> None:
    with stack.client("eldar", "story-docs") as client:
        page = client.get("/docs")
        linked = re.findall(r'(?:src|href)="([^"#]+)"', page.text)

        assert page.status_code == 200
        assert len(linked) >= 2
        for path in [*linked, "openapi.json"]:
            assert client.get(f"/{path.removeprefix('./').lstrip('/')}").is_success
