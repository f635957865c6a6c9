"""What the Network panel does, as Python and as a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellsci.panels._source import IN_USE, SHIPPED

if TYPE_CHECKING:
    from napari_cellsci.panels.network.response_box import Choice
    from napari_cellsci.panels.network.service import OpenNetworks
    from napari_cellsci.viewer.session import Session


def source_name(session: Session, opened: OpenNetworks) -> str:
    """Return the name under which the project knows the classifier."""
    if opened.source != IN_USE:
        return opened.source
    named = [info.name for info in session.project.bundles] if session.project else []
    return opened.bundle.name if opened.bundle.name in named else SHIPPED


def as_python(
    session: Session, opened: OpenNetworks, member: int, choice: Choice | None
) -> str:
    """Return lines that read the network, write it, and compute the response."""
    assert session.project is not None
    name = source_name(session, opened)
    lines = [
        "from pathlib import Path",
        "",
        "from napari_cellsci import Project",
        "from napari_cellsci.figures.network import describe, save_network",
    ]
    if choice is not None and choice[0]:
        lines += [
            "from napari_cellsci.explain.response import respond",
            "from napari_cellsci.explain.topology import Node",
        ]
    lines += [
        "",
        f"with Project.open({str(session.project.path)!r}) as project:",
        f"    shown = describe(project, {name!r}, {member})",
        'save_network(shown, Path("network.svg"))',
        "topology = shown.reading.topology",
    ]
    if choice is not None and choice[0]:
        axes = ", ".join(f"Node({n.layer}, {n.number})" for n in choice[0][:2])
        target = f"Node({choice[1].layer}, {choice[1].number})"
        lines.append(
            f"response = respond(topology, [{axes}], {target}, at=shown.book.usual)"
        )
    return "\n".join(lines) + "\n"


def as_command(session: Session, opened: OpenNetworks, member: int) -> str:
    """Return the command that draws the network."""
    assert session.project is not None
    name = source_name(session, opened)
    return (
        f'cellsci network "{session.project.path}" --model "{name}" '
        f"--member {member} -o network.svg"
    )
