"""The *Latents* panel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtGui import QImage, QResizeEvent
from qtpy.QtWidgets import QFormLayout, QWidget

from napari_cellsci.errors import InputError
from napari_cellsci.panels._base import PanelBase
from napari_cellsci.panels._choice import Choice, ChoiceBox
from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels._parts import RunLine, Section
from napari_cellsci.panels._theme import STEP
from napari_cellsci.panels.latent_map.axes import latent_key
from napari_cellsci.panels.latent_map.service import MapService
from napari_cellsci.panels.latents import output
from napari_cellsci.panels.latents.delegate import LatentDelegate
from napari_cellsci.panels.latents.desk import Desk
from napari_cellsci.panels.latents.desk_box import DeskBox, channel_names, signed
from napari_cellsci.panels.latents.layer import add_strip
from napari_cellsci.panels.latents.model import LatentsModel
from napari_cellsci.panels.latents.pictures import decoded_images, effect_image
from napari_cellsci.panels.latents.service import Code, LatentService
from napari_cellsci.panels.latents.standing import Standing
from napari_cellsci.panels.latents.strips import StripMaker
from napari_cellsci.panels.latents.towards import Towards
from napari_cellsci.panels.latents.view import LatentsView
from napari_cellsci.panels.latents.words import TOGETHER_TIP, in_short

if TYPE_CHECKING:
    import napari.viewer

LOW = 560
"""Below this height (px) the large picture is smaller."""
SETTLE_MS = 60
"""Strips are decoded anew when the selected cell has stayed this long."""


class LatentsPanel(PanelBase):
    """What every latent does to the picture, what it is called, and why."""

    title = "Latents"
    data_filter = "CSV (*.csv)"
    figure_filter = "PNG (*.png);;PDF (*.pdf);;SVG (*.svg)"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        session = self.session
        self.service = session.service(LatentService)
        self.desk = session.service(Desk)
        self.strips = session.service(StripMaker)
        self.standing = Standing(session, self.card)
        self.model = LatentsModel()
        self.delegate = LatentDelegate(self.model, self.desk)
        self.view = LatentsView(self.model, self.delegate)
        self.desk_box = DeskBox(session)
        self._shown: Code | None = None
        self._ends_shown: Any = None
        self._build_towards()
        self._build_frame()
        self._settle = _single_shot(self, SETTLE_MS)
        self._settle.timeout.connect(self._restart_strips)
        self._decode = _single_shot(self, 0)
        self._decode.timeout.connect(self._show_picture)
        self._connect()
        self.on_theme()
        self.refresh()

    def _build_towards(self) -> None:
        self.towards = Towards()
        self.section = Section("Towards another cell", self.towards)
        self.section.setToolTip("What would it take to look like that cell?")

    def _build_frame(self) -> None:
        self.encoders = ChoiceBox("The encoder whose latents are shown")
        self.encoder_row = QWidget()
        form = QFormLayout(self.encoder_row)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Encoder", self.encoders)
        self.body.setSpacing(STEP)
        self.body.addWidget(self.encoder_row)
        self.body.addWidget(self.desk_box)
        self.body.addWidget(self.section)
        self.body.addWidget(self.view, 1)
        self.encode_line = RunLine("Encode", self.service.job, self.standing.encode)
        self.atlas_line = RunLine(
            "Find names", self.service.atlas_job, self.service.find_meaning
        )
        self.foot.addWidget(self.encode_line)
        self.foot.addWidget(self.atlas_line)

    def _connect(self) -> None:
        session = self.session
        self._on(session.project_changed, self.mark_dirty)
        self._on(session.scores_changed, self.mark_dirty)
        self._on(self.service.changed, self._on_code)
        self._on(self.service.atlas_changed, self.mark_dirty)
        for job in (self.service.job, self.service.atlas_job):
            self._on(job.changed, self._on_job)
        self._on(self.desk.base_changed, self._on_base)
        self._on(self.desk.changed, self._on_desk)
        self._on(self.strips.made, self._on_made)
        self.desk_box.channel_chosen.connect(self._on_channel)
        self.encoders.chosen.connect(self._on_encoder)
        self.view.moved.connect(self._on_moved)
        self.view.nudged.connect(self._on_nudged)
        self.view.restored.connect(self._on_restored)
        self.view.asked.connect(self._on_asked)
        self.view.seen.connect(self._want)
        self.view.cleared.connect(self._on_cleared)
        self.model.named.connect(self.rename)
        self.towards.end_asked.connect(self._on_end)
        self.towards.moved.connect(self._on_way)
        self.section.toggled.connect(self._on_section)

    def on_show(self) -> None:
        """Encode the cells, if that can be done."""
        self.service.ensure()

    def refresh(self) -> None:
        """Bring everything up to date."""
        if self.isVisible():
            self.service.ensure()
        ready = self.standing.tell()
        self._fill_encoders()
        self._show_jobs()
        code = self.service.code if ready else None
        for part in (self.desk_box, self.section, self.view):
            part.setVisible(code is not None)
        if code is None:
            self._shown = None
            self.model.show(None)
            return
        if self._shown is None or self._shown.encoder is not code.encoder:
            self._forget_pictures()
        self._shown = code
        if code.atlas is not None:
            self.delegate.most_active = max((info.kl for info in code.atlas), default=1)
        self.model.show(code)
        self.desk_box.offer(code)
        self._tell(code)
        self._take_pictures(self.model.latents)
        self._want()
        self._on_desk()

    def _fill_encoders(self) -> None:
        offers = self.service.offers() if self.session.project is not None else []
        self.encoder_row.setVisible(len(offers) > 1 and self.service.source is not None)
        choices = [Choice(offer.source, offer.title, offer.tip) for offer in offers]
        self.encoders.offer([choices], self.service.source or "")

    def _tell(self, code: Code) -> None:
        atlas, job = code.atlas, self.service.atlas_job
        if atlas is None:
            failed = job.state is JobState.FAILED and job.failure is not None
            self.card.tell(
                f"{code.size} latents.",
                "warning" if failed else "info",
                reason=job.failure.message
                if failed and job.failure
                else "Finding out what they mean…"
                if job.state.busy
                else "What they mean was not found out.",
                action=None
                if job.state.busy
                else ("Find names", self.service.find_meaning),
            )
            return
        words, reason = in_short(atlas)
        self.card.tell(words, reason=reason)
        self.card.setToolTip(TOGETHER_TIP)

    def _on_job(self) -> None:
        if not self.isVisible():
            self._dirty = True
            return
        self._show_jobs()
        if not (self.service.job.state.busy or self.service.atlas_job.state.busy):
            self.mark_dirty()

    def _show_jobs(self) -> None:
        for line, job in (
            (self.encode_line, self.service.job),
            (self.atlas_line, self.service.atlas_job),
        ):
            line.setVisible(job.state.busy)
            line.refresh()

    def _on_code(self) -> None:
        self._forget_pictures()
        self.mark_dirty()

    def _forget_pictures(self) -> None:
        self.delegate.strips.clear()
        self.delegate.effects.clear()

    def _want(self) -> None:
        """Have the pictures of the latents in view made."""
        if self.isVisible() and self._shown is not None:
            self.strips.want(self.view.in_view())

    def _on_made(self, latents: tuple[int, ...]) -> None:
        if self._shown is not None:
            self._take_pictures(latents)
            self.view.viewport().update()

    def _take_pictures(self, latents: Any) -> None:
        code, maker = self._shown, self.strips
        if code is None:
            return
        limits = maker.display_limits(code)
        for latent in latents:
            if latent in maker.strips:
                strip = maker.strips[latent]
                images = decoded_images(strip, limits, self.desk_box.channel)
                self.delegate.strips[latent] = images
            if latent in maker.effects:
                effect = effect_image(maker.effects[latent], self.desk_box.channel)
                self.delegate.effects[latent] = effect

    def _on_base(self) -> None:
        """Let the strips start from elsewhere, too, in a moment."""
        if self.isVisible():
            self._settle.start()
            code = self._shown
            if code is not None:
                self.desk_box.offer(code)
        else:
            self._dirty = True

    def _restart_strips(self) -> None:
        base = self.desk.base
        self.strips.start_from(base if base.any() else None)
        self._want()

    def _on_desk(self) -> None:
        if self.isVisible():
            self._decode.start()
            self.view.viewport().update()
        else:
            self._dirty = True

    def _show_picture(self) -> None:
        """Decode the code on the desk; quick enough to follow a slider."""
        code, desk = self._shown, self.desk
        if code is None or len(desk.z) != code.size or not self.isVisible():
            return
        self.desk_box.show_code(code, self.strips.display_limits(code))
        self._show_way(code)

    def _show_way(self, code: Code) -> None:
        if not self.section.isExpanded():
            return
        key = (code.encoder.hash, self.desk.ends, self.desk_box.channel)
        if key != self._ends_shown:
            self._ends_shown = key
            self.towards.show_ends(*(self._end(code, row) for row in self.desk.ends))
        self.towards.show_part(self.desk.part)
        differ = self.desk.differences()
        parts = [f"{code.label(index)} {signed(by)}" for index, by in differ]
        words = f"It takes most: {', '.join(parts)}." if parts else ""
        hint = "Select a cell, then click here to take it as the one or the other."
        self.towards.words.setText(words or hint)

    def _end(self, code: Code, row: int | None) -> QImage | None:
        """Return a cell as the encoder remembers it."""
        if row is None:
            return None
        crop = code.encoder.decode(code.latents[[row]])
        limits = self.strips.display_limits(code)
        return decoded_images(crop, limits, self.desk_box.channel)[0]

    def _on_channel(self) -> None:
        self._forget_pictures()
        self._take_pictures(self.model.latents)
        self._on_desk()

    def _on_encoder(self, source: str) -> None:
        self.service.choose(source)

    def _on_moved(self, latent: int, value: float) -> None:
        self.desk.set_value(latent, value)

    def _on_nudged(self, latent: int, by: float) -> None:
        self.desk.set_value(latent, float(self.desk.z[latent]) + by)

    def _on_restored(self, latent: int) -> None:
        self.desk.reset(latent)

    def _on_cleared(self) -> None:
        self.desk.reset()

    def _on_section(self, opened: bool) -> None:
        rows = self.session.selected
        if opened and self.desk.ends == (None, None) and len(rows) == 2:
            for which, row in enumerate(rows.tolist()):
                self.desk.set_end(which, row)
        self._on_desk()

    def _on_end(self, which: int) -> None:
        if self.session.current is None:
            self.card.tell("Select a cell first.", "warning")
            return
        self.desk.set_end(which, self.session.current)

    def _on_way(self, part: float) -> None:
        self.desk.blend(part)

    def rename(self, latent: int, name: str | None) -> None:
        """Call a latent something; "" for no name, None for what was found."""
        self.attempt(partial(self.service.rename, latent, name))

    def _on_asked(self, latent: int, deed: str) -> None:
        code = self._shown
        if code is None:
            return
        if deed == "accept" and code.atlas is not None:
            waiting = code.atlas.proposals.get(latent)
            if waiting:
                self.rename(latent, waiting)
        elif deed == "none":
            self.rename(latent, "")
        elif deed == "found":
            self.rename(latent, None)
        elif deed in ("x", "y"):
            self.session.service(MapService).put(deed, latent_key(latent))
        elif deed == "layer":
            self.open_layer(latent)

    def open_layer(self, latent: int) -> Any:
        """Add the strip of a latent to the viewer as a layer; return it."""
        code, base = self._shown, self.desk.base
        if code is None:
            return None
        anchor = base if base.any() else None
        try:
            return add_strip(self.session, code, latent, anchor, self.desk_box.channel)
        except InputError as error:
            self.tell_error(error)
            return None

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave the list its height."""
        super().resizeEvent(event)
        self.desk_box.make_low(self.height() < LOW)

    def on_theme(self) -> None:
        """Follow the theme."""
        theme = self.theme
        self.delegate.theme = theme
        self.desk_box.set_theme(theme)
        self.towards.set_theme(theme)
        self.view.viewport().update()

    def dispose(self) -> None:
        """Stop what is moving."""
        self._settle.stop()
        self._decode.stop()
        self.towards.stop()
        super().dispose()

    def has_data(self) -> bool:
        """Whether anything is known of the latents."""
        return self._shown is not None and self._shown.atlas is not None

    def save_data(self, path: str) -> None:
        """Write what is known of every latent as CSV."""
        if self._shown is not None:
            output.save_table(self._shown, path)

    def save_figure(self, path: str) -> None:
        """Write the strips and effect maps that were made."""
        if not self.has_data() or self._shown is None:
            super().save_figure(path)
            return
        names = channel_names(self.session, self._shown)
        output.save_figure(self._shown, self.strips, names, path)

    def python_code(self) -> str | None:
        """Return the lines that describe the latents and decode a strip."""
        if self._shown is None:
            return None
        index = self.view.currentIndex()
        latents = self.model.latents
        chosen = latents[index.row()] if index.isValid() else next(iter(latents), 0)
        row = self.desk.row
        return output.python_code(self.session, self._shown, max(chosen, 0), row)

    def command_line(self) -> str | None:
        """Return the command that writes the same as files."""
        if self._shown is None:
            return None
        return output.command_line(self.session, self._shown)


def _single_shot(parent: Any, ms: int) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(ms)
    return timer
