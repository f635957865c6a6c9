#!/usr/bin/env python3
"""Install napari-cellsci into this checkout and run its demo or its tests.

    python3 scripts/bootstrap.py demo
    python3 scripts/bootstrap.py test

Needs nothing but Python 3.11 or newer and git. What the system itself lacks is
named together with the command that installs it. Arguments that follow are handed on
to ``cellsci demo`` or to pytest.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".venv"
ENVIRONMENTS = {"demo": "demo", "test": "tests", "slow": "slow"}

# What Qt and OpenGL load at run time, and the Debian or Ubuntu package it comes in.
WINDOW_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libOpenGL.so.0": "libopengl0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
SOFTWARE_GL = "libgl1-mesa-dri"


def loads(library: str) -> bool:
    """Say whether the dynamic linker finds `library`."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def has_display() -> bool:
    """Say whether a window could be opened on this machine as it is."""
    return not sys.platform.startswith("linux") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def missing_packages(task: str) -> list[str]:
    """Name the Debian or Ubuntu packages without which `task` cannot run."""
    missing = [] if find_spec("ensurepip") else ["python3-venv"]
    if not sys.platform.startswith("linux") or (task == "demo" and not has_display()):
        return missing
    missing += [
        package for library, package in WINDOW_LIBRARIES.items() if not loads(library)
    ]
    if not any(Path("/usr/lib").glob("*/dri/*_dri.so")):
        missing.append(SOFTWARE_GL)
    if not has_display() and not shutil.which("Xvfb"):
        missing.append("xvfb")
    return missing


def check_machine(task: str) -> None:
    """Stop with one sentence where the machine lacks something."""
    if sys.version_info < (3, 11):  # noqa: UP036
        version = ".".join(map(str, sys.version_info[:3]))
        sys.exit(
            f"napari-cellsci needs Python 3.11 or newer; this is Python {version}."
        )
    if not shutil.which("git"):
        sys.exit("napari-cellsci needs git: sudo apt-get install git")
    if missing := missing_packages(task):
        packages = " ".join(missing)
        sys.exit(
            "These system packages are missing; install them and run this again:\n"
            f"    sudo apt-get install --no-install-recommends {packages}"
        )


def tool(name: str) -> str:
    """Return the path of a program of the tools' environment."""
    folder = "Scripts" if os.name == "nt" else "bin"
    return str(TOOLS / folder / name)


def install_tox() -> None:
    """Make the tools' environment once."""
    if not (TOOLS / "pyvenv.cfg").exists():
        venv.create(TOOLS, with_pip=True)
    constraints = str(ROOT / "constraints.txt")
    subprocess.run(
        [tool("python"), "-m", "pip", "install", "-q", "-c", constraints, "tox"],
        check=True,
    )


def command(task: str, arguments: list[str]) -> list[str]:
    """Return the command line that runs `task` through tox."""
    call = [tool("tox"), "run", "-c", str(ROOT / "tox.ini"), "-e", ENVIRONMENTS[task]]
    if arguments:
        call += ["--", *arguments]
    return call


def main() -> int:
    """Run the task named on the command line; return its exit code."""
    if len(sys.argv) < 2 or sys.argv[1] not in ENVIRONMENTS:
        sys.exit(__doc__)
    task, arguments = sys.argv[1], sys.argv[2:]
    check_machine(task)
    install_tox()
    return subprocess.run(command(task, arguments), cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
