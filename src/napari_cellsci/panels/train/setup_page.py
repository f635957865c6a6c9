"""The page on which a new run is set up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_cellsci.panels._choice import Choice, ChoiceBox
from napari_cellsci.panels._parts import Section, WrapLabel, new_form, plain_button
from napari_cellsci.panels._theme import STEP
from napari_cellsci.panels.train.class_picker import ClassPicker
from napari_cellsci.panels.train.forms import SettingsForm
from napari_cellsci.panels.train.goals import EACH, GOALS, Goal, Setup, goal_of
from napari_cellsci.panels.train.service import HERE, OWN
from napari_cellsci.project.class_rows import FEWEST

_PLACES = (
    Choice(
        OWN,
        "A process of its own",
        "Goes on when napari is closed, and never holds up the window",
    ),
    Choice(
        HERE,
        "This window",
        "A thread of napari: it is cancelled, and keeps its checkpoint, when napari is "
        "closed",
    ),
)


ALL = "* all cells *"


def cells_of(counts: dict[str, int]) -> list[list[Choice]]:
    """Return the cells an encoder may learn from, by their classes.

    Parameters
    ----------
    counts : dict
        Labelled cells by class.
    """
    every = Choice(ALL, "all cells", "Labelled or not")
    if not any(count >= FEWEST for count in counts.values()):
        return [[every]]
    few = f"Label at least {FEWEST} cells of it"
    own = [
        Choice(
            name,
            f"{name} only ({count:,})",
            "The cells labelled so, which it then describes in finer detail",
            "" if count >= FEWEST else few,
        )
        for name, count in counts.items()
    ]
    enough = [name for name, count in counts.items() if count >= FEWEST]
    each = Choice(
        EACH,
        "each class by itself",
        f"One encoder after another: {', '.join(enough)}",
        "" if len(enough) > 1 else f"Label at least {FEWEST} cells of two classes",
    )
    return [[every], [*own, each]]


class SetupPage(QWidget):
    """Choose what to train, how thoroughly, and, if need be, every setting.

    Signals
    -------
    changed : no arguments
        The user changed the setup.
    estimate : no arguments
        An estimate is asked for.
    form_wanted : no arguments
        All settings are to be shown; their dataclass may have to be loaded first.
    """

    changed = Signal()
    estimate = Signal()
    form_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._setup = Setup()
        self._filling = False
        self._devices: tuple[Choice, ...] = ()
        self.goals = ChoiceBox("What to train")
        self.presets = ChoiceBox("How thoroughly")
        self.encoders = ChoiceBox("The code the heads read")
        self.devices = ChoiceBox("Where the networks are computed")
        self.classes = ClassPicker()
        self.cells = ChoiceBox("The cells the encoder learns from")
        self.usable = QCheckBox("Usable cells only")
        self.usable.setToolTip("Pass over the cells that are filtered out")
        self.name = QLineEdit()
        self.name.setPlaceholderText("chosen for you")
        self.name.setToolTip("What to call the encoder or the classifier")
        self.seed = QSpinBox()
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setToolTip("The same seed gives the same run on the same computer")
        self.tip = WrapLabel(name="muted")
        self.form = new_form()
        self.form.addRow("Train", self.goals)
        self.form.addRow("Preset", self.presets)
        self.form.addRow("Encoder", self.encoders)
        self.form.addRow("Classes", self.classes)
        self.form.addRow("Cells", self.cells)
        self.form.addRow("Device", self.devices)
        self.form.addRow("Name", self.name)
        self._build_cost()
        self._build_advanced()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * STEP)
        layout.addLayout(self.form)
        layout.addWidget(self.usable)
        layout.addWidget(self.tip)
        layout.addLayout(self.cost_row)
        layout.addWidget(self.advanced)
        layout.addStretch(1)
        self._connect()

    def _build_cost(self) -> None:
        self.cost = WrapLabel(name="muted")
        self.measure = plain_button(
            "Estimate",
            "Try it for some seconds: how long will it take, how much memory",
        )
        self.cost_row = QHBoxLayout()
        self.cost_row.setSpacing(2 * STEP)
        self.cost_row.addWidget(self.measure)
        self.cost_row.addWidget(self.cost, 1)

    def _build_advanced(self) -> None:
        self.places = ChoiceBox("Where the run goes on")
        self.places.offer([_PLACES], OWN)
        self.settings = SettingsForm()
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * STEP)
        form = new_form()
        form.addRow("Run in", self.places)
        form.addRow("Seed", self.seed)
        layout.addLayout(form)
        self.loading = WrapLabel("Loading the settings…", "muted")
        layout.addWidget(self.loading)
        layout.addWidget(self.settings)
        self.advanced = Section("Advanced", inside)

    def _connect(self) -> None:
        self.goals.chosen.connect(self._on_goal)
        self.presets.chosen.connect(self._on_preset)
        self.encoders.chosen.connect(self._on_encoder)
        self.devices.chosen.connect(self._on_device)
        self.classes.chosen.connect(self._on_classes)
        self.cells.chosen.connect(self._on_cells)
        self.usable.clicked.connect(self._on_usable)
        self.name.textChanged.connect(self._on_name)
        self.seed.valueChanged.connect(self._on_seed)
        self.settings.edited.connect(self._on_settings)
        self.measure.clicked.connect(self.estimate)
        self.advanced.toggled.connect(self._on_advanced)

    @property
    def setup(self) -> Setup:
        """What is set up."""
        return self._setup

    @property
    def goal(self) -> Goal:
        """What is to be trained."""
        return goal_of(self._setup.goal)

    @property
    def place(self) -> str:
        """Where the run is to go on."""
        return str(self.places.currentData())

    def offer(
        self, why_not: dict[str, str], encoders: Sequence[Choice], devices: Any
    ) -> None:
        """Show what can be chosen.

        Parameters
        ----------
        why_not : dict
            By goal: why it cannot be trained yet.
        encoders : sequence of Choice
        devices : sequence of Choice
        """
        self._filling = True
        choices = [Choice(g.key, g.title, g.tip, why_not.get(g.key, "")) for g in GOALS]
        self.goals.offer([choices], self._setup.goal)
        presets = [Choice(p.key, p.title, p.tip) for p in self.goal.presets]
        self.presets.offer([presets], self._setup.preset)
        keys = [choice.key for choice in encoders]
        if self._setup.encoder not in keys:
            self._setup = replace(self._setup, encoder=keys[0] if keys else None)
        self.encoders.offer([list(encoders)], self._setup.encoder or "")
        self.devices.offer([list(devices)], self._setup.device)
        self._show_row(self.encoders, self.goal.on_latents)
        self._show_row(self.devices, self.goal.verb == "train_encoder")
        self._show_row(self.name, self.goal.verb != "search")
        if self.name.text().strip() != self._setup.name:
            self.name.setText(self._setup.name)  # else the cursor would move
        self.seed.setValue(self._setup.seed)
        self.tip.setText(
            f"{self.goal.tip}. {self.goal.preset(self._setup.preset).tip}."
        )
        self._filling = False

    def offer_cells(
        self,
        palette: dict[str, str],
        trained: Sequence[str],
        filtered: int,
        usable_only: bool,
    ) -> None:
        """Show what can be said of the cells that are learned from.

        Parameters
        ----------
        palette : dict
            Colours of all classes by name.
        trained : sequence of str
            Those the project trains.
        filtered : int
            Cells that are filtered out; without any there is nothing to choose.
        usable_only : bool
            How the project is set.
        """
        setup = self._setup
        kept = setup.classes
        if kept is not None and not set(kept) <= set(palette):
            kept = None  # of another project
            self._setup = replace(setup, classes=None)
        self.classes.offer(palette, trained, kept)
        self._show_row(self.classes, self.goal.takes_classes and len(palette) > 2)
        asked = setup.usable_only
        self.usable.setChecked(usable_only if asked is None else asked)
        self.usable.setText(f"Usable cells only ({filtered:,} filtered out)")
        self.usable.setVisible(bool(filtered) and self.goal.verb != "search")

    def offer_classes(self, counts: dict[str, int]) -> None:
        """Show of which classes an encoder can be made.

        Parameters
        ----------
        counts : dict
            Labelled cells by class.
        """
        choices = cells_of(counts)
        setup = self._setup
        known = {choice.key for group in choices for choice in group}
        if (setup.of_class or ALL) not in known:
            setup = self._setup = replace(setup, of_class=None)  # of another project
        self.cells.offer(choices, setup.of_class or ALL)
        self._show_row(self.cells, self.goal.of_cells and len(choices) > 1)

    def _show_row(self, field: QWidget, shown: bool) -> None:
        field.setVisible(shown)
        label = self.form.labelForField(field)
        if label is not None:
            label.setVisible(shown)

    def show_form(self) -> None:
        """Show all settings; their dataclass is loaded."""
        goal, setup = self.goal, self._setup
        self.loading.setVisible(False)
        self.settings.setVisible(True)
        self.settings.ask(
            goal.config_class, goal.usual(setup.preset), setup.settings, goal.hidden
        )

    def take(self, setup: Setup) -> None:
        """Show another setup, of a run that is to be repeated with changes, say."""
        self._change(setup)

    def _change(self, setup: Setup) -> None:
        form = (setup.goal, setup.preset) != (self._setup.goal, self._setup.preset)
        dropped = setup.settings != self._setup.settings
        self._setup = setup
        self.changed.emit()
        if (form or dropped) and self.advanced.isExpanded():
            self._want_form()

    def _want_form(self) -> None:
        self.loading.setVisible(True)
        self.settings.setVisible(False)
        self.form_wanted.emit()

    def _on_goal(self, key: str) -> None:
        if not self._filling:
            self._change(self._setup.with_goal(key))

    def _on_preset(self, key: str) -> None:
        if not self._filling:
            self._change(self._setup.with_preset(key))

    def _on_encoder(self, key: str) -> None:
        if not self._filling:
            self._change(replace(self._setup, encoder=key))

    def _on_device(self, key: str) -> None:
        if not self._filling:
            self._change(replace(self._setup, device=key))

    def _on_classes(self, classes: tuple[str, ...] | None) -> None:
        self._change(replace(self._setup, classes=classes))

    def _on_cells(self, key: str) -> None:
        if not self._filling:
            of_class = None if key == ALL else key
            self._change(replace(self._setup, of_class=of_class))

    def _on_usable(self, usable: bool) -> None:
        self._change(replace(self._setup, usable_only=usable))

    def _on_name(self, name: str) -> None:
        if not self._filling:
            self._change(replace(self._setup, name=name.strip()))

    def _on_seed(self, seed: int) -> None:
        if not self._filling:
            self._change(replace(self._setup, seed=seed))

    def _on_settings(self) -> None:
        if self.settings.problem:
            self.changed.emit()
            return
        # Not by `_change`: the form shows these already, and has the focus.
        asked = self.settings.names()
        others = {k: v for k, v in self._setup.settings.items() if k not in asked}
        self._setup = replace(self._setup, settings={**others, **self.settings.values})
        self.changed.emit()

    def _on_advanced(self, opened: bool) -> None:
        if opened:
            self._want_form()

    @property
    def problem(self) -> str:
        """Why the settings cannot be used, "" if they can."""
        return self.settings.problem if self.advanced.isExpanded() else ""
