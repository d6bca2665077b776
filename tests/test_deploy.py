"""Images and manifests in `deploy/`, as far as no daemon is needed."""

import argparse
import json
import re
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from fhe_estimators.deployment.serving._commands import add_serve

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy"
USER = 10001


def instructions():
    """Return pairs of an instruction of the Dockerfile and what it is given."""
    text = re.sub(r"^#.*\n", "", (FOLDER / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).split("\n")
    return [tuple(line.split(" ", 1)) for line in lines if line.strip()]


def stages():
    found = []
    for name, given in instructions():
        if name == "FROM":
            found.append([])
        found[-1].append((name, given))
    return found


def given_to(name, stage):
    return [given for found, given in stage if found == name]


def loaded(name):
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def manifest(kind):
    (found,) = (part for part in loaded("kubernetes.yml") if part["kind"] == kind)
    return found


@pytest.fixture
def service():
    (document,) = loaded("docker-compose.yml")
    (found,) = document["services"].values()
    return found


@pytest.fixture
def pod():
    return manifest("Deployment")["spec"]["template"]["spec"]


def command_of(*arguments):
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_serve(parser.add_subparsers())
    return parser.parse_args(list(arguments))


def is_fixed(image):
    _, _, tag = image.partition(":")
    return bool(re.match(r"\d+\.\d+\.\d+", tag))


def test_images_have_a_version():
    images = [given.split()[0] for stage in stages() for given in given_to("FROM", stage)]
    assert len(images) == 2
    assert all(map(is_fixed, images)), images
    assert not is_fixed("python:latest")
    assert not is_fixed("python")


def test_python_of_the_image_is_ours():
    (image,) = {given.split()[0] for s in stages() for given in given_to("FROM", s)}
    version = image.partition(":")[2].rpartition(".")[0]
    assert f"PYTHON ?= python{version}" in (ROOT / "Makefile").read_text()


def test_the_server_is_not_root_and_is_looked_after():
    last = stages()[-1]
    assert given_to("USER", last) == [f"{USER}:{USER}"]
    names = [name for name, _ in last]
    # What root does comes before; what runs comes behind.
    assert max(i for i, n in enumerate(names) if n == "RUN") < names.index("USER")
    assert names.index("USER") < names.index("ENTRYPOINT")
    (check,) = given_to("HEALTHCHECK", last)
    assert "/v2/health/ready" in check
    (command,) = re.findall(r"CMD (\[.*\])$", check)
    compile(json.loads(command)[-1], "HEALTHCHECK", "exec")


def test_nothing_is_left_in_layers_that_is_not_needed():
    for name, given in instructions():
        assert name != "ADD"
        assert "sudo" not in given
        if "apt-get install" in given:
            assert "--no-install-recommends" in given
            assert "rm -rf /var/lib/apt/lists/*" in given
        if "pip install" in given:
            assert "--no-cache-dir" in given
    copied = [given.split()[:-1] for given in given_to("COPY", stages()[0])]
    allowed = (FOLDER / "Dockerfile.dockerignore").read_text().split()
    for path in (path for paths in copied for path in paths):
        assert (ROOT / path).exists(), path
        assert f"!{path}" in allowed
    assert allowed[0] == "*"


def test_the_image_has_what_the_extra_has_in_known_versions():
    (install,) = (g for g in given_to("RUN", stages()[0]) if "pip install" in g)
    assert install.endswith('--constraint constraints.txt ".[serve]"')
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]

    def names_of(text):
        for line in filter(None, text.split("\n")):
            requirement = Requirement(line.partition("#")[0] or "x")
            if requirement.name == "fhe-estimators":
                for extra in requirement.extras:
                    yield from names_of(extras[extra])
            elif not line.startswith("#"):
                yield requirement.name

    constraints = (ROOT / "constraints.txt").read_text()
    pinned = set(re.findall(r"^(\S+)==", constraints, re.MULTILINE))
    needed = {*names_of(extras["serve"]), *names_of(config["options"]["install_requires"])}
    assert {"starlette", "uvicorn", "skops", "torch"} <= needed
    assert needed - pinned <= {"threadpoolctl"}


def arguments_of_image():
    (entry,), (rest,) = (given_to(name, stages()[-1]) for name in ("ENTRYPOINT", "CMD"))
    return json.loads(entry), json.loads(rest)


def test_its_command_is_one_of_ours(pod):
    entry, rest = arguments_of_image()
    assert entry[0] == "fhe-estimators"
    (container,) = pod["containers"]
    for more in (rest, container["args"]):
        options = command_of(*entry[1:], *more)
        assert options.host == "0.0.0.0"
        assert options.tokens
        assert options.certificate
        assert options.key
        assert not options.insecure


def test_compose_has_no_more_rights_than_it_needs(service):
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["user"] == f"{USER}:{USER}"
    assert service["ulimits"]["core"] == 0
    assert is_fixed(service["image"])
    assert not service.get("privileged")
    # Machine code is loaded from there.
    (temporary,) = service["tmpfs"]
    assert "exec" in temporary.partition(":")[2].split(",")
    places = {volume.split(":")[1] for volume in service["volumes"]}
    assert places == {"/models", "/state"}
    _, rest = arguments_of_image()
    secrets = {f"/run/secrets/{name}" for name in service["secrets"]}
    assert secrets == {value for value in rest if not value.startswith("--")}


def test_the_pod_has_no_more_rights_than_it_needs(pod):
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == USER
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    rights = container["securityContext"]
    assert rights["readOnlyRootFilesystem"] is True
    assert rights["allowPrivilegeEscalation"] is False
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert is_fixed(container["image"])
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert set(mounted) == {volume["name"] for volume in pod["volumes"]}
    assert {"/models", "/state", "/tmp"} <= set(mounted.values())
    for value in container["args"]:
        if value.startswith("/"):
            assert value.startswith(mounted["secrets"])


def test_the_pod_is_looked_after(pod):
    (container,) = pod["containers"]
    options = command_of(*arguments_of_image()[0][1:], *container["args"])
    (port,) = container["ports"]
    assert port["containerPort"] == options.port
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == port["name"]
        assert asked["scheme"] == "HTTPS"
        assert asked["path"] in ("/v2/health/live", "/v2/health/ready")
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    # A worker for each processor, and memory for what each may take.
    limits = container["resources"]["limits"]
    assert options.workers == int(limits["cpu"])
    assert int(limits["memory"].removesuffix("Gi")) * 2**30 > (
        options.workers * options.worker_bytes
    )
    assert pod["terminationGracePeriodSeconds"] > options.drain_seconds


def test_one_server_uses_the_state(service):
    deployment = manifest("Deployment")["spec"]
    assert deployment["replicas"] == 1
    assert deployment["strategy"]["type"] == "Recreate"
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels
    assert manifest("Service")["spec"]["selector"] == labels
    assert "deploy" not in service or service["deploy"].get("replicas", 1) == 1


def test_space_for_state_is_what_keys_may_take(pod):
    claim = manifest("PersistentVolumeClaim")
    size = claim["spec"]["resources"]["requests"]["storage"]
    options = command_of(*arguments_of_image()[0][1:])
    assert int(size.removesuffix("Gi")) * 2**30 > options.total_bytes
    names = {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claim["metadata"]["name"] in names
