"""The *Robustness* panel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer
from superqt import QFlowLayout

from napari_cellsci.errors import InputError
from napari_cellsci.figures.attacks import save_robustness
from napari_cellsci.panels._base import PanelBase
from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels._parts import WrapLabel, plain_button
from napari_cellsci.panels._scroll import keep_scroll_bar
from napari_cellsci.panels._theme import STEP
from napari_cellsci.panels.robustness.code import as_command, as_python
from napari_cellsci.panels.robustness.curves_box import CurvesBox
from napari_cellsci.panels.robustness.desk import AttackDesk
from napari_cellsci.panels.robustness.failures_box import FailuresBox
from napari_cellsci.panels.robustness.form import AttackForm
from napari_cellsci.panels.robustness.many_box import ManyBox
from napari_cellsci.panels.robustness.pictures import PictureRow
from napari_cellsci.panels.robustness.service import RobustnessService
from napari_cellsci.panels.robustness.shots import layer_pictures, shots_of
from napari_cellsci.panels.robustness.slider import EpsilonSlider
from napari_cellsci.panels.robustness.words import (
    epsilon_in_words,
    seen_in_words,
    smallest_in_words,
)
from napari_cellsci.panels.score.service import ScoreService
from napari_cellsci.project.attack_plan import LARGEST, USUAL

if TYPE_CHECKING:
    import napari.viewer

FRAMES, FRAME_MS = 24, 90
"""Pictures of an animation over ε, and how long each is shown."""


class RobustnessPanel(PanelBase):
    """The smallest change that moves a score: seen, blended back, measured, judged."""

    title = "Robustness"
    data_filter = "Curves (*.csv);;Everything (*.json)"
    figure_filter = "SVG (*.svg);;PDF (*.pdf);;PNG (*.png)"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        keep_scroll_bar(self)
        self.service = self.session.service(RobustnessService)
        self.desk: AttackDesk | None = None
        self._desk_key: tuple[object, ...] = ()
        self.form = AttackForm()
        self.body.addWidget(self.form)
        self._build_view()
        self.many = ManyBox(self.session, self.service)
        self.curves = CurvesBox(self.service, self.theme)
        self.failing = FailuresBox(self.session, self.service, self.theme)
        self.folded = (self.many, self.curves, self.failing)
        for part in self.folded:
            self.body.addWidget(part)
        self.body.addStretch()
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self._next_frame)
        self._frame = 0
        self._connect()
        self.refresh()

    def _build_view(self) -> None:
        self.epsilon = EpsilonSlider(self.theme)
        self.body.addWidget(self.epsilon)
        self.pictures = PictureRow(self.theme)
        self.body.addWidget(self.pictures)
        self.said = WrapLabel()
        self.body.addWidget(self.said)
        self.smallest_button = plain_button(
            "Smallest change", "Find the smallest ε that changes the class"
        )
        self.play_button = plain_button("Play", "Let ε run from 0 to where it stands")
        self.layers_button = plain_button(
            "Show as layers", "Show these pictures as layers beside the movie"
        )
        self.undo_button = plain_button(
            "Undo", "Take the layers away and show the scores there were before"
        )
        self._tips = {
            button.text(): button.toolTip()
            for button in (self.smallest_button, self.play_button, self.layers_button)
        }
        row = QFlowLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setHorizontalSpacing(STEP)
        row.setVerticalSpacing(STEP)
        self.buttons = (
            self.smallest_button,
            self.play_button,
            self.layers_button,
            self.undo_button,
        )
        for button in self.buttons:
            row.addWidget(button)
        self.body.addLayout(row)

    def _connect(self) -> None:
        session, service = self.session, self.service
        for signal in (session.project_changed, session.movie_changed):
            self._on(signal, self.mark_dirty)
        self._on(session.current_changed, self.mark_dirty)
        self._on(session.service(ScoreService).offers_changed, self.mark_dirty)
        self._on(service.changed, self.mark_dirty)
        for job in service.jobs:
            self._on(job.changed, self._on_job)
        self.form.asked.connect(self._on_model)
        self.form.changed.connect(self._on_choice)
        self.epsilon.moved.connect(self._on_epsilon)
        self.smallest_button.clicked.connect(self.find_smallest)
        self.play_button.clicked.connect(self.play)
        self.layers_button.clicked.connect(self.show_layers)
        self.undo_button.clicked.connect(self.undo)
        self.many.asked.connect(self.attack_many)

    def on_show(self) -> None:
        """Open the classifier when someone wants to see it."""
        super().on_show()
        self.service.ensure()

    def refresh(self) -> None:
        """Bring everything up to date."""
        if self.isVisible():
            self.service.ensure()
        self.form.offer(self.service.offers(), self.service.source, self.service.opened)
        self._set_range()
        self._set_desk()
        self._show_cell()
        self.many.missing = self.form.missing
        for part in self.folded:
            part.setVisible(self.service.opened is not None)
            part.refresh()
        self._allow()
        self._tell()

    def _set_desk(self) -> None:
        opened, row = self.service.opened, self.session.current
        choice = self.form.choice
        key = (opened, row, choice)
        if key == self._desk_key:
            return
        self._desk_key = key
        self.desk = None
        if opened is None or row is None or row >= len(opened.crops):
            return
        try:
            self.desk = AttackDesk(opened.bundle, opened.crops[row], choice)
        except InputError as error:
            self.tell_error(error)

    def _show_cell(self) -> None:
        desk, opened = self.desk, self.service.opened
        shown = desk is not None
        for part in (self.pictures, self.said, self.epsilon):
            part.setVisible(shown)
        self.form.setVisible(opened is not None)
        if desk is None or opened is None:
            return
        image = desk.choice.space == "image"
        self.epsilon.mark(opened.noise if image else None)
        moved = desk.at(self.epsilon.value)
        self.epsilon.words.setText(epsilon_in_words(desk, moved.epsilon, opened.noise))
        self.said.setText(seen_in_words(desk, moved, opened.atlas))
        self._moved = moved
        self.pictures.show_shots(shots_of(desk, moved, self.session.palette))
        layers = self.service.layers
        if layers.shows_crops:
            layers.show_crops(layer_pictures(desk, moved))

    def _allow(self) -> None:
        desk = self.desk
        for button in self.buttons[:3]:
            button.setVisible(self.service.opened is not None)
            button.setEnabled(desk is not None)
            why = "Select a cell first, on the movie or in the gallery"
            button.setToolTip(self._tips.get(button.text(), "") if desk else why)
        something = bool(self.service.layers.keys) or self.service.blended is not None
        self.undo_button.setVisible(something)
        why = self.form.missing
        if self.form.several_steps:
            why = "Only for a single step: choose FGSM"
        if why and desk is not None:
            self.smallest_button.setEnabled(False)
            self.smallest_button.setToolTip(why)

    def _tell(self) -> None:
        job, project = self.service.job, self.session.project
        failed = next(
            (j for j in self.service.jobs if j.state is JobState.FAILED), None
        )
        opened = self.service.opened
        if failed is not None and failed.failure is not None:
            details = failed.failure.details
            self.card.tell(failed.failure.message, "error", details=details)
        elif project is None:
            self.card.tell(
                "No cells yet.", reason="Make or open a project in Cells first."
            )
        elif opened is None:
            self.card.tell("Opening the classifier…" if job.state.busy else "Not open.")
        elif self.desk is None:
            self.card.tell(
                f"{opened.bundle.name} is ready to be attacked.",
                reason="Select a cell, on the movie or in the gallery, and drag ε: how "
                "little of a change makes the classifier change its mind?",
            )
        else:
            self._tell_cell()

    def _tell_cell(self) -> None:
        desk, moved = self.desk, self._moved
        assert desk is not None
        flipped = moved.decided != desk.decided
        name = desk.bundle.classes[moved.decided] if moved.decided >= 0 else "no class"
        words = f"now called {name}" if flipped else f"still called {name}"
        member = self.form.member.currentText().lower()
        self.card.tell(
            f"Attacked, this cell is {words} by {desk.bundle.name} ({member}).",
            "warning" if flipped else "info",
        )

    def _on_model(self, source: str) -> None:
        self.service.choose(source)
        self.mark_dirty()

    def _on_choice(self) -> None:
        self._set_range()
        self.mark_dirty()

    def _set_range(self) -> None:
        space = self.form.choice.space
        if self.epsilon.largest != LARGEST[space]:
            self.epsilon.set_range(LARGEST[space], USUAL[space])

    def _on_epsilon(self, value: float) -> None:
        if self.desk is None:
            return
        self._show_cell()
        self._tell_cell()
        self._follow_in_movie(value)

    def _follow_in_movie(self, value: float) -> None:
        """Let the attacked movie show another ε where that takes no new attack."""
        blended = self.service.blended
        plan = None if blended is None else blended.attacked.plan
        if plan is None or self.form.choice.space != "image":
            return
        if plan.kind == "fgsm-image" and plan.size:
            self.service.layers.scale_movie(value / plan.size)
            self.many.tell_shown(value)

    def find_smallest(self) -> None:
        """Set ε to the smallest that changes the class."""
        if self.desk is None:
            return
        found = self.desk.smallest()
        if np.isfinite(found):
            # A little more, so that rounding does not undo it.
            self.epsilon.set_value(found + 0.0006)
        self.said.setText(smallest_in_words(self.desk, found))

    def play(self) -> None:
        """Let ε run from 0 to the end of the slider, or stop."""
        if self._timer.isActive():
            self._timer.stop()
            self.play_button.setText("Play")
            return
        self._frame = 0
        self.play_button.setText("Stop")
        self._timer.start()

    def _next_frame(self) -> None:
        if self.desk is None or self._frame > FRAMES:
            self._timer.stop()
            self.play_button.setText("Play")
            return
        self.epsilon.set_value(self.epsilon.largest * self._frame / FRAMES)
        self._frame += 1

    def show_layers(self) -> None:
        """Show original, attacked, difference and what the decoder draws as layers."""
        if self.desk is not None:
            self.service.layers.show_crops(layer_pictures(self.desk, self._moved))
            self._allow()

    def undo(self) -> None:
        """Take the layers away and show the scores there were before."""
        self.service.undo()

    def options(self) -> dict[str, Any]:
        """Return the options of `Project.attack` that the controls stand for."""
        choice = self.form.choice
        found: dict[str, Any] = {}
        if self.many.just_enough:
            found["kind"] = "minimal" if choice.space == "image" else "minimal-latent"
        else:
            kind = "pgd" if choice.steps > 1 else "fgsm"
            found["kind"] = f"{kind}-{choice.space}"
            found["epsilon"] = round(self.epsilon.value, 4)
        if choice.member is not None:
            found["member"] = choice.member
        opened = self.service.opened
        if choice.towards is not None and opened is not None:
            found["towards"] = opened.bundle.classes[choice.towards]
        if choice.mask is not None:
            found["latents"] = list(choice.mask)
        return {**found, "cells": self.many.chosen()}

    def attack_many(self) -> None:
        """Attack the chosen cells and put them back into the movie."""
        self.service.blend(self.options())

    def _on_job(self) -> None:
        for part in self.folded:
            part.line.refresh()
        if not any(job.state.busy for job in self.service.jobs):
            self.mark_dirty()

    def on_theme(self) -> None:
        """Follow the theme."""
        for part in (self.epsilon, self.pictures, self.curves, self.failing):
            part.set_theme(self.theme)

    def has_data(self) -> bool:
        """Whether accuracy under attack has been measured."""
        return self.service.found is not None

    def save_data(self, path: str) -> None:
        """Write the curves as CSV, or everything as JSON."""
        found = self.service.found
        assert found is not None
        save_robustness(found, Path(path))

    def save_figure(self, path: str) -> None:
        """Write the curves and verdicts; before they are measured, the panel."""
        if self.service.found is None:
            super().save_figure(path)
        else:
            save_robustness(self.service.found, Path(path))

    def _as(self, words: Any) -> str | None:
        project, source = self.session.project, self.service.source
        if project is None or source is None or self.service.opened is None:
            return None
        options = self.options()
        return str(words(str(project.path), source, options))

    def python_code(self) -> str | None:
        """Return the lines that attack these cells."""
        return self._as(as_python)

    def command_line(self) -> str | None:
        """Return the command that attacks these cells."""
        return self._as(as_command)
