"""The form of all settings, made from their dataclass by magicgui."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

from magicgui.widgets import create_widget
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_cellsci.panels._parts import WrapLabel, new_form
from napari_cellsci.panels.train.help import parameters_of

_GREATEST = 2**31 - 1
_USUAL = "usual"


class SettingsForm(QWidget):
    """One line per setting of a dataclass, its help as a tip.

    Whole numbers, choices and switches have widgets of their own; other numbers and
    lists are written, since their sizes differ too much for arrows.

    Signals
    -------
    edited : no arguments
        The user changed something.
    """

    edited = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._kind: Any = None
        self._hidden: tuple[str, ...] = ()
        self._usual: dict[str, Any] = {}
        self._widgets: dict[str, Any] = {}
        self._filling = False
        self._inside: QWidget | None = None
        self.trouble = WrapLabel(name="muted")
        self.trouble.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.trouble)

    def ask(
        self,
        kind: Any,
        usual: Mapping[str, Any],
        settings: Mapping[str, Any],
        hidden: tuple[str, ...],
    ) -> None:
        """Show the settings of a dataclass.

        Parameters
        ----------
        kind : dataclass
        usual : dict
            Values of the preset, by name.
        settings : dict
            What differs from them.
        hidden : tuple of str
            Settings that are not asked for here.
        """
        if (kind, hidden) != (self._kind, self._hidden):
            self._build(kind, hidden)
            self._hidden = hidden
        self._kind, self._usual = kind, dict(usual)
        self._filling = True
        for name, widget in self._widgets.items():
            value = settings.get(name, usual.get(name))
            widget.value = _shown(value) if _is_written(widget) else value
        self._filling = False
        self._check()

    def _build(self, kind: Any, hidden: tuple[str, ...]) -> None:
        if self._inside is not None:
            self._inside.hide()
            self._inside.deleteLater()
        self._inside = QWidget()
        form: QFormLayout = new_form()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self._inside.setLayout(form)
        self.layout().addWidget(self._inside)
        hints, help_ = get_type_hints(kind), parameters_of(kind)
        self._widgets = {}
        for name, hint in hints.items():
            if name in hidden or name not in kind.__dataclass_fields__:
                continue
            widget = _widget(name, hint, help_.get(name, ""))
            label = QLabel(name.replace("_", " "))
            label.setToolTip(help_.get(name, ""))
            widget.native.setMinimumWidth(1)
            widget.changed.connect(self._on_changed)
            form.addRow(label, widget.native)
            self._widgets[name] = widget

    def names(self) -> list[str]:
        """Return the settings that are asked for."""
        return list(self._widgets)

    def widget(self, name: str) -> Any:
        """Return the magicgui widget of a setting."""
        return self._widgets[name]

    @property
    def values(self) -> dict[str, Any]:
        """What differs from the preset.

        Raises
        ------
        InputError, ValueError
            If something written cannot be read or used.
        """
        found: dict[str, Any] = {}
        hints = get_type_hints(self._kind) if self._kind is not None else {}
        for name, widget in self._widgets.items():
            value = widget.value
            if _is_written(widget):
                value = _read(name, str(value), hints[name])
            usual = self._usual.get(name)
            if _plain(value) != _plain(usual):
                found[name] = _plain(value)
        return found

    def _on_changed(self) -> None:
        if not self._filling:
            self._check()
            self.edited.emit()

    def _check(self) -> None:
        """Say at once what cannot be used."""
        try:
            values = {**self._usual, **self.values}
            known = {
                k: v for k, v in values.items() if k in self._kind.__dataclass_fields__
            }
            self._kind(**{k: _tupled(v) for k, v in known.items()})
        except (ValueError, TypeError) as error:
            self.trouble.setText(f"⚠ {error}")
            self.trouble.setVisible(True)
        else:
            self.trouble.setVisible(False)

    @property
    def problem(self) -> str:
        """Why the settings cannot be used, "" if they can."""
        return self.trouble.text().removeprefix("⚠ ") if self._has_trouble else ""

    @property
    def _has_trouble(self) -> bool:
        return not self.trouble.isHidden()


def _widget(name: str, hint: Any, tip: str) -> Any:
    """Return the magicgui widget for a type."""
    options: dict[str, Any] = {"tooltip": tip}
    if hint is bool:
        return create_widget(False, annotation=bool, name=name, options=options)
    if hint is int:
        options |= {"min": 0, "max": _GREATEST}
        return create_widget(0, annotation=int, name=name, options=options)
    if get_origin(hint) is Literal:
        options |= {"choices": list(get_args(hint))}
        choices = get_args(hint)
        return create_widget(choices[0], annotation=str, name=name, options=options)
    return create_widget("", annotation=str, name=name, options=options)


def _is_written(widget: Any) -> bool:
    return bool(widget.widget_type == "LineEdit")


def _shown(value: Any) -> str:
    if value is None:
        return _USUAL
    if isinstance(value, tuple | list):
        return ", ".join(str(item) for item in value)
    return str(value)


def _read(name: str, text: str, hint: Any) -> Any:
    """Read a written setting of a type."""
    kinds = get_args(hint) or (hint,)
    if type(None) in kinds and text.strip().lower() in ("", _USUAL, "none"):
        return None
    inner = next((kind for kind in kinds if kind is not type(None)), hint)
    try:
        if get_origin(inner) is tuple or get_origin(hint) is tuple:
            of = inner if get_origin(inner) is tuple else hint
            number = get_args(of)[0]
            return tuple(number(part) for part in text.replace(",", " ").split())
        return inner(text) if inner in (int, float, str) else text
    except ValueError:
        wanted = "numbers" if "tuple" in str(hint) else "a number"
        raise ValueError(
            f"{name.replace('_', ' ')} takes {wanted}, not {text!r}."
        ) from None


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple | list) else value


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
