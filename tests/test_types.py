"""Types fit in the repository, and those of an installed wheel are seen from outside of it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]
CLIENT = """
import ttfslib
from ttfslib import load_digits, shorth

reveal_type(ttfslib.fit)
reveal_type(ttfslib.first_spike_time([0.0], [3.0]))
reveal_type(ttfslib.LIFParameters().tau_m)
reveal_type(shorth([0.0]))
reveal_type(load_digits())
ttfslib.first_spike
ttfslib.LIFParameters(tau="2")
"""


def test_mypy_finds_nothing_here():
    """What `make lint` says on Linux, beside the other tests."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--platform", "linux"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of what a wheel of this checkout installs."""
    source = tmp_path_factory.mktemp("source")
    for name in ("ttfslib", "configs"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(source), str(source)], check=True)
    [wheel] = source.glob("*.whl")
    target = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


@pytest.fixture
def client(tmp_path):
    path = tmp_path / "client.py"
    path.write_text(CLIENT, encoding="utf-8")
    return path


def said(command, client, **environment):
    """What the checker says of each line of the client, found by the line's number."""
    environment = {**os.environ, **environment}
    done = subprocess.run(
        command, cwd=client.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr  # for the two errors in the client
    texts = [""] * (CLIENT.count("\n") + 1)
    for line in done.stdout.splitlines():
        if ":" in line and (number := line.split("client.py:")[-1].split(":")[0]).isdigit():
            texts[int(number)] += line
    return texts


def check(texts):
    for part in ("TrainingConfig", "seed", "Run"):
        assert part in texts[5]
    assert "float" in texts[6]
    assert "float" in texts[7]
    assert "float64" in texts[8]
    assert "_64Bit" in texts[9]
    assert "first_spike" in texts[10]
    assert "tau" in texts[11]
    assert not any("Any" in text for text in texts[5:8])


def test_mypy_sees_the_types_of_an_installed_wheel(installed, client):
    # Reading torch's own types would take a minute.
    settings = "[mypy]\nignore_missing_imports = True\n[mypy-torch.*]\nfollow_imports = skip\n"
    (client.parent / "mypy.ini").write_text(settings, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--no-incremental", client.name]
    check(said(command, client, MYPYPATH=str(installed), PYTHONPATH=""))


def test_pyright_sees_the_types_of_an_installed_wheel(installed, client):
    if importlib.util.find_spec("basedpyright") is None:
        pytest.skip("no basedpyright: pip install basedpyright")
    (client.parent / "pyrightconfig.json").write_text(
        f'{{"extraPaths": ["{installed}"], "include": ["client.py"]}}', encoding="utf-8"
    )
    command = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable]
    check(said(command, client, PYTHONPATH=""))
