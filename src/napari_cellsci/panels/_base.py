"""What every panel has: its session, status card, menu, and a clean end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QSize, Qt, QTimer, QUrl
from qtpy.QtGui import QAction, QDesktopServices
from qtpy.QtWidgets import (
    QApplication,
    QDockWidget,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QMenu,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_cellsci.errors import InputError
from napari_cellsci.panels._guard import Guard
from napari_cellsci.panels._parts import StatusCard
from napari_cellsci.panels._theme import MIN_WIDTH, STEP, Theme, style_sheet, theme_of
from napari_cellsci.viewer.overlay import Overlay
from napari_cellsci.viewer.session import Session, get_session

if TYPE_CHECKING:
    from napari.viewer import Viewer

HELP_URL = "https://github.com/napari-cellsci/napari-cellsci#readme"


class PanelBase(QWidget):
    """A dock panel: status card, view, controls, run line, and a ⋯ menu.

    napari's docks never send `closeEvent`; a panel that loses its parent was closed
    and disposes of its connections. Work goes on in the session's jobs.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    scrolls : bool
        True for the tall panels of the side column, whose middle scrolls; False for
        the low ones along the bottom, which have a line of tools on top instead.
    """

    title = ""

    def __init__(self, viewer: Viewer, *, scrolls: bool = True) -> None:
        super().__init__()
        self.session: Session = get_session(viewer)
        self.session.service(Overlay)
        self._connections: list[tuple[Any, Callable[..., Any]]] = []
        self._disposed = False
        self._dirty = True
        self._behind = False
        self._holder: QDockWidget | None = None
        self._shown_selection: tuple[int | None, Any] = (None, None)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self._refresh_if_seen)
        self.theme: Theme = theme_of(self.session.viewer)
        self.setMinimumWidth(MIN_WIDTH)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.card = StatusCard()
        self.menu_button = self._make_menu()
        self.body = QVBoxLayout()
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(2 * STEP)
        self.foot = QVBoxLayout()
        self.foot.setContentsMargins(0, 0, 0, 0)
        self._lay_out(scrolls)
        self._paint_theme()
        if self.session.viewer is not None:
            self._on(self.session.viewer.events.theme, self._on_theme)

    def _lay_out(self, scrolls: bool) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * STEP, 2 * STEP, 2 * STEP, 2 * STEP)
        layout.setSpacing(2 * STEP)
        self.header = QHBoxLayout()
        self.header.setSpacing(STEP)
        layout.addLayout(self.header)
        self._low = not scrolls
        if not scrolls:
            # A low panel: its header is a line of tools, the card speaks when needed.
            layout.setContentsMargins(2 * STEP, STEP, STEP, STEP)
            layout.setSpacing(STEP)
            self.header.addWidget(self.menu_button, 0, Qt.AlignmentFlag.AlignRight)
            layout.addWidget(self.card)
            layout.addLayout(self.body, 1)
            return
        self.header.addWidget(self.card, 1)
        self.header.addWidget(self.menu_button, 0, Qt.AlignmentFlag.AlignTop)
        inside = QWidget()
        inside.setObjectName("inside")
        inside.setLayout(self.body)
        area = QScrollArea()
        area.setObjectName("body")
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        layout.addWidget(area, 1)
        layout.addLayout(self.foot)

    def sizeHint(self) -> QSize:
        """Return a size that leaves the movie its place."""
        return QSize(800, 116) if self._low else QSize(360, 480)

    def _make_menu(self) -> QToolButton:
        button = QToolButton()
        button.setObjectName("menu")
        button.setText("\N{MIDLINE HORIZONTAL ELLIPSIS}")
        button.setToolTip("Copy what this panel does as code, export, help")
        button.setAccessibleName("More actions")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        for words, slot in (
            ("Copy as Python", self._copy_python),
            ("Copy as command", self._copy_command),
            ("Export figure…", self._export_figure),
            ("Export data…", self._export_data),
            ("Help", self._help),
        ):
            action = QAction(words, menu)
            action.triggered.connect(slot)
            menu.addAction(action)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self._refresh_menu)
        button.setMenu(menu)
        return button

    def python_code(self) -> str | None:
        """Return the Python lines that do what the panel does, if there are any."""
        return None

    def command_line(self) -> str | None:
        """Return the `cellsci` command that does what the panel does."""
        return None

    def save_data(self, path: str) -> None:
        """Write the panel's data; panels that have some override this."""

    data_filter = ""
    """File dialog filter for "Export data…"; empty where a panel has no data."""

    figure_filter = "PNG (*.png)"
    """File dialog filter for "Export figure…"."""

    def save_figure(self, path: str) -> None:
        """Write a picture of the panel; panels that can do better override this."""
        self.grab().save(path)

    def refresh(self) -> None:
        """Bring the panel up to date; called when it can be seen."""

    def mark_dirty(self, *_: object) -> None:
        """Refresh now if the panel can be seen, else when it is."""
        self._dirty = True
        self._refresh_if_seen()

    def mark_soon(self, *_: object) -> None:
        """Refresh in the next turn of the event loop, if nothing does so before.

        A label is mostly followed by another cell, which is shown together with it.
        """
        self._dirty = True
        self._soon.start()

    def _refresh_if_seen(self) -> None:
        if self.is_seen():
            self._refresh_now()

    def is_seen(self) -> bool:
        """Whether the panel is on screen.

        Qt calls a dock visible that lies behind another tab.
        """
        return self.isVisible() and not self._behind

    def _refresh_now(self) -> None:
        if self._dirty and not self._disposed:
            self._dirty = False
            self.refresh()

    def _note_selection(self) -> None:
        """Note that the selection there is now is shown."""
        self._shown_selection = (self.session.current, self.session.selected)

    def _shows_selection(self) -> bool:
        """Whether it is: the session tells of the cell and of the cells, in turn."""
        current, selected = self._shown_selection
        return current == self.session.current and selected is self.session.selected

    def tell_error(self, error: Exception) -> None:
        """Show on the card what went wrong, in one sentence."""
        self.card.tell(str(error), "error")

    def attempt(self, deed: Callable[[], Any]) -> bool:
        """Do something the user asked for; show its error if it has one."""
        try:
            deed()
        except (InputError, OSError) as error:
            self.tell_error(error)
            return False
        return True

    def _on(self, signal: Any, slot: Callable[..., Any]) -> None:
        """Connect until the panel is closed, however it is closed."""
        guard = Guard(slot)
        signal.connect(guard)
        self._connections.append((signal, guard))

    def dispose(self) -> None:
        """Let go of everything outside the panel. Safe to call twice."""
        if self._disposed:
            return
        self._disposed = True
        self._soon.stop()
        for signal, slot in self._connections:
            try:
                signal.disconnect(slot)
            except (TypeError, ValueError, RuntimeError):
                continue  # already gone together with its sender
        self._connections.clear()

    def event(self, event: QEvent) -> bool:
        """Dispose when the dock that held the panel lets go of it."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is None:
                self.dispose()
            else:
                self._watch_dock()
        return bool(super().event(event))

    def _watch_dock(self) -> None:
        holder = self.parent()
        while holder is not None and not isinstance(holder, QDockWidget):
            holder = holder.parent()
        if holder is not None and holder is not self._holder:
            self._holder = holder
            holder.visibilityChanged.connect(self._on_tab)

    def _on_tab(self, in_front: bool) -> None:
        """Follow the tab of the dock to the front and back."""
        self._behind = not in_front
        if self.is_seen() and not self._disposed:
            self._come_up()

    def showEvent(self, event: QEvent) -> None:
        """Draw what was not drawn while hidden."""
        super().showEvent(event)
        self._come_up()

    def _come_up(self) -> None:
        self.on_show()
        self._refresh_now()

    def on_show(self) -> None:
        """Prepare for being seen."""
        if self._low:
            self.keep_height()

    def full_height(self) -> int:
        """Return the height (px) a low panel needs when it shows everything."""
        return 0

    def keep_height(self) -> None:
        """Take as much height when there is nothing to show as when there is.

        Otherwise the movie would move whenever a cell is selected.
        """
        self.setMinimumHeight(self.full_height())

    def _on_theme(self, *_: object) -> None:
        self.theme = theme_of(self.session.viewer)
        self._paint_theme()
        self.on_theme()

    def on_theme(self) -> None:
        """Take over new theme colours in what is painted by hand."""

    def _paint_theme(self) -> None:
        self.setStyleSheet(style_sheet(self.theme))

    def _refresh_menu(self) -> None:
        available = {
            "Copy as Python": self.python_code() is not None,
            "Copy as command": self.command_line() is not None,
            "Export data…": bool(self.data_filter) and self.has_data(),
        }
        for action in self.menu_button.menu().actions():
            allowed = available.get(action.text(), True)
            action.setEnabled(allowed)
            action.setToolTip("" if allowed else "Nothing to copy or export yet")

    def has_data(self) -> bool:
        """Whether there is something to export."""
        return False

    def _copy_python(self) -> None:
        QApplication.clipboard().setText(self.python_code() or "")

    def _copy_command(self) -> None:
        QApplication.clipboard().setText(self.command_line() or "")

    def _export_figure(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Export figure", f"{self.title.lower()}.png", self.figure_filter
        )
        if path and self.attempt(partial(self.save_figure, path)):
            self.card.tell(f"Written to {path}.", "good")

    def _export_data(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Export data", "", self.data_filter)
        if path and self.attempt(partial(self.save_data, path)):
            self.card.tell(f"Written to {path}.", "good")

    def _help(self) -> None:
        QDesktopServices.openUrl(QUrl(HELP_URL))
