"""Files that other machines read: they parse, and say what pyproject.toml and the Makefile say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PREFIX = "Programming Language :: Python :: "
PYTHONS = [c.removeprefix(PREFIX) for c in PROJECT["classifiers"] if c.startswith(PREFIX)]


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def jobs(name):
    return yaml.safe_load(text_of(f".github/workflows/{name}.yml"))["jobs"]


def commands(job):
    return "\n".join(step.get("run", "") for step in job["steps"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_well_formed(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", True, "jobs"} <= set(workflow)  # `on` is read as true
    for job in workflow["jobs"].values():
        assert job["runs-on"]
        assert job["steps"]
        assert all(("run" in step) != ("uses" in step) for step in job["steps"])
        needed = job.get("needs", [])
        assert {needed} if isinstance(needed, str) else set(needed) <= set(workflow["jobs"])
        used = [step["uses"] for step in job["steps"] if "uses" in step]
        assert [each for each in used if not re.fullmatch(r"[\w-]+/[\w-]+@[\w./]+", each)] == []


def test_every_system_meets_every_python():
    matrix = jobs("tests")["systems"]["strategy"]["matrix"]
    assert matrix["python"] == PYTHONS
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}


def test_the_oldest_python_is_named_alike_everywhere():
    oldest = PYTHONS[0]
    assert PROJECT["requires-python"] == f">={oldest}"
    for name, wanted in {
        "Dockerfile": f"FROM python:{oldest}-slim",
        ".binder/runtime.txt": f"python-{oldest}",
        "README.md": f"Python {oldest} or later",
    }.items():
        assert wanted in text_of(name)
    lowest = jobs("tests")["lowest"]["steps"]
    assert [s["with"]["python-version"] for s in lowest if "with" in s] == [oldest]


def test_what_a_workflow_runs_is_there():
    """Scripts and tests by their path, everywhere that a command stands."""
    said = [commands(job) for name in ("tests", "release") for job in jobs(name).values()]
    said += [text_of("Makefile"), text_of("Dockerfile"), text_of(".pre-commit-config.yaml")]
    paths = re.findall(r"(?:tools|tests)/\w+\.py|\.ci/run", "\n".join(said))
    assert len(set(paths)) > 5
    assert {path for path in paths if not (ROOT / path).is_file()} <= {"tools/make_pdf.py"}
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), flags=re.MULTILINE))
    for text in said[:-3] + said[-2:]:
        assert set(re.findall(r"\bmake ([a-z]+)", text)) <= targets


def test_the_site_is_built_from_what_was_tested():
    tests = jobs("tests")
    assert ".ci/run" in commands(tests["everything"])
    uploaded = [s["with"]["path"] for s in tests["everything"]["steps"] if "upload" in str(s)]
    assert uploaded == ["_build/html"]
    assert tests["publish"]["needs"] == "everything"
    assert "main" in tests["publish"]["if"]


def test_a_release_needs_no_password():
    release = jobs("release")
    assert release["publish"]["permissions"] == {"id-token": "write"}
    assert "secrets." not in text_of(".github/workflows/release.yml")
    assert "tests/test_wheel.py" in commands(release["build"])
    (check,) = re.findall(r"grep -qx \"(.*)\" pyproject.toml", commands(release["build"]))
    line = check.replace('\\"', '"').replace("${TAG#v}", PROJECT["version"])
    assert line in text_of("pyproject.toml").splitlines()


def test_the_other_settings_parse():
    container = json.loads(text_of(".devcontainer/devcontainer.json"))
    image = ROOT / ".devcontainer" / container["build"]["dockerfile"]
    assert image.resolve() == ROOT / "Dockerfile"
    hooks = yaml.safe_load(text_of(".pre-commit-config.yaml"))["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == ["make lint", "make check"]
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= set(form)
        assert any(part.get("validations", {}).get("required") for part in form["body"])
    included = text_of(".binder/requirements.txt").split()
    assert (ROOT / ".binder" / included[1]).resolve() == ROOT / "requirements.txt"


def test_the_image_installs_from_files_that_it_has_copied():
    """The environment's layer comes before the book, so that it has to name what it needs."""
    before = text_of("Dockerfile").partition("RUN make environment")[0]
    copied = set(" ".join(re.findall(r"^COPY (.*) \S+$", before, flags=re.MULTILINE)).split())
    needed = {"Makefile", "pyproject.toml", "requirements.txt", PROJECT["readme"], "LICENSE"}
    assert needed | {"ttfslib", "tools/bootstrap.py", "tools/environment.py"} <= copied
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_lowest_versions_are_those_of_the_ranges():
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "lowest.py"], capture_output=True, text=True, check=True
    )
    lowest = dict(line.split("==") for line in done.stdout.splitlines())
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]
    assert len(lowest) == len(wanted)
    assert all(f"{name}>={version}" in " ".join(wanted) for name, version in lowest.items())


def test_the_tested_versions_lie_in_the_ranges():
    """Of the package, the tests, the book and exports; names are written in several ways."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    pins = re.findall(r"^([\w.-]+)==(\S+)$", text_of("requirements.txt"), flags=re.MULTILINE)
    pinned = {canonicalize_name(name): version for name, version in pins}
    groups = PROJECT["optional-dependencies"]
    wanted = [each for name in ("test", "book", "export") for each in groups[name]]
    ranges = map(Requirement, PROJECT["dependencies"] + wanted)
    wrong = [
        str(each)
        for each in ranges
        if pinned.get(canonicalize_name(each.name), "") not in each.specifier
    ]
    assert wrong == []


def test_the_version_is_the_same_everywhere():
    version = PROJECT["version"]
    assert f'__version__ = "{version}"' in text_of("ttfslib/__init__.py")
    assert str(yaml.safe_load(text_of("CITATION.cff"))["version"]) == version
    assert f"\n## {version}\n" in text_of("CHANGELOG.md")
