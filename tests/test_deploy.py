"""The files of deploy/ agree with the image, with the settings and with each other."""

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from bentoml_img.paths import ROOT
from services.container import SERVING_STAGE
from services.paths import HEALTH
from services.settings import Settings

DEPLOY = ROOT / "deploy"
MANIFESTS = ("kubernetes.yaml", "kubernetes-detector.yaml")
UNITS = {"m": 2**20, "g": 2**30, "Mi": 2**20, "Gi": 2**30}

Tree = dict[str, Any]


def documents(name: str) -> list[Tree]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def of_kind(name: str, kind: str) -> Tree:
    (found,) = (it for it in documents(name) if it["kind"] == kind)
    return found


def pod(name: str) -> Tree:
    spec: Tree = of_kind(name, "Deployment")["spec"]["template"]["spec"]
    return spec


def container(name: str) -> Tree:
    (found,) = pod(name)["containers"]
    assert isinstance(found, dict)
    return found


def compose() -> dict[str, Tree]:
    (document,) = documents("compose.yaml")
    services: dict[str, Tree] = document["services"]
    return services


def image_variable(name: str) -> str:
    """What the image sets an environment variable to."""
    (value,) = re.findall(rf"\b{name}=(\S+)", SERVING_STAGE)
    return str(value)


def in_bytes(size: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\w+)", size).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def environments() -> Iterator[dict[str, Any]]:
    for service in compose().values():
        yield service["environment"]
    for name in MANIFESTS:
        yield {entry["name"]: entry.get("value") for entry in container(name)["env"]}


class Recorder(dict[str, str]):
    """An empty environment that knows what it was asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return default


def test_every_variable_is_one_that_the_service_or_bentoml_reads() -> None:
    recorder = Recorder()
    Settings.from_environment(recorder)
    known = recorder.asked | {"BENTOML_HOME"}
    assert all(environment.keys() <= known for environment in environments())


def test_without_a_key_in_the_shell_no_key_is_asked_for() -> None:
    for service in compose().values():
        given = service["environment"]["BENTOML_IMG_API_KEY"]
        assert given == "${BENTOML_IMG_API_KEY:-}"
    assert Settings.from_environment({"BENTOML_IMG_API_KEY": ""}).api_key is None


def test_the_ports_are_the_servers_and_open_to_this_host_alone() -> None:
    published = [service["ports"][0].split(":") for service in compose().values()]
    assert {inside for _, _, inside in published} == {image_variable("BENTOML_PORT")}
    assert {address for address, _, _ in published} == {"127.0.0.1"}
    assert len({outside for _, outside, _ in published}) == len(published)


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_pods_port_is_the_servers_and_the_service_leads_to_it(name: str) -> None:
    deployment, service = of_kind(name, "Deployment"), of_kind(name, "Service")
    template = deployment["spec"]["template"]
    (port,) = container(name)["ports"]
    assert str(port["containerPort"]) == image_variable("BENTOML_PORT")
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(port["containerPort"])
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    labels = template["metadata"]["labels"]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"] == labels


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_probes_ask_paths_that_need_no_key(name: str) -> None:
    server = container(name)
    paths = {
        probe: server[probe]["httpGet"]["path"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert set(paths.values()) <= HEALTH
    assert paths["startupProbe"] == paths["readinessProbe"] == "/readyz"
    assert paths["livenessProbe"] == "/livez"
    assert {server[probe]["httpGet"]["port"] for probe in paths} == {server["ports"][0]["name"]}


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_pods_user_is_the_images(name: str) -> None:
    (user,) = re.findall(r"useradd --uid (\d+) ", SERVING_STAGE)
    context = pod(name)["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (int(user), int(user))
    assert context.get("fsGroup", int(user)) == int(user)
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_compose_gives_no_privileges() -> None:
    for service in compose().values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_compose_leaves_the_health_check_to_the_image() -> None:
    assert "HEALTHCHECK" in SERVING_STAGE
    assert all("test" not in service["healthcheck"] for service in compose().values())


def test_what_the_server_writes_is_in_memory_or_on_a_volume() -> None:
    folders = {"/tmp", "/var/lib/bentoml"}
    assert " /var/lib/bentoml\n" in SERVING_STAGE  # owned by the user, as a new volume then is
    for service in compose().values():
        mounts = [service["tmpfs"].partition(":")[0]]
        mounts += [volume.partition(":")[2] for volume in service.get("volumes", [])]
        home = service["environment"].get("BENTOML_HOME", image_variable("BENTOML_HOME"))
        assert is_below(home, mounts)
        assert set(mounts) <= folders
    for name in MANIFESTS:
        server, volumes = container(name), {it["name"] for it in pod(name)["volumes"]}
        assert {mount["name"] for mount in server["volumeMounts"]} == volumes
        mounts = [mount["mountPath"] for mount in server["volumeMounts"]]
        variables = {entry["name"]: entry.get("value") for entry in server["env"]}
        assert is_below(variables.get("BENTOML_HOME", image_variable("BENTOML_HOME")), mounts)
        assert set(mounts) <= folders


def is_below(path: str, mounts: list[str]) -> bool:
    return any(os.path.commonpath([path, mount]) == mount for mount in mounts)


def test_the_autoscaler_asks_for_what_the_adapter_offers_and_scales_what_there_is() -> None:
    scaler = of_kind("kubernetes.yaml", "HorizontalPodAutoscaler")["spec"]
    deployment = of_kind("kubernetes.yaml", "Deployment")
    (document,) = documents("prometheus-adapter.yaml")
    (rule,) = document["rules"]["custom"]
    asked = {it["pods"]["metric"]["name"] for it in scaler["metrics"] if it["type"] == "Pods"}
    assert asked == {rule["name"]["as"]}
    assert scaler["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]


@pytest.mark.parametrize(
    ("service", "name"), [("segmenter", MANIFESTS[0]), ("detector", MANIFESTS[1])]
)
def test_compose_and_kubernetes_set_the_same_limits_to_the_same_image(
    service: str, name: str
) -> None:
    composed, server = compose()[service], container(name)
    limits = server["resources"]["limits"]
    assert composed["image"] == server["image"]
    assert composed["cpus"] == int(limits["cpu"])
    assert in_bytes(composed["mem_limit"]) == in_bytes(limits["memory"])


def test_the_images_are_those_that_the_documentation_builds() -> None:
    text = (ROOT / "docs" / "deploy.md").read_text()
    for service in compose().values():
        assert f" -t {service['image']}\n" in text
