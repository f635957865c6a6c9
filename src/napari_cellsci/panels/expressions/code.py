"""What the Expressions panel does, as Python and as a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_cellsci.panels.expressions.bench import Written
    from napari_cellsci.panels.expressions.search import Asked
    from napari_cellsci.panels.expressions.service import Opened
    from napari_cellsci.viewer.session import Session


def as_function(written: Written) -> str:
    """Return the formula as the source of a numpy function."""
    subject = written.subject
    below, above = subject.classes
    said = [f"Return the score: {above} where it is 0 or more, else {below}."]
    named = [
        (s, subject.names[s]) for s in written.expression.names if s in subject.names
    ]
    if named:
        said += ["", *(f"    {symbol} : {name}" for symbol, name in named), "    "]
        return written.expression.python(says="\n".join(said))
    return written.expression.python(says=said[0])


def as_python(session: Session, opened: Opened, written: Written) -> str:
    """Return lines that score all cells of the project with the formula."""
    assert session.project is not None
    return (
        "import numpy as np\n\n"
        "from napari_cellsci import Project\n"
        "from napari_cellsci.formulas import Expression\n\n"
        f"formula = Expression.parse({written.expression.text()!r})\n"
        f"with Project.open({str(session.project.path)!r}) as project:\n"
        f"    encoder = project.bundle({opened.source!r}).encoder\n"
        "    z = np.asarray(project.latents(encoder))\n"
        'scores = formula({f"z{i}": column for i, column in enumerate(z.T)})\n'
    )


def as_command(session: Session, opened: Opened, asked: Asked) -> str:
    """Return the command that searches for formulas as the panel would."""
    assert session.project is not None
    parts = [
        f'cellsci discover "{session.project.path}" --from "{opened.source}"',
        f"--engine {asked.engine} --operators {asked.operators} --loss {asked.loss}",
        f"--runs {asked.runs} --maxsize {asked.maxsize}",
    ]
    if asked.inputs:
        parts.append(f"--inputs {','.join(asked.inputs)}")
    if asked.nested:
        parts.append("--nested")
    if asked.fetch_julia:
        parts.append("--fetch-julia")
    return " ".join(parts)
