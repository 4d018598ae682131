"""`compose.yaml`, which the tests cannot run for want of Docker: its shape, what it mounts, what its parts say of each other."""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.modes.running import ROOT

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROVISIONING = ROOT / "grafana" / "provisioning"


def mounts(service: str) -> dict[str, Path]:
    """What a service finds where, from this checkout."""
    told = (volume.split(":") for volume in SERVICES[service]["volumes"])
    return {target: ROOT / source for source, target, mode in told if mode == "ro"}


def prometheus_config() -> dict[str, Any]:
    """The configuration that Prometheus gets, the demo's port put in."""
    text = re.sub(r"\$\{METRICS_PORT:\?[^}]*\}", "8080", COMPOSE["configs"]["prometheus"]["content"])
    config: dict[str, Any] = yaml.safe_load(text)
    return config


def test_images_are_named_with_a_version() -> None:
    for service in SERVICES.values():
        assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", service["image"])


def test_all_that_is_mounted_is_here_and_read_only() -> None:
    for name, service in SERVICES.items():
        assert len(mounts(name)) == len(service["volumes"])
        assert [path for path in mounts(name).values() if not path.exists()] == []


def test_nothing_listens_to_others_than_this_machine() -> None:
    assert {service["network_mode"] for service in SERVICES.values()} == {"host"}
    assert "--web.listen-address=127.0.0.1:9090" in SERVICES["prometheus"]["command"]
    assert SERVICES["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert SERVICES["grafana"]["environment"]["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"


def test_prometheus_reads_the_rules_and_scrapes_the_demo() -> None:
    config = prometheus_config()

    assert set(config["rule_files"]) <= set(mounts("prometheus"))
    assert config["scrape_configs"][0]["static_configs"] == [{"targets": ["127.0.0.1:8080"]}]
    (given,) = SERVICES["prometheus"]["configs"]
    assert f"--config.file={given['target']}" in SERVICES["prometheus"]["command"]


def test_grafana_is_given_its_data_source_and_the_dashboard() -> None:
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "gitjob-cleaner.yaml").read_text())["providers"]
    dashboards = [target for target in mounts("grafana") if target.endswith(".json")]

    assert (source["type"], source["url"]) == ("prometheus", "http://127.0.0.1:9090")
    assert source["jsonData"]["timeInterval"] == prometheus_config()["global"]["scrape_interval"]
    assert {str(Path(target).parent) for target in dashboards} == {provider["options"]["path"]}
    assert mounts("grafana")["/etc/grafana/provisioning"] == PROVISIONING
