"""The formula being written: set as mathematics, typed, and what is wrong with it."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QApplication, QMenu, QVBoxLayout, QWidget
from superqt import QFlowLayout

from napari_cellsci.panels._icons import IconButton
from napari_cellsci.panels._parts import WrapLabel, plain_button
from napari_cellsci.panels._theme import STEP, Theme
from napari_cellsci.panels.expressions import words
from napari_cellsci.panels.expressions.bench import Bench
from napari_cellsci.panels.expressions.code import as_function
from napari_cellsci.panels.expressions.editor import FormulaEditor
from napari_cellsci.panels.expressions.formula_label import FormulaLabel

SAVE = "Keep this formula in the project as a classifier (scheme 4)"


class WritingBox(QWidget):
    """Editor of a bench, with its formula above and its error below.

    Parameters
    ----------
    bench : Bench
    theme : Theme

    Signals
    -------
    kept
        The formula is to be put on the list.
    saved
        It is to become a classifier of the project.
    """

    kept = Signal()
    saved = Signal()

    def __init__(self, bench: Bench, theme: Theme) -> None:
        super().__init__()
        self._bench = bench
        self.formula = FormulaLabel(theme)
        self.legend = WrapLabel(name="muted")
        self.editor = FormulaEditor(theme)
        self.wrong = WrapLabel()
        self.undo = IconButton("undo", "Back to the formula before (Ctrl+Z)")
        self.redo = IconButton("redo", "Take back what was undone (Ctrl+Shift+Z)")
        self.add = plain_button("Add to list", "Keep this formula in the list below")
        self.save = plain_button("Save", SAVE)
        self.note = WrapLabel(name="muted")
        self.copy = plain_button("Copy", "Copy the formula as LaTeX, Python or text")
        menu = QMenu(self.copy)
        for title, slot in (
            ("LaTeX", self.copy_latex),
            ("Python function", self.copy_python),
            ("Plain text", self.copy_plain),
        ):
            menu.addAction(title).triggered.connect(slot)
        self.copy.setMenu(menu)
        self._lay_out()
        self.set_theme(theme)
        self.editor.typed.connect(bench.write)
        self.editor.undone.connect(bench.undo)
        self.editor.redone.connect(bench.redo)
        self.undo.clicked.connect(bench.undo)
        self.redo.clicked.connect(bench.redo)
        self.add.clicked.connect(self.kept)
        self.save.clicked.connect(self.saved)

    def _lay_out(self) -> None:
        row = QFlowLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setHorizontalSpacing(STEP)
        row.setVerticalSpacing(STEP)
        for button in (self.undo, self.redo, self.copy, self.add, self.save):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        for widget in (self.formula, self.legend, self.editor, self.wrong):
            layout.addWidget(widget)
        layout.addLayout(row)
        layout.addWidget(self.note)
        self.tell_saving("", "")

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        for part in (self.formula, self.editor):
            part.set_theme(theme)
        for button in (self.undo, self.redo):
            button.set_color(theme.text)
        color = "#FF8A80" if theme.dark else "#B00020"
        self.wrong.setStyleSheet(f"color: {color}; background: transparent;")

    def refresh(self) -> None:
        """Bring everything up to date with the bench."""
        bench = self._bench
        if bench.text != self.editor.toPlainText():
            self.editor.put(bench.text)
        self.editor.tell(bench.error)
        self.wrong.setText("" if bench.error is None else str(bench.error))
        self.wrong.setVisible(bench.error is not None)
        self.undo.setEnabled(bench.can_undo)
        self.redo.setEnabled(bench.can_redo)
        written, subject = bench.written, bench.subject
        for button in (self.add, self.copy):
            button.setEnabled(written is not None)
        if subject is not None:
            self.editor.offer(subject.symbols, subject.names)
        if written is None or subject is None:
            self.formula.show_formula(None, {})
            self.legend.hide()
            return
        names = subject.written(written.expression)
        self.formula.show_formula(written.expression, names)
        self.formula.step_back(bench.error is not None)
        said = words.legend(written)
        self.legend.setText(said)
        self.legend.setVisible(bool(said) and not self.formula.named)

    def tell_saving(self, said: str, hindrance: str) -> None:
        """Say what became of a formula that was saved, and why none can be."""
        self.save.setEnabled(not hindrance)
        self.save.setToolTip(hindrance or SAVE)
        self.note.setText(said)
        self.note.setVisible(bool(said))

    def copy_latex(self) -> None:
        """Copy LaTeX of the formula, latents as symbols."""
        if self._bench.written is not None:
            _copy(self._bench.written.expression.latex(digits=None))

    def copy_python(self) -> None:
        """Copy a numpy function."""
        if self._bench.written is not None:
            _copy(as_function(self._bench.written))

    def copy_plain(self) -> None:
        """Copy text that can be typed again."""
        if self._bench.written is not None:
            _copy(self._bench.written.expression.text())


def _copy(text: str) -> None:
    QApplication.clipboard().setText(text)
