"""From a clone to an environment: which Python, which folder, and nothing but the whole."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WHEEL = "tiny-1.0-py3-none-any.whl"

needs_make = pytest.mark.skipif(
    os.name == "nt" or shutil.which("make") is None, reason="no make with a shell on this machine"
)
needs_git = pytest.mark.skipif(
    shutil.which("git") is None or not (ROOT / ".git").exists(), reason="not a git checkout"
)


# --- a checkout that installs in seconds --------------------------------------------------------


def write_wheel(path):
    """Write a package of one empty module."""
    info = "tiny-1.0.dist-info"
    tags = "Root-Is-Purelib: true\nTag: py3-none-any\n"
    files = {
        "tiny.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: hand\n{tags}",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)


@pytest.fixture
def checkout(tmp_path):
    """What makes an environment, in a folder with a difficult name, beside a tiny package."""
    folder = tmp_path / "a b" / "ö 'x'"
    (folder / "tools").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "tools/bootstrap.py", "tools/environment.py"):
        shutil.copy(ROOT / name, folder / name)
    write_wheel(folder / WHEEL)
    (folder / "requirements.txt").write_text(f"./{WHEEL}\n", encoding="utf-8")
    return folder


def make(folder, *words, **environment):
    """Call make in `folder`; return how it ended and what it said."""
    return subprocess.run(
        ["make", *words],
        cwd=folder,
        env={**outside_of_make(), "PYTHON": sys.executable, "PIP_NO_INDEX": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def packages(python):
    done = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    return done.stdout


def has_tiny(folder):
    python = folder / ".venv" / "bin" / "python"
    return subprocess.run([python, "-c", "import tiny"], check=False).returncode == 0


def outside_of_make():
    """The environment without what a make that runs these tests has put into it."""
    return {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}


def age(folder):
    return (folder / ".venv" / "pyvenv.cfg").stat().st_mtime_ns


# --- which Python -------------------------------------------------------------------------------


@needs_make
@pytest.mark.parametrize("version", [(2, 7, 18), (3, 10, 13)])
def test_an_old_python_is_told_before_anything_is_made(checkout, tmp_path, version):
    """An interpreter that claims to be older, in front of the same script."""
    old = tmp_path / "python3"
    code = (
        "import runpy, sys; sys.argv = sys.argv[1:]; sys.path.insert(0, 'tools'); "
        f"sys.version_info = {version}; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    old.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}" "$@"\n', encoding="utf-8")
    old.chmod(0o755)
    done = make(checkout, "environment", PYTHON=str(old))
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode != 0
    assert len(said) == 1
    assert "needs Python 3.11 or later" in said[0]
    assert "is Python {}.{}.{}.".format(*version) in said[0]
    assert not (checkout / ".venv").exists()


def old_pythons():
    """Interpreters before the first that will do, as far as this machine has some."""
    names = [shutil.which(f"python{version}") for version in ("2.7", "3.6", "3.8", "3.9", "3.10")]
    kept = sorted((Path.home() / ".pyenv" / "versions").glob("*/bin/python"))
    question = [*("-c", "import sys; sys.exit(sys.version_info >= (3, 11))")]
    return [
        python
        for python in [*filter(None, names), *map(str, kept)]
        if not subprocess.run([python, *question], capture_output=True, check=False).returncode
    ]


def test_the_first_script_is_read_by_every_python(checkout):
    """Those that are here; their own parsers, not a rule about syntax."""
    pythons = old_pythons()
    if not pythons:
        pytest.skip("no Python before 3.11 on this machine")
    for python in pythons:
        done = subprocess.run(
            [python, "tools/bootstrap.py"],
            cwd=checkout,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, python
        assert done.stderr.count("\n") == 1, done.stderr
        assert "needs Python 3.11 or later" in done.stderr


@pytest.fixture
def bootstrap(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import bootstrap

    return bootstrap


def test_the_wanted_python_is_the_one_of_the_package(bootstrap):
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    oldest = bootstrap.wanted(text)
    project = tomllib.loads(text)["project"]
    assert project["requires-python"] == ">={}.{}".format(*oldest)
    assert f"Programming Language :: Python :: {oldest[0]}.{oldest[1]}" in project["classifiers"]
    assert bootstrap.complaint(oldest) is None
    assert bootstrap.complaint((99, 0)).endswith("make PYTHON=python99.0")


# --- complete or not at all ---------------------------------------------------------------------


@pytest.mark.slow
@needs_make
def test_the_environment_is_made_once_inside_the_folder_and_nowhere_else(checkout):
    """Even with a pip that is told to install elsewhere."""
    elsewhere = checkout.parent / "elsewhere"
    before = packages(sys.executable)
    first = make(checkout, "environment", PIP_TARGET=str(elsewhere), PIP_USER="1")
    assert first.returncode == 0, first.stderr
    assert list(checkout.glob(".venv/lib/*/site-packages/__pycache__/tiny.*.pyc"))
    assert has_tiny(checkout)
    assert not elsewhere.exists()
    assert packages(sys.executable) == before
    made = age(checkout)
    # Whoever started it need not be there any more.
    again = make(checkout, "environment", PYTHON="/nowhere/python3")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert age(checkout) == made


@pytest.mark.slow
@needs_make
def test_what_cannot_be_completed_is_removed(checkout):
    (checkout / "requirements.txt").write_text(f"./{WHEEL}\n./missing.whl\n", encoding="utf-8")
    done = make(checkout, "environment")
    assert done.returncode != 0
    assert "The packages were not installed" in done.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.slow
@needs_make
def test_a_failed_change_leaves_the_environment_and_is_tried_again(checkout):
    assert make(checkout, "environment").returncode == 0
    made = age(checkout)
    (checkout / "requirements.txt").write_text("./missing.whl\n", encoding="utf-8")
    for _ in range(2):
        assert make(checkout, "environment").returncode != 0
        assert has_tiny(checkout)
    (checkout / "requirements.txt").write_text(f"./{WHEEL}\n# changed\n", encoding="utf-8")
    assert make(checkout, "environment").returncode == 0
    assert age(checkout) == made


def unfinished(folder):
    (folder / ".unfinished").touch()


def without_python(folder):
    (folder / "bin" / "python").unlink()


def with_a_python_that_fails(folder):
    without_python(folder)
    python = folder / "bin" / "python"
    python.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    python.chmod(0o755)


def without_pip(folder):
    shutil.rmtree(next(folder.glob("lib/*/site-packages/pip")))


def from_another_folder(folder):
    digest = (folder / ".ready").read_text(encoding="utf-8").splitlines()[0]
    (folder / ".ready").write_text(f"{digest}\n/home/of/somebody\n", encoding="utf-8")


@pytest.mark.slow
@needs_make
def test_a_broken_environment_is_made_again(checkout, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import environment

    assert make(checkout, "environment").returncode == 0
    made, whole = age(checkout), checkout / "whole"
    here = environment.Environment(checkout)
    assert here.is_ready()
    assert here.is_usable()
    here.folder.rename(whole)
    for harm in (without_python, with_a_python_that_fails, without_pip, from_another_folder):
        shutil.copytree(whole, here.folder, symlinks=True)
        harm(here.folder)
        assert not here.is_usable(), harm.__name__
        shutil.rmtree(here.folder)
    whole.rename(here.folder)
    unfinished(here.folder)
    here.ready.unlink()
    done = make(checkout, "environment")
    assert done.returncode == 0, done.stderr
    assert has_tiny(checkout)
    assert age(checkout) > made


@pytest.mark.slow
@needs_make
def test_the_readers_own_environment_is_taken(checkout):
    """One without a marker, whose Python runs and has pip, gets the packages."""
    subprocess.run([sys.executable, "-m", "venv", checkout / ".venv"], check=True)
    made = age(checkout)
    assert make(checkout, "environment").returncode == 0
    assert has_tiny(checkout)
    assert age(checkout) == made


def test_a_python_that_makes_no_environments_says_what_is_missing(checkout, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import environment

    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(OSError, match="has no ensurepip: install the package python3-venv"):
        environment.Environment(checkout).make()
    assert not (checkout / ".venv").exists()


# --- the targets --------------------------------------------------------------------------------


def targets():
    return re.findall(r"^([a-z]+):", MAKEFILE, flags=re.MULTILINE)


@needs_make
def test_every_target_calls_the_interpreter_of_the_environment_alone():
    """A search for a program would find the reader's own."""
    check = '".venv/bin/python" tools/environment.py --check 2>/dev/null || "'
    path = 'PATH="$(cd "$(dirname ".venv/bin/python")" && pwd):$PATH" '
    allowed = (check, '".venv/bin/python" ', f'{path}".venv/bin/python" ', "rm -rf ", "sed ")
    for target in targets():
        done = make(ROOT, "--dry-run", target)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert [line for line in lines if not line.startswith(allowed)] == []
        assert [line for line in lines if line.count("||") != line.startswith(check)] == []


