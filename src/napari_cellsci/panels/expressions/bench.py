"""The formula being written: its text, its last valid form, and what it does.

Half-typed text is no reason to lose what was seen before: scores and verdict stay those
of the last text that was a formula, and the error says where the text stops being one.
"""

from __future__ import annotations

from functools import cached_property

from psygnal import Signal

from napari_cellsci.formulas import Expression, FormulaError
from napari_cellsci.heads.evaluate import Interval
from napari_cellsci.panels.expressions import verdict as verdicts
from napari_cellsci.panels.expressions.subject import Floats, Rows, Subject
from napari_cellsci.panels.expressions.verdict import Verdict

MOST_STEPS = 200


class Written:
    """A valid formula on a subject; what it does is computed when asked for.

    Parameters
    ----------
    subject : Subject
    text : str
        As it was typed.
    expression : Expression
    """

    def __init__(self, subject: Subject, text: str, expression: Expression) -> None:
        self.subject, self.text, self.expression = subject, text, expression

    @cached_property
    def scores(self) -> Floats:
        """Scores of all cells (n,)."""
        return self.subject.scores(self.expression)

    @cached_property
    def verdict(self) -> Verdict:
        """How good it is."""
        return verdicts.judge(self.subject, self.expression, self.scores)

    @cached_property
    def interval(self) -> Interval:
        """The 95 % interval of the balanced accuracy."""
        return verdicts.interval(self.subject, self.scores)

    @cached_property
    def against_labels(self) -> Rows:
        """Cells it calls otherwise than their label, surest first."""
        return verdicts.against_labels(self.subject, self.scores)

    @cached_property
    def against_network(self) -> Rows:
        """Cells it calls otherwise than the network, surest first."""
        return verdicts.against_network(self.subject, self.scores)


class Bench:
    """What is typed, undone and judged.

    Attributes
    ----------
    text : str
        What stands in the editor.
    written : Written or None
        The last text that was a formula.
    error : FormulaError or None
        Why the present text is none, and where.
    changed : Signal
        Text or error changed.
    judged : Signal
        `written` is another formula, or means other cells.
    """

    changed = Signal()
    judged = Signal()

    def __init__(self) -> None:
        self.subject: Subject | None = None
        self.text = ""
        self.written: Written | None = None
        self.error: FormulaError | None = None
        self._before: list[str] = []
        self._after: list[str] = []

    def take(self, subject: Subject | None, *, keep: bool = True) -> None:
        """Write about other cells.

        Parameters
        ----------
        subject : Subject or None
        keep : bool
            Keep the text, where it can still be read; else begin anew.
        """
        self.subject = subject
        self.written = None
        if not keep:
            self.text, self._before, self._after = "", [], []
        self._read()
        self.changed.emit()
        self.judged.emit()

    def write(self, text: str) -> None:
        """Take over what is typed; a step that can be undone."""
        if text == self.text:
            return
        # Half-typed text is no step of its own.
        if self.error is None and self.text.strip():
            self._before = [*self._before[-MOST_STEPS:], self.text]
        self._after.clear()
        self._go(text)

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier formula."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether something was undone."""
        return bool(self._after)

    def undo(self) -> None:
        """Go back to the formula before."""
        if self._before:
            self._after.append(self.text)
            self._go(self._before.pop())

    def redo(self) -> None:
        """Take back what was undone last."""
        if self._after:
            self._before.append(self.text)
            self._go(self._after.pop())

    def _go(self, text: str) -> None:
        self.text = text
        before = self.written
        self._read()
        self.changed.emit()
        if self.written is not before:
            self.judged.emit()

    def _read(self) -> None:
        self.error = None
        if self.subject is None or not self.text.strip():
            self.written = None
            return
        try:
            expression = self.subject.read(self.text)
        except FormulaError as error:
            self.error = error
            return
        same = self.written is not None and self.written.expression == expression
        if not same:
            self.written = Written(self.subject, self.text, expression)
