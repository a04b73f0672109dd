"""The page itself: what it loads, what it may do, what it shows a newcomer."""

import pytest

from tests.browser.swagger_ui import SwaggerUI

OPERATIONS = [
    "allocate_floating_ip",
    "list_floating_ips",
    "show_floating_ip",
    "release_floating_ip",
    "associate_floating_ip",
    "disassociate_floating_ip",
]
OLD_NEWS = "escaping deep link whitespace"
"""What Swagger UI has to say to whoever follows a link to an id with an underscore."""

INLINE_SCRIPT = """() => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.head.append(script);
    return "ran" in window;
}"""


def test_everything_comes_from_the_service(swagger_ui: SwaggerUI) -> None:
    swagger_ui.page.wait_for_load_state("networkidle")

    swagger_ui.picture("page")
    paths = [url.removeprefix(swagger_ui.url) for url in swagger_ui.watch.requests]
    assert sorted(paths) == [
        "/docs",
        "/docs/assets/favicon-32x32.png",
        "/docs/assets/page.css",
        "/docs/assets/start.js",
        "/docs/assets/swagger-ui-bundle.js",
        "/docs/assets/swagger-ui.css",
        "/openapi.json",
    ]


def test_the_operations_stand_in_the_order_of_their_use(swagger_ui: SwaggerUI) -> None:
    blocks = swagger_ui.page.locator(".opblock").all()
    ids = [block.get_attribute("id") or "" for block in blocks]

    assert [id.rpartition("-")[2] for id in ids][: len(OPERATIONS)] == OPERATIONS


def test_every_operation_can_be_tried_at_once(swagger_ui: SwaggerUI) -> None:
    for block in swagger_ui.page.locator(".opblock").all():
        name = (block.get_attribute("id") or "").rpartition("-")[2]
        unfolded = swagger_ui.operation(name)
        assert unfolded.locator("button.execute").is_visible(), name
        assert unfolded.get_by_text("cannot be generated").count() == 0, name


def test_a_link_leads_to_an_operation(swagger_ui: SwaggerUI) -> None:
    swagger_ui.page.goto("about:blank")

    swagger_ui.open("#/servers/show_server")

    block = swagger_ui.page.locator(".opblock.is-open")
    block.wait_for()
    assert (block.get_attribute("id") or "").endswith("-show_server")
    assert [each for each in swagger_ui.watch.problems if OLD_NEWS not in each] == []
    swagger_ui.watch.problems.clear()


def test_the_token_is_kept_over_a_reload(swagger_ui: SwaggerUI) -> None:
    swagger_ui.authorize("joe:demo")
    swagger_ui.page.reload()

    shown = swagger_ui.execute("list_floating_ip_pools")

    assert shown.status == 200


def test_a_wrong_token_is_told_so(swagger_ui: SwaggerUI) -> None:
    swagger_ui.authorize("joe")

    shown = swagger_ui.execute("list_floating_ips")

    assert shown.status == 401
    assert "send user:project" in shown.body


def test_the_policy_keeps_foreign_scripts_and_machines_out(
    swagger_ui: SwaggerUI,
) -> None:
    page, problems = swagger_ui.page, swagger_ui.watch.problems

    assert page.evaluate(INLINE_SCRIPT) is False
    with pytest.raises(Exception, match="Failed to fetch"):
        page.evaluate("() => fetch('https://floating-ips.invalid/')")

    assert "script-src 'self'" in problems[0]
    assert "connect-src 'self'" in problems[1]
    assert swagger_ui.watch.strangers == []
    problems.clear()


def test_it_is_readable_on_a_narrow_screen(swagger_ui: SwaggerUI) -> None:
    swagger_ui.page.set_viewport_size({"width": 420, "height": 900})
    swagger_ui.picture("page-narrow")

    width = swagger_ui.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 420
