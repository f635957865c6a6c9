"""Typing a formula: the place of an error is marked, latents are completed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import QSignalBlocker, QSize, QStringListModel, Qt, QTimer, Signal
from qtpy.QtGui import (
    QColor,
    QFontDatabase,
    QKeyEvent,
    QKeySequence,
    QTextCharFormat,
    QTextCursor,
)
from qtpy.QtWidgets import QCompleter, QPlainTextEdit, QSizePolicy, QTextEdit

from napari_cellsci.formulas import FormulaError
from napari_cellsci.formulas.nodes import UNARY
from napari_cellsci.panels._theme import Theme

PAUSE_MS = 150
"""How long typing must rest before scores follow."""
LINES, MOST_LINES = 2, 6
_GAP = "  "


class FormulaEditor(QPlainTextEdit):
    """A field for one formula.

    Undo and redo are those of formulas, not of letters: whoever listens does them.

    Signals
    -------
    typed : str
        The text, once typing rests.
    undone, redone
        The user asked for it.
    """

    typed = Signal(str)
    undone = Signal()
    redone = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._error: FormulaError | None = None
        self.setUndoRedoEnabled(False)
        self.setTabChangesFocus(True)
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPointSizeF(self.font().pointSizeF())
        self.setFont(font)
        self.setPlaceholderText("for example z3*(square(z5) + 1.2) - 0.5")
        self.setAccessibleName("Formula, typed")
        self.setToolTip(
            "+ − * / and square exp log sin sqrt abs over latents z0, z1, …\n"
            "A latent's name works as well; Ctrl+Space lists them. Ctrl+Z undoes."
        )
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._fit()
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(PAUSE_MS)
        self._wait.timeout.connect(self._rest)
        self._words = QStringListModel(self)
        self._completer = QCompleter(self._words, self)
        self._completer.setWidget(self)
        self._completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self._completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        self._completer.activated[str].connect(self._complete)
        self.textChanged.connect(self._on_text)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)

    def _fit(self, *_: object) -> None:
        """Be as high as the text needs, within limits."""
        # A plain document tells its height in lines.
        lines = min(max(int(self.document().size().height()), LINES), MOST_LINES)
        self.setFixedHeight(self.fontMetrics().lineSpacing() * lines + 14)

    def sizeHint(self) -> QSize:
        """Return the height; the width is free."""
        return QSize(300, self.height())

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self._mark()

    def offer(self, symbols: Sequence[str], names: Mapping[str, str]) -> None:
        """Complete these latents, named ones first, and the functions."""
        named = [
            f"{symbol}{_GAP}{names[symbol]}" for symbol in symbols if symbol in names
        ]
        bare = [symbol for symbol in symbols if symbol not in names]
        self._words.setStringList([*named, *bare, *(f"{op}()" for op in UNARY)])

    def put(self, text: str) -> None:
        """Show a text that was not typed; nothing is signalled."""
        self._wait.stop()
        if text != self.toPlainText():
            blocker = QSignalBlocker(self)
            self.setPlainText(text)
            self.moveCursor(QTextCursor.MoveOperation.End)
            del blocker

    def tell(self, error: FormulaError | None) -> None:
        """Mark where the text stops being a formula, or nothing."""
        self._error = error
        self._mark()

    def flush(self) -> None:
        """Do not wait any longer for more to be typed."""
        if self._wait.isActive():
            self._wait.stop()
            self._rest()

    def _mark(self) -> None:
        error = self._error
        if error is None:
            self.setExtraSelections([])
            return
        length = len(self.toPlainText())
        start, end = min(error.start, length), min(error.end, length)
        if start == end:  # at the end: the last sign is what leads nowhere
            start = max(start - 1, 0)
        mark = QTextEdit.ExtraSelection()
        mark.cursor = QTextCursor(self.document())
        mark.cursor.setPosition(start)
        mark.cursor.setPosition(max(end, start), QTextCursor.MoveMode.KeepAnchor)
        ink = QColor(self._theme.error)
        mark.format.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
        mark.format.setUnderlineColor(ink)
        ink.setAlpha(70)
        mark.format.setBackground(ink)
        self.setExtraSelections([mark])

    def _on_text(self) -> None:
        self._wait.start()

    def _rest(self) -> None:
        self.typed.emit(self.toPlainText())

    # Completion

    def word(self) -> str:
        """Return the letters and digits before the cursor."""
        cursor = self.textCursor()
        before = self.toPlainText()[: cursor.position()]
        start = len(before)
        while start and (before[start - 1].isalnum() or before[start - 1] == "_"):
            start -= 1
        found = before[start:]
        return found if found[:1].isalpha() else ""

    def _complete(self, chosen: str) -> None:
        word = chosen.split(_GAP)[0]
        cursor = self.textCursor()
        for _ in self.word():
            cursor.deletePreviousChar()
        cursor.insertText(word)
        if word.endswith("()"):
            cursor.movePosition(QTextCursor.MoveOperation.Left)
        self.setTextCursor(cursor)

    def _propose(self, *, asked: bool) -> None:
        word, completer = self.word(), self._completer
        popup = completer.popup()
        completer.setCompletionPrefix(word)
        known = {line.split(_GAP)[0] for line in self._words.stringList()}
        if not completer.completionCount() or (
            not asked and (len(word) < 1 or word in known)
        ):
            popup.hide()
            return
        popup.setCurrentIndex(completer.completionModel().index(0, 0))
        place = self.cursorRect()
        place.setWidth(popup.sizeHintForColumn(0) + 32)
        completer.complete(place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Undo and redo formulas; propose latents while a word is typed."""
        keys = Qt.Key
        if self._completer.popup().isVisible() and event.key() in (
            *(keys.Key_Return, keys.Key_Enter, keys.Key_Tab),
            *(keys.Key_Escape, keys.Key_Backtab),
        ):
            event.ignore()  # the list takes it
            return
        if event.matches(QKeySequence.StandardKey.Undo):
            self.flush()
            self.undone.emit()
            return
        if event.matches(QKeySequence.StandardKey.Redo):
            self.redone.emit()
            return
        if event.key() in (keys.Key_Return, keys.Key_Enter):
            self.flush()
            return
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if event.key() == keys.Key_Space and control:
            self._propose(asked=True)
            return
        super().keyPressEvent(event)
        if event.text() and not control:
            self._propose(asked=False)