@needs_make
def test_help_lists_every_target():
    listed = re.findall(r"^  make (\w+) +\S", make(ROOT, "help").stdout, flags=re.MULTILINE)
    assert set(listed) == set(targets())
    phony = re.findall(r"^\.PHONY: (.*)", MAKEFILE, flags=re.MULTILINE)
    assert set(" ".join(phony).split()) == set(targets())


@needs_make
def test_no_backend_reaches_what_make_starts(tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "${MPLBACKEND-none}"\n', encoding="utf-8")
    python.chmod(0o755)
    for target in ("lab", "book"):
        words = ("--silent", "--assume-old=environment", target, f"PY={python}")
        assert make(ROOT, *words, MPLBACKEND="agg").stdout == "none\n"


@pytest.fixture
def told(checkout):
    """What a target tells the interpreter, which says its words and where `ttfs` is found."""
    folder = checkout / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name, line in (("python", 'printf "%s\\n" "$@"; command -v ttfs'), ("ttfs", "")):
        (folder / name).write_text(f"#!/bin/sh\n{line}\ntrue\n", encoding="utf-8")
        (folder / name).chmod(0o755)

    def call(target, *words, **environment):
        done = make(checkout, "--silent", "--assume-old=environment", target, *words, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return call


@needs_make
def test_the_commands_of_the_environment_are_known_in_jupyterlab(checkout, told):
    assert told("lab")[-1] == str(checkout / ".venv" / "bin" / "ttfs")


@needs_make
@pytest.mark.parametrize(
    ("target", "name"),
    [("reproduce", "NAME"), ("execute", "CHAPTER"), ("lab", "FOLDER"), ("lab", "LAB")],
)
def test_a_variable_of_the_shell_is_no_word_of_the_reader(told, target, name):
    """Some systems set NAME to that of the machine."""
    assert not any("laptop" in word for word in told(target, **{name: "laptop"}))
    assert any("laptop" in word for word in told(target, f"{name}=laptop"))


@needs_make
@pytest.mark.parametrize(
    ("given", "taken"), [("5", "5"), *((other, "auto") for other in ("", "many", "-1", "2 3"))]
)
def test_the_shell_may_say_how_many_tests_run_at_a_time(told, given, taken):
    words = told("quick", JOBS=given)
    assert words[words.index("-n") + 1] == taken
    words = told("quick", "JOBS=2", JOBS=given)
    assert words[words.index("-n") + 1] == "2"


def test_whatever_calls_the_interpreter_has_an_environment_first():
    """Even where several targets are made at a time."""
    rules = re.findall(r"^([a-z]+):([^#\n]*).*\n((?:\t.*\n)*)", MAKEFILE, flags=re.MULTILINE)
    needs = {name: needed.split() for name, needed, _ in rules}

    def has_one(name):
        return name == "environment" or any(map(has_one, needs[name]))

    assert [name for name, _, recipe in rules if "$(PY)" in recipe and not has_one(name)] == []


def test_the_makefile_needs_no_more_than_make_3_81():
    """That version knows none of these, and passes an exported PATH to no simple command."""
    assert re.findall(r"\.ONESHELL|^undefine|\$\(file |::=|!=", MAKEFILE, flags=re.MULTILINE) == []
    assert re.findall(r"^export PATH", MAKEFILE, flags=re.MULTILINE) == []


# --- a checkout as on Windows -------------------------------------------------------------------


@needs_git
def test_line_ends_of_another_system_change_no_byte(tmp_path):
    """With `core.autocrlf` on, checksummed text would get carriage returns."""
    clone = tmp_path / "clone"
    windows = ("-c", "core.autocrlf=true", "-c", "core.eol=crlf")
    subprocess.run(
        ["git", *windows, "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone)], check=True
    )
    names = subprocess.run(
        ["git", "-C", str(clone), "ls-files", "-z"], capture_output=True, text=True, check=True
    ).stdout.split("\0")
    ends = subprocess.run(
        ["git", "-C", str(clone), "ls-files", "--eol"], capture_output=True, text=True, check=True
    ).stdout
    assert len(names) > 100
    assert re.findall(r"w/(?:crlf|mixed)\s.*", ends) == []
    page = (clone / "data" / "README.md").read_text(encoding="utf-8")
    sums = re.findall(r"^([0-9a-f]{64})  (\S+)$", page, flags=re.MULTILINE)
    assert len(sums) > 20
    for digest, name in sums:
        assert hashlib.sha256((clone / "data" / name).read_bytes()).hexdigest() == digest, name


@needs_git
def test_every_kind_of_file_that_is_not_text_is_named():
    """What git takes for binary by looking could be taken for text one day."""
    listed = subprocess.run(
        ["git", "ls-files", "--eol"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    unnamed = [line for line in listed if line.startswith("i/-text") and " attr/-text" not in line]
    assert unnamed == []
