"""Pushing: what is sent, and one clear line for whatever keeps it from arriving."""

import base64
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric as Family

from cleaner.metrics import Gateway, NotPushed
from tests.edge.failing_gateways import Impostor, answer

NOTHING = answer("200 OK")


def problem(url: str, **more: object) -> str:
    """Why a push does not work."""
    with pytest.raises(NotPushed) as refused:
        Gateway(url, **more).push([], success=True)  # type: ignore[arg-type]
    return str(refused.value)


@pytest.mark.parametrize(("success", "verb"), [(True, b"PUT"), (False, b"POST")])
def test_a_success_replaces_the_group_and_a_failure_adds_to_it(success: bool, verb: bytes) -> None:
    with Impostor(NOTHING).running() as gateway:
        Gateway(f"{gateway.url}/behind/a/proxy/", {"mode": "sweep", "cluster": "a/b"}).push([], success=success)

    line = gateway.requests[0].splitlines()[0]
    # What holds a slash is written in base64.
    assert line == verb + b" /behind/a/proxy/metrics/job/gitjob-cleaner/cluster@base64/YS9i/mode/sweep HTTP/1.1"


def test_the_password_is_read_from_its_file_and_sent_as_basic_auth(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open sesame\n")
    with Impostor(NOTHING).running() as gateway:
        Gateway(gateway.url, username="pusher", password_file=str(tmp_path / "password")).push([], success=True)

    wanted = b"Authorization: Basic " + base64.b64encode(b"pusher:open sesame")
    assert wanted in gateway.requests[0].splitlines()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (answer("400 Bad Request", b"pushed metrics are invalid"), "HTTP 400: pushed metrics are invalid"),
        (answer("401 Unauthorized"), "HTTP 401: Unauthorized"),
        (answer("302 Found", b"", b"Location: http://127.0.0.1:9/login"), "HTTP 302: Found"),
        (answer("307 Temporary Redirect", b"", b"Location: /elsewhere"), "HTTP 307: Temporary Redirect"),
        (answer("200 OK", b"<html>Please log in"), "what answered is no Pushgateway: <html>Please log in"),
        (answer("503 Service Unavailable", b"token=abc\x1b[31m"), "HTTP 503: token=… [31m"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "BadStatusLine: SSH-2.0-OpenSSH_9.2"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 99\r\n\r\ncut", "HTTP 502: cut"),
        (b"HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP 502: Bad Gateway"),
        (b"", "Remote end closed connection without response"),
    ],
)
@pytest.mark.parametrize("success", [True, False])
def test_what_is_no_success_is_told(said: bytes, why: str, success: bool) -> None:
    with Impostor(said).running() as gateway, pytest.raises(NotPushed) as refused:
        Gateway(gateway.url).push([], success=success)

    assert str(refused.value) == why
    assert len(gateway.requests) == 1


def test_totals_that_cannot_be_told_are_a_push_that_failed() -> None:
    def broken() -> Iterator[Family]:
        raise KeyError("a fault of ours")
        yield

    with Impostor(NOTHING).running() as gateway, pytest.raises(NotPushed, match="KeyError"):
        Gateway(gateway.url).push(broken(), success=True)


def test_silence_is_waited_for_no_longer_than_wished() -> None:
    with Impostor(None).running() as gateway:
        assert problem(gateway.url, timeout=1.0) in ("no answer within 1s", "timed out", "no answer in time")


def test_nor_is_an_answer_that_drips() -> None:
    """Each byte comes in time, all of them would take many minutes."""
    with Impostor(answer("200 OK", b"x" * 1000), drip=0.5).running() as gateway:
        assert problem(gateway.url, timeout=1.0) == "no answer within 1s"


def test_where_nobody_listens_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    assert "Connection refused" in problem(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("field", ["ca", "cert", "key", "password_file"])
def test_a_file_that_is_missing_is_named(field: str) -> None:
    files = {field: "/nowhere/at-all.pem"} | ({"cert": "/etc/hostname"} if field == "key" else {})

    assert problem("https://127.0.0.1:9", username="pusher" if field == "password_file" else "", **files) == (
        "/nowhere/at-all.pem: No such file or directory"
    )


def test_a_file_that_is_no_certificate_is_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate\n")

    assert "cannot be used" in problem("https://127.0.0.1:9", ca=str(tmp_path / "ca.pem"))
