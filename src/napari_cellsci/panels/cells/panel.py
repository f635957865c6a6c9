"""The *Cells* panel."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QFileDialog,
)

from napari_cellsci.errors import InputError
from napari_cellsci.panels._base import PanelBase
from napari_cellsci.panels._jobs import Job, JobState
from napari_cellsci.panels._parts import (
    RunLine,
    WrapLabel,
    heading,
    new_form,
    whole_number,
)
from napari_cellsci.panels._scroll import keep_scroll_bar
from napari_cellsci.panels._strip import CropStrip
from napari_cellsci.panels.cells import status
from napari_cellsci.panels.cells.choice import (
    CellsSource,
    CropSettings,
    read_layers,
    what_is_missing,
)
from napari_cellsci.panels.cells.code import Request, as_command, as_python
from napari_cellsci.panels.cells.crop_fields import CropFields
from napari_cellsci.panels.cells.fields import (
    FolderLine,
    fill_planes,
    free_folder,
    is_taken,
    leave_layers,
)
from napari_cellsci.panels.cells.images_box import ImagesBox
from napari_cellsci.panels.cells.images_source import ImagesSource
from napari_cellsci.panels.cells.layer_rows import LayerRows
from napari_cellsci.panels.cells.normalise_box import NormaliseBox
from napari_cellsci.panels.cells.normalising import Preview
from napari_cellsci.panels.cells.service import CellsService
from napari_cellsci.panels.score.service import ScoreService
from napari_cellsci.viewer import adapters

if TYPE_CHECKING:
    import napari.viewer

PREVIEW_DELAY_MS = 150


class CellsPanel(PanelBase):
    """Choose a movie and its tracks, see the crops, make a project or open one."""

    title = "Cells"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self.service = self.session.service(CellsService)
        self.scoring = self.session.service(ScoreService)
        self.preview_job = Job()
        self._preview_timer = QTimer(self)
        self._preview_timer.setSingleShot(True)
        self._preview_timer.setInterval(PREVIEW_DELAY_MS)
        self._preview_timer.timeout.connect(self._start_preview)
        self._image_seen: int | None = None
        self._known = (0.0, 0.0)  # pixel size (µm) and interval (min) of the image
        self._path_typed = False
        self._tried: tuple[object, ...] = ()
        self.trouble = ""
        self._scoring_seen = self.scoring.job.state
        self._build_layers()
        self._build_view()
        self._build_controls()
        keep_scroll_bar(self)
        self.run_line = RunLine("Crop cells", self.service.job, self.run)
        self.foot.addWidget(self.run_line)
        self._on(self.session.project_changed, self._on_project)
        self._on(self.session.scores_changed, self.mark_dirty)
        self._on(self.session.labels_changed, self.mark_dirty)
        self._on(self.service.job.changed, self._on_job)
        self._on(self.service.opened, self.rows.choose)
        self._on(self.scoring.job.changed, self._on_scoring)
        self._on(self.preview_job.changed, self._on_preview_job)
        self._on(self.preview_job.succeeded, self._show_preview)
        self._on_image()
        self._on_project()
        self.refresh()

    def _build_layers(self) -> None:
        self.rows = LayerRows(self.session)
        self.combos = self.rows.combos
        self.rows.chosen.connect(self._on_layers)
        self.rows.asked.connect(self._open_file)
        self.body.addWidget(self.rows)
        self.normalise = NormaliseBox(self.theme)
        self.normalise.changed.connect(self._on_choice)
        self.images = ImagesBox(self.session, self.normalise)
        self.images.changed.connect(self._on_images)
        self.body.addWidget(self.images)

    def _build_view(self) -> None:
        self.body.addWidget(heading("What will be cut"))
        self.strip = CropStrip()
        self.strip.set_ink(self.theme.muted)
        self.body.addWidget(self.strip)
        self.caption = WrapLabel(name="muted")
        self.body.addWidget(self.caption)

    def _build_controls(self) -> None:
        self.fields = fields = CropFields()
        self.pixel_size, self.interval = fields.pixel_size, fields.interval
        self.fov, self.fov_unit = fields.fov, fields.fov_unit
        self.extra, self.channels, self.plane = (
            *(fields.extra, fields.channels, fields.plane),
        )
        self.scale, self.advanced = fields.scale, fields.advanced
        where = new_form()
        place = FolderLine()
        self.path, self.browse = place.path, place.browse
        place.chosen.connect(self._on_path)
        where.addRow("Project", place)
        self.body.addWidget(self.scale)
        self.body.addLayout(where)
        self.body.addWidget(self.advanced)
        self.body.addWidget(self.normalise.section)
        self.body.addStretch()
        fields.changed.connect(self._on_choice)
        self.extra.currentIndexChanged.connect(self._on_extra)

    def reset_choices(self, event: object = None) -> None:
        """Follow layers that were added, removed, renamed or moved."""
        self.rows.reset_choices(event)
        self._on_choice()

    def on_show(self) -> None:
        """Offer the layers there are."""
        self.reset_choices()

    def settings(self) -> CropSettings:
        """Return what is set.

        Raises
        ------
        InputError
            If the channels are not numbers.
        """
        return self.fields.settings(self._known, self.normalise.chosen)

    def layers(self) -> tuple[Any, Any, Any]:
        """Return the chosen image, tracks and labels layers."""
        return self.rows.layers()

    def source(self) -> CellsSource:
        """Read the chosen layers.

        Raises
        ------
        InputError
            If something is missing or cannot be used.
        """
        return read_layers(*self.layers(), self.settings())

    def run(self) -> None:
        """Make a project of what is chosen, or add it to the open one."""
        if self.images.wanted:
            self._run_images()
            return
        try:
            source = self.source()
        except InputError as error:
            self.tell_error(error)
            return
        layers, self._tried = self._given(), self._asked()
        if self._adds():
            self.service.add(source, layers)
        else:
            self.service.create(source, Path(self.path.text()).expanduser(), layers)

    def _run_images(self) -> None:
        self._tried = self._asked()
        if self._adds():
            self.service.add_images(self.images.given())
        else:
            path = Path(self.path.text()).expanduser()
            self.service.create_images(self.images.given(), path)

    def _asked(self) -> tuple[object, ...]:
        """Return what is chosen, for telling whether it has changed."""
        return (
            *self.images.asked(),
            *map(id, self.layers()),
            self.path.text(),
            *self.fields.asked(),
            *self.normalise.asked,
        )

    def open_project(self) -> None:
        """Ask for a project folder and open it."""
        path = QFileDialog.getExistingDirectory(self, "Open a project")
        if path:
            self._tried = self._asked()
            self.service.open(Path(path))

    def show_scores(self) -> None:
        """Bring the Score panel to the front."""
        self._show_panel("Score")

    def show_training(self) -> None:
        """Bring the Train panel to the front."""
        self._show_panel("Train")

    def _show_panel(self, name: str) -> None:
        from napari_cellsci.panels.workspace import show_panel

        if self.session.viewer is not None:
            show_panel(self.session.viewer, name)

    def score(self) -> None:
        """Score the cells of the project, in front of the user."""
        self.show_scores()
        self.scoring.run()

    def _adds(self) -> bool:
        project = self.session.project
        return project is not None and Path(self.path.text()).expanduser() == Path(
            project.path
        )

    def _on_path(self) -> None:
        self._path_typed = True
        self.refresh()

    def _on_extra(self) -> None:
        self._fill_planes()
        self._on_choice()

    def _open_file(self, kind: Any, path: str) -> None:
        self._tried = self._asked()
        image, size = self.combos["Image"].value, self.pixel_size.value()
        self.service.open_file(kind, Path(path), pixel_size=size or None, image=image)

    def _on_images(self) -> None:
        """Show what matters for images of single cells, or for movies."""
        for part in (self.rows, self.scale, self.advanced):
            part.setVisible(not self.images.wanted)
        self.normalise.offer_sizing(self.images.wanted)
        self._suggest_path()
        self._on_choice()

    def _on_layers(self) -> None:
        self._on_image()
        self._on_choice()

    def _on_image(self) -> None:
        """Take over what the chosen image says of itself, and nothing it does not."""
        image = self.combos["Image"].value
        if image is None or id(image) == self._image_seen:
            return
        self._image_seen = id(image)
        self._known = (
            adapters.known_pixel_size(image) or 0,
            (adapters.known_frame_interval(image) or 0) / 60,
        )
        self.pixel_size.setValue(self._known[0])
        self.interval.setValue(self._known[1])
        self._fill_planes()
        self._suggest_path()
        self._on_choice()

    def _suggest_path(self) -> None:
        """Write the open project's folder, else one that is free."""
        image, project = self.combos["Image"].value, self.session.project
        if self._path_typed:
            return
        if project is not None:
            self.path.setText(str(project.path))
        elif self.images.wanted and not self.images.missing:
            name = Path(self.images.source.text()).stem
            self.path.setText(str(free_folder(name)))
        elif image is not None:
            self.path.setText(str(free_folder(image.name)))

    def _on_project(self) -> None:
        self._path_typed = False
        project = self.session.project
        if project is not None and self.images.missing:
            # What is added next is most likely of the kind that is there.
            sort = all(info.is_images for info in project.movies)
            self.images.tick.setChecked(sort)
        self._suggest_path()
        self.mark_dirty()

    def _fill_planes(self) -> None:
        fill_planes(self.plane, self.combos["Image"].value, self.extra.currentData())

    def _on_choice(self, *_: object) -> None:
        job = self.service.job
        if job.state is JobState.FAILED and self._asked() != self._tried:
            job.reset()  # what failed is no longer what is chosen
        if not self.images.wanted:  # whose channels are told by the preview
            self.normalise.read_channels(self.channels.text())
        self.trouble = ""
        self.mark_dirty()
        self._preview_timer.start()

    def _start_preview(self) -> None:
        if not self.is_seen() or self.service.job.state.busy:
            return
        source: CellsSource | ImagesSource
        try:
            missing = self._missing()
            if missing:
                self.strip.say(missing)
                self.caption.setText("")
                return
            source = self.images.given() if self.images.wanted else self.source()
        except InputError as error:
            self._say_trouble(str(error))
            return
        self.caption.setText("Looking at the cells…")
        self.preview_job.start(source.preview)

    def _missing(self) -> str:
        if self.images.wanted:
            return self.images.missing
        return what_is_missing(*self.layers(), self.settings())

    def _on_preview_job(self) -> None:
        job = self.preview_job
        if job.state is JobState.FAILED and job.failure is not None:
            self._say_trouble(job.failure.message)

    def _say_trouble(self, sentence: str) -> None:
        """Say why nothing can be cut from what is chosen."""
        self.trouble = sentence
        self.strip.say("")
        self.caption.setText("")
        self.mark_dirty()

    def _show_preview(self, found: Preview) -> None:
        crops, n_cells, n_tracks, normalising = found
        self.strip.show_crops(crops)
        self.normalise.show_view(normalising)
        if self.images.wanted:
            left = f" {n_tracks} cannot be read and are left out." if n_tracks else ""
            self.caption.setText(f"{whole_number(n_cells)} images.{left}")
            return
        words = f"{whole_number(n_cells)} cells in {whole_number(n_tracks)} tracks"
        image, tracks, _ = self.layers()
        hint = None
        if image is not None and tracks is not None:
            hint = adapters.hint_of_mismatch(tracks, image)
        self.caption.setText(f"{words}. {hint}" if hint else f"{words}.")

    def _on_job(self) -> None:
        self.run_line.refresh()
        self.mark_dirty()

    def _on_scoring(self) -> None:
        if self.scoring.job.state is not self._scoring_seen:
            self._scoring_seen = self.scoring.job.state
            self.mark_dirty()

    def refresh(self) -> None:
        """Say where things stand and what comes next."""
        reason = self._reason()
        self.run_line.allow(reason)
        added = "Add images" if self.images.wanted else "Add movie"
        self.run_line.set_verb(added if self._adds() else "Crop cells")
        status.tell(self, ready=not reason)

    def _reason(self) -> str:
        try:
            missing = self._missing()
        except InputError as error:
            return str(error)
        if missing:
            return missing
        path, project = self.path.text().strip(), self.session.project
        if not path:
            return "Say where the project folder is to be made."
        if project is not None and self._adds():
            if self.images.wanted:
                return status.why_images_not_added(project, self.images.given().images)
            return status.why_not_added(project, self.combos["Image"].value)
        if is_taken(Path(path).expanduser()):
            return "This folder is not empty: choose another name."
        return ""

    def on_theme(self) -> None:
        """Follow the theme."""
        self.strip.set_ink(self.theme.muted)
        self.normalise.set_theme(self.theme)

    def dispose(self) -> None:
        """Stop the preview; a project being made goes on."""
        self._preview_timer.stop()
        self.preview_job.cancel()
        if self.session.viewer is not None:
            # napari has connected these when it docked the panel.
            leave_layers(self.session.viewer, self.reset_choices)
        super().dispose()

    def python_code(self) -> str | None:
        """Return the call that makes the project."""
        if self.images.wanted:
            return self.images.python_code(self.path.text().strip(), self._adds())
        request = self._request()
        return None if request is None else as_python(request)

    def command_line(self) -> str | None:
        """Return the command that makes the project, where the layers have files."""
        if self.images.wanted:
            return self.images.command_line(self.path.text().strip(), self._adds())
        request = self._request()
        return None if request is None else as_command(request)

    def _given(self) -> dict[str, Any]:
        names = ("image", "tracks", "masks")
        chosen = zip(names, self.layers(), strict=True)
        return {name: layer for name, layer in chosen if layer is not None}

    def _request(self) -> Request | None:
        layers, path = self._given(), self.path.text().strip()
        if "image" not in layers or not path:
            return None
        with suppress(InputError):  # channels that are no numbers
            return Request(path, layers, self.settings(), self._adds())
        return None
