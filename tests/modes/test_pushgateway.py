"""`sweep` and `migrate` beside the real Pushgateway, and the real Prometheus that scrapes it."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.edge.servers import SandboxServer
from tests.edge.test_service import stock
from tests.modes import pushing
from tests.modes.pushing import PLACE, check, nowhere, pushgateway_of, sweep
from tests.world.prometheus import Prometheus, promtool
from tests.world.pushgateway import Pushgateway

pytestmark = pytest.mark.system

RUN = "gitjob_cleaner_run_"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SandboxServer]:
    with pushing.sandbox(tmp_path) as made:
        yield made


def numbers(gateway: Pushgateway, **labels: str) -> dict[str, float | None]:
    """What an operator asks first."""
    names = ("jobs_deleted", "jobs_retained", "job_errors", "backlog_jobs", "exit_code", "last_success_timestamp_seconds")
    return {name: gateway.value(RUN + name, mode="sweep", **labels) for name in names}


def test_what_is_pushed_is_what_the_report_says(server: SandboxServer) -> None:
    with Pushgateway() as gateway:
        began = time.time()
        done = sweep(server, gateway.url, "--pushgateway-labels", "cluster=blue", "--failed-keep", "0", "--max-deletions", "1")
        pushed = numbers(gateway, cluster="blue")

        assert done.code == 1
        assert pushed == {
            "jobs_deleted": 1,
            "jobs_retained": 0,
            "job_errors": 0,
            "backlog_jobs": 2,
            "exit_code": 1,
            "last_success_timestamp_seconds": None,
        }
        completed = gateway.value(RUN + "last_completion_timestamp_seconds")
        assert completed is not None
        assert began <= completed <= time.time()
        assert gateway.value(RUN + "jobs_deleted", gitrepo="shop", gitrepo_namespace=PLACE, outcome="failed") == 1
        assert gateway.value(RUN + "api_requests", verb="delete", resource="jobs", code="200") == 1
        assert gateway.value(RUN + "info", fleet="0.16.1") == 1
        assert gateway.value("push_failure_time_seconds") == 0


def test_a_failure_leaves_the_last_success_and_what_was_known(server: SandboxServer, tmp_path: Path) -> None:
    with Pushgateway() as gateway:
        assert sweep(server, gateway.url).code == 0
        first = numbers(gateway)
        assert sweep(nowhere(tmp_path), gateway.url).code == 4
        second = numbers(gateway)

        assert first["last_success_timestamp_seconds"] is not None
        assert second == first | {"exit_code": 4, "jobs_deleted": 0}
        assert sweep(server, gateway.url).code == 0
        third = numbers(gateway)
        assert third["last_success_timestamp_seconds"] > first["last_success_timestamp_seconds"]  # type: ignore[operator]
        assert (third["exit_code"], third["jobs_retained"]) == (0, 1)


def test_a_gitrepo_that_has_gone_is_gone_after_the_next_success(server: SandboxServer) -> None:
    with Pushgateway() as gateway:
        assert sweep(server, gateway.url).code == 0
        server.request("DELETE", f"/apis/fleet.cattle.io/v1alpha1/namespaces/{PLACE}/gitrepos/shop")
        stock(server, PLACE, "failed", name="other")
        assert sweep(server, gateway.url).code == 0

        assert {dict(labels)["gitrepo"] for labels in gateway.values(RUN + "jobs_retained")} == {"", "other"}


def test_a_dry_run_has_a_group_of_its_own(server: SandboxServer) -> None:
    with Pushgateway() as gateway:
        assert sweep(server, gateway.url, "--dry-run").code == 0
        assert sweep(server, gateway.url).code == 0

        assert gateway.value(RUN + "jobs_would_be_deleted", dry_run="true") == 2
        assert gateway.value(RUN + "jobs_deleted", dry_run="true") == 0
        assert gateway.value(RUN + "jobs_deleted", dry_run="false") == 2


def test_promtool_has_nothing_to_say_to_what_is_pushed(server: SandboxServer) -> None:
    with Pushgateway() as gateway:
        assert sweep(server, gateway.url).code == 0
        text = gateway.exposition()

    found = promtool("check", "metrics", stdin="".join(line for line in text.splitlines(keepends=True) if RUN in line))
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


@pytest.fixture
def authority(tmp_path: Path) -> dict[str, str]:
    """A certificate for 127.0.0.1 that is its own authority, for both sides."""
    certificate, key = tmp_path / "gateway.crt", tmp_path / "gateway.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=gateway"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return {"cert": str(certificate), "key": str(key)}


def test_tls_a_client_certificate_and_a_password(server: SandboxServer, tmp_path: Path, authority: dict[str, str]) -> None:
    (tmp_path / "password").write_text("open sesame\n")
    tls = {"cert_file": authority["cert"], "key_file": authority["key"]}
    tls |= {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": authority["cert"]}
    users = {"pusher": "$2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy"}  # of "open sesame"
    known = ("--pushgateway-ca", authority["cert"])
    shown = ("--pushgateway-cert", authority["cert"], "--pushgateway-key", authority["key"])
    named = ("--pushgateway-username", "pusher", "--pushgateway-password-file", str(tmp_path / "password"))
    with Pushgateway(web_config={"tls_server_config": tls, "basic_auth_users": users}) as gateway:
        url = gateway.url.replace("http:", "https:")
        told = {
            flags: sweep(server, url, "--log-level", "info", *flags).err
            for flags in (
                (),
                known,
                (*known, *shown),
                (*known, *shown, *named),
            )
        }
        checked = [pushgateway_of(check(server, "sweep", "--pushgateway", url, *flags)) for flags in told]

    assert "CERTIFICATE_VERIFY_FAILED" in told[()]
    assert "run totals not pushed" in told[known]
    assert "HTTP 401" in told[(*known, *shown)]
    assert "run totals pushed" in told[(*known, *shown, *named)]
    assert [state for ((state, _),) in checked] == ["warning", "warning", "warning", "ok"]


def test_what_another_group_has_as_another_type_is_told(server: SandboxServer) -> None:
    with Pushgateway() as gateway:
        gateway.push("job/other", f"# TYPE {RUN}exit_code counter\n{RUN}exit_code 1\n")
        done = sweep(server, gateway.url)

    assert done.code == 0
    assert "HTTP 400" in done.err


def test_success_failure_success_as_prometheus_sees_it(server: SandboxServer, tmp_path: Path) -> None:
    with Pushgateway() as gateway, Prometheus(config=scraping(gateway)) as prometheus:
        assert sweep(server, gateway.url).code == 0
        first = seen(prometheus, exit_code=0)
        assert sweep(nowhere(tmp_path), gateway.url).code == 4
        second = seen(prometheus, exit_code=4)
        stock(server, PLACE, "failed", "failed", "failed", "failed", name="other")
        assert sweep(server, gateway.url).code == 0
        third = seen(prometheus, exit_code=0)

    assert (first["deleted"], second["deleted"], third["deleted"]) == (2, 0, 3)
    assert first["success"] == second["success"] < third["success"]
    assert first["completed"] < second["completed"] < third["completed"]
    assert (first["retained"], second["retained"], third["retained"]) == (1, 1, 2)


def scraping(gateway: Pushgateway) -> str:
    """What scrapes a gateway as its docs advise."""
    config = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"},
        "scrape_configs": [{"job_name": "pushgateway", "honor_labels": True, "static_configs": [{"targets": [gateway.address]}]}],
    }
    return json.dumps(config)


def seen(prometheus: Prometheus, exit_code: int) -> dict[str, Any]:
    """What is stored once the run with that exit code is."""
    prometheus.eventually(f'{RUN}exit_code{{job="gitjob-cleaner"}} == {exit_code}')
    questions = {
        "deleted": f"sum({RUN}jobs_deleted)",
        "retained": f"sum({RUN}jobs_retained)",
        "success": f"max({RUN}last_success_timestamp_seconds)",
        "completed": f"max({RUN}last_completion_timestamp_seconds)",
    }
    return {name: float(prometheus.query(promql)[0]["value"][1]) for name, promql in questions.items()}
