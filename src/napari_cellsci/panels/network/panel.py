"""The *Network* panel."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLabel,
    QMenu,
    QSlider,
    QStackedLayout,
)

from napari_cellsci.explain.activity import activations, class_scores, drivers
from napari_cellsci.explain.layout import MOST_EDGES
from napari_cellsci.explain.topology import Node
from napari_cellsci.figures.network import NetworkPicture, save_network
from napari_cellsci.panels._base import PanelBase
from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels._parts import (
    RunLine,
    WrapLabel,
    advanced_section,
    heading,
    new_form,
)
from napari_cellsci.panels._scroll import keep_scroll_bar
from napari_cellsci.panels.network.class_choice import ClassChoice
from napari_cellsci.panels.network.code import as_command, as_python
from napari_cellsci.panels.network.drawn import (
    Drawn,
    assemble,
    looks_of,
    row_of,
    stamp_of,
    stream_in_words,
)
from napari_cellsci.panels.network.driver_strip import DriverStrip
from napari_cellsci.panels.network.film_view import FilmView, split_masks
from napari_cellsci.panels.network.history_bar import HistoryBar
from napari_cellsci.panels.network.matters import MattersView
from napari_cellsci.panels.network.multiples import Multiples
from napari_cellsci.panels.network.response_box import ResponseBox, Subject
from napari_cellsci.panels.network.service import NetworkService, OpenNetworks
from napari_cellsci.panels.network.standing import NetworkStanding
from napari_cellsci.panels.network.view import NetworkView
from napari_cellsci.panels.score.service import ScoreService

if TYPE_CHECKING:
    import napari.viewer

DRIVERS = 24
"""Cells that are selected when a neuron is clicked."""


class NetworkPanel(PanelBase):
    """One head drawn: what it looks at, through which paths, responding how."""

    title = "Network"
    data_filter = "JSON (*.json)"
    figure_filter = "SVG (*.svg);;PDF (*.pdf);;PNG (*.png)"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        keep_scroll_bar(self)
        self.service = self.session.service(NetworkService)
        self.standing = NetworkStanding(self.session, self.card)
        self._shown: tuple[object, ...] = ()
        self._focus: Node | None = None
        self._build_choice()
        self._build_drawing()
        self._build_reading()
        self.run_line = RunLine("Open", self.service.job, self.open)
        self.foot.addWidget(self.run_line)
        self._connect()
        self.refresh()

    def _build_choice(self) -> None:
        self.bundles = QComboBox()
        self.bundles.setMinimumWidth(1)
        self.bundles.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.bundles.setMinimumContentsLength(10)
        self.bundles.setToolTip("Whose networks: a classifier with heads on latents")
        form = new_form()
        self.bundles_label = QLabel("Classifier")
        form.addRow(self.bundles_label, self.bundles)
        self.about = ClassChoice(form)
        self.body.addLayout(form)
        self.multiples = Multiples(self.theme)
        self.body.addWidget(self.multiples)

    def _build_drawing(self) -> None:
        self.view = NetworkView(self.theme)
        self.film_view = FilmView(self.theme)
        self.stack = QStackedLayout()
        self.stack.addWidget(self.view)
        self.stack.addWidget(self.film_view)
        self.body.addLayout(self.stack, 1)
        self.said = WrapLabel(name="muted")
        self.body.addWidget(self.said)
        self.strip = DriverStrip(self.session, self.theme)
        self.body.addWidget(self.strip)
        self.live = QCheckBox("Show the selected cell in it")
        self.body.addWidget(self.live)
        self.history = HistoryBar(self.theme)
        self.history_title = heading("How it was found")
        self.body.addWidget(self.history_title)
        self.body.addWidget(self.history)

    def _build_reading(self) -> None:
        self.matters_title = heading("What matters")
        self.matters = MattersView(self.theme)
        place = self.body.indexOf(self.live)
        self.body.insertWidget(place, self.matters_title)
        self.body.insertWidget(place + 1, self.matters)
        self.response = ResponseBox(self.theme)
        self.body.insertWidget(self.body.indexOf(self.history_title), self.response)
        self.most = QSlider(Qt.Orientation.Horizontal)
        self.most.setRange(20, 200)
        self.most.setValue(MOST_EDGES)
        self.most.setToolTip("Weights drawn at most: of more, the strongest paths")
        form = new_form()
        form.addRow("Weights drawn", self.most)
        self.advanced = advanced_section(form)
        self.body.addWidget(self.advanced)

    def _connect(self) -> None:
        session, service = self.session, self.service
        for signal in (session.project_changed, session.scores_changed):
            self._on(signal, self.mark_dirty)
        self._on(service.changed, self.mark_dirty)
        self._on(service.member_changed, self.mark_dirty)
        self._on(service.names_changed, self._on_names)
        self._on(service.job.changed, self._on_job)
        self._on(session.service(ScoreService).offers_changed, self.mark_dirty)
        self._on(session.current_changed, self._on_cell)
        self._on(session.classes_changed, self._on_names)
        self.bundles.activated.connect(self._on_bundle)
        self.about.chosen.connect(self.look_at)
        self.multiples.picked.connect(self._on_member)
        self.view.clicked.connect(self.click)
        self.view.cleared.connect(self.clear)
        self.view.asked.connect(self._offer)
        self.matters.picked.connect(self._on_matter)
        self.strip.picked.connect(self._go)
        self.response.chosen.connect(self._on_chosen)
        self.live.toggled.connect(self._on_cell)
        self.history.moved.connect(self._on_frame)
        self.most.valueChanged.connect(self._on_most)

    def on_show(self) -> None:
        """Open the networks when someone wants to see them."""
        super().on_show()
        self.service.ensure()

    def open(self) -> None:
        """Open the networks that are meant, also after a failure."""
        self.service.ensure(again=True)

    def refresh(self) -> None:
        """Bring everything up to date."""
        if self.isVisible():
            self.service.ensure()
        self._fill_bundles()
        opened = self.service.opened
        self.about.show_classes(() if opened is None else opened.bundle.classes)
        member, most = self.service.member, self.most.value()
        key = (opened, member, most, self.session.scale, self.about.output)
        if key != self._shown:
            self._shown = key
            self._show_network()
        self._tell()

    def _fill_bundles(self) -> None:
        offers = self.service.offers()
        titles = [(offer.title, offer.source) for offer in offers]
        known = [
            (self.bundles.itemText(i), self.bundles.itemData(i))
            for i in range(self.bundles.count())
        ]
        if titles != known:
            self.bundles.clear()
            for i, offer in enumerate(offers):
                self.bundles.addItem(offer.title, offer.source)
                self.bundles.setItemData(i, offer.tip, Qt.ItemDataRole.ToolTipRole)
        source = self.service.source
        self.bundles.setCurrentIndex(self.bundles.findData(source))
        for widget in (self.bundles, self.bundles_label):
            widget.setVisible(bool(offers))

    def look_at(self, output: int) -> None:
        """Explain another class of a network with several."""
        self.about.output = output
        self.refresh()
        drawn, choice = self.view.drawn, self.response.choice
        if drawn is None or choice is None:
            return
        inputs, target = choice
        if target.layer == drawn.topology.last:
            self.response.choose(inputs, drawn.output)
            self._mark()

    def _show_network(self) -> None:
        opened = self.service.opened
        shown = opened is not None
        for widget in (
            self.multiples,
            self.view,
            self.said,
            self.matters,
            self.matters_title,
            self.live,
            self.response,
            self.advanced,
        ):
            widget.setVisible(shown)
        self._focus = None
        self.strip.forget()
        if opened is None:
            self.view.show_drawn(None)
            self.response.show_subject(None)
            self.history.show_film(None, 0)
            self.history_title.hide()
            self.film_view.hide()
            return
        member = self.service.member
        most = self.most.value()
        drawn = assemble(self.session, opened, member, most, self.about.output)
        self.stack.setCurrentWidget(self.view)
        self.view.show_drawn(drawn)
        self._show_stamps(opened)
        self._show_matters(drawn)
        film = opened.film(member)
        self.film_view.show_network(drawn.reading.layout, opened.book)
        self.history.show_film(film, opened.book.size)
        self.history_title.setVisible(film is not None)
        self.response.show_subject(self._subject(opened, member, drawn))
        self._mark()
        self._show_activity()

    def _subject(self, opened: OpenNetworks, member: int, drawn: Drawn) -> Subject:
        row = self.session.current
        cell = None if row is None else opened.book.latents[row]
        return Subject(opened, member, drawn, cell)

    _stamped: OpenNetworks | None = None

    def _show_stamps(self, opened: OpenNetworks) -> None:
        if len(self.multiples) != opened.n_members or self._stamped is not opened:
            self._stamped = opened
            self.multiples.show_stamps(
                [stamp_of(opened, k) for k in range(opened.n_members)]
            )
        self.multiples.setVisible(opened.n_members > 1)
        self.multiples.show_chosen(self.service.member, self.service.active_member)

    def _show_matters(self, drawn: Drawn) -> None:
        self.matters.show_rows(
            [row_of(drawn, e, self.theme) for e in drawn.reading.effects]
        )
        self.matters_title.setVisible(bool(drawn.reading.effects))
        name = drawn.classes[drawn.reading.output].name
        self.matters_title.setText(
            f"What matters for {name}" if drawn.many else "What matters"
        )

    def click(self, node: Node, add: bool = False) -> None:
        """Choose a neuron: its stream, its cells, and a part in the response."""
        drawn, choice = self.view.drawn, self.response.choice
        if drawn is None or choice is None:
            return
        inputs, target = choice
        if drawn.many and node.layer == drawn.topology.last:
            self.look_at(node.number)
            drawn = self.view.drawn
            assert drawn is not None
        if add and node != target:
            inputs = _toggled(inputs, node)
            self._focus = None
        else:
            self._focus = node
            if node.layer == 0:
                inputs = (node,)
            else:
                target = node
        self.response.choose(inputs, target)
        self._mark()
        if not add:
            self._select_drivers(node)

    def clear(self) -> None:
        """Let everything stand out again."""
        self._focus = None
        self.response.choose((), None)
        self.strip.show_rows(np.empty(0, np.int64))
        self._mark()

    def _on_chosen(self) -> None:
        self._focus = None
        self._mark()

    def _on_matter(self, index: int, add: bool) -> None:
        self.click(Node(0, index), add)

    def _mark(self) -> None:
        """Bring badges, the stream and the words below the drawing up to date."""
        drawn, choice = self.view.drawn, self.response.choice
        if drawn is None or choice is None:
            return
        inputs, _ = choice
        badges = dict(zip(inputs, "xy", strict=False))
        badges |= dict.fromkeys(inputs[2:], "·")
        self.view.show_badges(badges)
        self.matters.mark([node.number for node in inputs if node.layer == 0])
        focus = self._focus
        self.view.show_stream(None if focus is None else drawn.stream(focus), focus)
        self.said.setText(stream_in_words(drawn, focus))

    def _select_drivers(self, node: Node, *, least: bool = False) -> None:
        """Select the cells that drive a neuron most (or least) in the session."""
        opened = self.service.opened
        if opened is None:
            return
        topology = opened.topology(self.service.member)
        rows = drivers(topology, opened.book.latents, node, DRIVERS, least=least)
        self.strip.show_rows(rows)
        if len(rows):
            self.session.select_many(rows.tolist(), int(rows[0]))

    def _go(self, row: int) -> None:
        """Go to a cell and keep the others selected."""
        self.session.select_many(self.session.selected.tolist(), row)
        self.session.go_requested.emit(row)
        self.strip.update()

    def _offer(self, node: Node, where: QPoint) -> None:
        """Offer by a menu what can be done with a neuron."""
        menu = QMenu(self)
        deeds = {
            menu.addAction("Follow its stream"): partial(self.click, node),
            menu.addAction("Select the cells that drive it most"): partial(
                self._select_drivers, node
            ),
            menu.addAction("Select the cells that drive it least"): partial(
                self._select_drivers, node, least=True
            ),
        }
        drawn = self.view.drawn
        if drawn is not None and node.layer < drawn.topology.last:
            words = "Move it in the response map as well"
            deeds[menu.addAction(words)] = partial(self.click, node, True)
        chosen = menu.exec(where)
        if chosen is not None:
            deeds[chosen]()
        menu.deleteLater()

    def _on_bundle(self) -> None:
        source = self.bundles.currentData()
        if source is not None:
            self.service.choose(source)

    def _on_member(self, member: int) -> None:
        self.service.member = member

    def _on_most(self) -> None:
        self.mark_dirty()

    def _on_names(self) -> None:
        # Everything that is written names latents.
        self._shown, self._stamped = (), None
        opened = self.service.opened
        if opened is not None:
            opened._readings.clear()
        self.mark_dirty()

    def _on_frame(self, frame: int) -> None:
        film, drawn = self.history.film, self.view.drawn
        if film is None or drawn is None:
            return
        if self.history.at_end:
            self.stack.setCurrentWidget(self.view)
            return
        self.film_view.show_masks(split_masks(drawn.topology, film.masks[frame]))
        self.stack.setCurrentWidget(self.film_view)

    def _on_cell(self) -> None:
        if not self.isVisible():
            self._shown = ()
            self._dirty = True
            return
        opened, drawn = self.service.opened, self.view.drawn
        if opened is None or drawn is None:
            return
        self.response.show_subject(self._subject(opened, self.service.member, drawn))
        self._show_activity()

    def _show_activity(self) -> None:
        opened, row = self.service.opened, self.session.current
        drawn = self.view.drawn
        self.live.setEnabled(row is not None)
        self.live.setToolTip(
            "Fill every neuron with its activation for the selected cell"
            if row is not None
            else "Select a cell first, in the gallery or on the movie"
        )
        if opened is None or drawn is None:
            return
        if row is None or not self.live.isChecked():
            self.view.show_activity(None, {})
            return
        member = self.service.member
        found = activations(drawn.topology, opened.book.latents[row][None])
        found[-1] = class_scores(found[-1])
        spreads = {
            node: float(np.abs(opened.spread(member, node)).max())
            for node in drawn.reading.layout.places
        }
        self.view.show_activity(found, spreads)

    def _on_job(self) -> None:
        self.run_line.refresh()
        if self.service.job.state.busy:
            self._tell()
        else:
            self.mark_dirty()

    def _tell(self) -> None:
        state = self.service.job.state
        self.run_line.setVisible(state.busy or state is JobState.FAILED)
        self.standing.tell()

    def has_data(self) -> bool:
        """Whether there is a network to write."""
        return self.service.opened is not None

    def _picture(self) -> NetworkPicture:
        opened = self.service.opened
        assert opened is not None
        member, bundle = self.service.member, opened.bundle
        title = (
            f"{bundle.name}, model {member} of {opened.n_members} "
            f"(scheme {bundle.scheme})"
        )
        reading = opened.reading(member, self.most.value(), self.about.output)
        looks = looks_of(self.session, bundle.classes)
        hues = tuple(look.color for look in looks)
        return NetworkPicture(reading, opened.book, bundle.classes, title, hues)

    def save_data(self, path: str) -> None:
        """Write the network as JSON."""
        save_network(self._picture(), Path(path).with_suffix(".json"))

    def save_figure(self, path: str) -> None:
        """Write the drawing as SVG, PDF or PNG; without a network, the panel."""
        if self.service.opened is None:
            super().save_figure(path)
        else:
            save_network(self._picture(), Path(path))

    def on_theme(self) -> None:
        """Follow the theme."""
        for part in (
            *(self.view, self.film_view, self.multiples, self.matters),
            *(self.response, self.history, self.strip),
        ):
            part.set_theme(self.theme)
        self._shown = ()
        self.mark_dirty()

    def python_code(self) -> str | None:
        """Return the lines that read the network and compute the response."""
        opened = self.service.opened
        if opened is None:
            return None
        return as_python(
            self.session, opened, self.service.member, self.response.choice
        )

    def command_line(self) -> str | None:
        """Return the command that draws the network."""
        opened = self.service.opened
        if opened is None:
            return None
        return as_command(self.session, opened, self.service.member)


def _toggled(inputs: tuple[Node, ...], node: Node) -> tuple[Node, ...]:
    """Return the inputs with one more, or without it if it was there."""
    if node in inputs:
        return tuple(other for other in inputs if other != node)
    return (*inputs, node)
