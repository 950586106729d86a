"""Whether a notebook prints what it stores."""

import os
import subprocess
import sys


def complaints(path, **environment):
    """Run a notebook under nbval in its folder; what it says if an output differs, else nothing."""
    command = [
        *(sys.executable, "-m", "pytest", "-p", "nbval.plugin"),
        *("--nbval-lax", "--nbval-current-env"),
        *("--nbval-cell-timeout=300", "-q", "-p", "no:cacheprovider", "-W", "default"),
        *("--rootdir", str(path.parent), "-c", os.devnull, path.name),
    ]
    done = subprocess.run(
        command,
        cwd=path.parent,
        # nbval is all that it needs of the plugins that are installed.
        env={**os.environ, **environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout[-6000:] + done.stderr[-2000:]
