"""The lines of Python that open a project and its latents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellsci.panels._source import IN_USE, SHIPPED

if TYPE_CHECKING:
    from napari_cellsci.panels.latents.service import Code
    from napari_cellsci.viewer.session import Session


def opening_lines(session: Session, code: Code) -> list[str]:
    """Return the lines after which ``project``, ``encoder`` and ``z`` are there."""
    assert session.project is not None
    return [
        "from napari_cellsci import Project",
        "",
        f"with Project.open({str(session.project.path)!r}) as project:",
        f"    encoder = project.find_encoder({source_name(session, code)!r})",
        "    z = project.latents(encoder)",
    ]


def source_name(session: Session, code: Code) -> str:
    """Return the name under which a project and the command line know the encoder."""
    if code.source != IN_USE or session.bundle is None:
        return code.source
    named = [info.name for info in session.project.bundles] if session.project else []
    return session.bundle.name if session.bundle.name in named else SHIPPED
