"""The compose file as a whole: start, replicas, failure, restart, stop."""

import threading
import time

import httpx

from tests.containers.stack import Stack, wait_until
from tests.containers.traffic import HalfSentRequest, load

DRAIN = 2
"""Seconds; FLOATING_IPS_DRAIN of the compose file."""


def test_starts_within_a_minute(seconds_to_start: float) -> None:
    assert seconds_to_start < 60


def test_compose_file_is_valid(new_stack: Stack) -> None:
    assert new_stack.compose("config", "--quiet") == ""


def test_migrations_ran_once_and_ended(stack: Stack) -> None:
    (migrate,) = stack.containers("migrate")

    state = stack.inspect(migrate)["State"]

    assert (state["Status"], state["ExitCode"]) == ("exited", 0)
    assert "The schema is at" in stack.log(migrate)


def test_both_replicas_answer_behind_one_port(stack: Stack) -> None:
    with stack.client("joe", "spread") as client:
        request_ids = {
            client.get("/os-floating-ips").headers["x-openstack-request-id"]
            for _ in range(20)
        }

    answered = [
        sum(request_id in stack.log(replica) for request_id in request_ids)
        for replica in stack.replicas()
    ]

    assert answered == [10, 10]


def test_nothing_but_the_proxy_is_published_and_that_on_loopback(stack: Stack) -> None:
    published = {
        service: stack.inspect(container)["HostConfig"]["PortBindings"]
        for service in ("db", "migrate", "api", "proxy")
        for container in stack.containers(service)
    }

    loopback = {"8774/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8774"}]}
    assert published == {"db": {}, "migrate": {}, "api": {}, "proxy": loopback}


def test_replicas_become_unhealthy_with_the_database_and_recover(stack: Stack) -> None:
    with stack.client("joe", "outage") as client:
        stack.compose("pause", "db")
        try:
            stack.wait_for_health("unhealthy", 45)
            wait_until("the proxy knows", lambda: client.get("/readyz").is_error, 10)
            refused = client.post("/os-floating-ips")
        finally:
            stack.compose("unpause", "db")
        seconds = stack.wait_for_health("healthy", 30)

        assert refused.status_code == 503
        assert refused.json()["serviceUnavailable"]["code"] == 503
        assert refused.headers["retry-after"] == "1"
        assert seconds < 15
        wait_until("the proxy knows", lambda: client.get("/readyz").is_success, 10)
        assert client.post("/os-floating-ips").status_code == 200


def test_a_replica_that_is_stopped_answers_what_is_under_way(stack: Stack) -> None:
    (replica, *_) = stack.replicas()

    with HalfSentRequest(stack.address(replica), "under-way") as request:
        stop = threading.Thread(target=stack.docker, args=("stop", replica))
        stop.start()
        time.sleep(DRAIN + 1.5)
        answer = request.finish()
        stop.join(30)
    state = stack.inspect(replica)["State"]
    stack.docker("start", replica)

    assert answer == b"HTTP/1.1 200 OK"
    assert (state["Running"], state["ExitCode"]) == (False, 0)


def test_a_replica_that_is_stopped_says_so_and_serves_on_for_a_while(
    stack: Stack,
) -> None:
    (_, replica) = stack.replicas()
    url = f"http://{stack.address(replica)}:8774"

    stop = threading.Thread(target=stack.docker, args=("stop", replica))
    stop.start()
    try:
        wait_until("it is not ready", lambda: httpx.get(f"{url}/readyz").is_error, 10)
        still = httpx.get(f"{url}/os-floating-ips", headers={"X-Auth-Token": "a:b"})
    finally:
        stop.join(30)
        stack.docker("start", replica)

    assert still.status_code == 200


def test_a_rolling_restart_under_load_fails_no_request(stack: Stack) -> None:
    with load(stack, clients=4) as result:
        for replica in stack.replicas():
            time.sleep(1)
            stack.docker("restart", replica)
            stack.wait_for_health("healthy", 30)
        time.sleep(1)

    assert result.failed == []
    assert result.succeeded > 200
    assert "broken" not in stack.execute(stack.replicas()[0], "floating-ips", "check")


def test_stopping_everything_answers_what_is_under_way_and_loses_no_data(
    stack: Stack,
) -> None:
    with stack.client("joe", "kept") as client:
        kept = client.post("/os-floating-ips").json()["floating_ip"]

    with HalfSentRequest("127.0.0.1", "under-way") as request:
        stop = threading.Thread(target=stack.compose, args=("stop",))
        stop.start()
        time.sleep(2)
        answer = request.finish()
        stop.join(60)
    ended = {
        service: stack.inspect(container)["State"]["ExitCode"]
        for service in ("proxy", "api", "db")
        for container in stack.containers(service)
    }
    stack.compose("down")
    stack.up()

    assert answer == b"HTTP/1.1 200 OK"
    assert ended == {"proxy": 0, "api": 0, "db": 0}
    with stack.client("joe", "kept") as client:
        assert client.get("/os-floating-ips").json() == {"floating_ips": [kept]}
