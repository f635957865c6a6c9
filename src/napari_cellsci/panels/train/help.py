"""What settings mean, read from the numpydoc docstrings of their dataclasses."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping

_SECTION = re.compile(r"^\S.*\n-{3,}\s*$", re.MULTILINE)


def parameters_of(kind: type) -> Mapping[str, str]:
    """Return the description of every parameter of a dataclass, by name.

    Parameters that share a paragraph ("alpha, beta : float") share its text.
    """
    text = inspect.getdoc(kind) or ""
    _, _, after = text.partition("Parameters\n----------\n")
    following = _SECTION.search(after)
    block = after[: following.start()] if following else after
    found: dict[str, str] = {}
    names: list[str] = []
    lines: dict[str, list[str]] = {}
    for line in block.splitlines():
        if line and not line[0].isspace():
            heads = line.partition(" : ")[0]
            names = [name.strip() for name in heads.split(",")]
            lines.update({name: [] for name in names})
        else:
            for name in names:
                lines[name].append(line.strip())
    for name, own in lines.items():
        found[name] = plain_words(" ".join(part for part in own if part))
    return found


def plain_words(text: str) -> str:
    """Return text without the marks of reStructuredText."""
    return re.sub(r"``?([^`]+)``?", r"\1", text)
