"""The keys of labelling on our layers, as long as a panel that labels is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_cellsci.viewer import keys, tags

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_cellsci.viewer.session import Session

_LETTERS_ONLY = ("masks",)
"""Roles of layers of the user's, where digits choose tools."""


class _Stroke:
    """One key on layers; napari hands it the layer."""

    def __init__(self, owner: LabelKeys, deed: str) -> None:
        self._owner, self._deed = owner, deed

    def press(self, layer: Layer) -> None:
        """Do what the key stands for."""
        self._owner.pressed.emit(self._deed)


class LabelKeys:
    """Binds the keys to layers of the shown movie; made by `Session.service`.

    Attributes
    ----------
    pressed : Signal
        Carries the id of the deed whose key was pressed.
    changed : Signal
        Keys were set anew.
    """

    pressed = Signal(str)
    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._holders = 0
        self._bound: list[tuple[Layer, str]] = []
        self._strokes = {deed.id: _Stroke(self, deed.id) for deed in keys.DEEDS}
        for signal in (
            session.project_changed,
            session.movie_changed,
            session.display_changed,
        ):
            signal.connect(self.install)

    def hold(self) -> None:
        """Bind the keys until as many `release` as `hold` were called."""
        self._holders += 1
        if self._holders == 1:
            events = keys.settings_events()
            if events is not None:
                events.connect(self._on_settings)
            self.install()

    def release(self) -> None:
        """Let go of the keys if nobody else holds them."""
        self._holders = max(0, self._holders - 1)
        if not self._holders:
            events = keys.settings_events()
            if events is not None:
                events.disconnect(self._on_settings)
            self._uninstall()

    @property
    def held(self) -> bool:
        """Whether the keys are bound."""
        return self._holders > 0

    def install(self, *_: object) -> None:
        """Bind the keys to all layers of ours that are there now."""
        self._uninstall()
        viewer = self._session.viewer
        if not self._holders or viewer is None:
            return
        now = keys.keys_now()
        for layer in viewer.layers:
            role = tags.role_of(layer)
            if role is None:
                continue
            for key, deed in now.items():
                if role in _LETTERS_ONLY and not key.isalpha():
                    continue
                if _bind(layer, key, self._strokes[deed].press):
                    self._bound.append((layer, key))

    def _uninstall(self) -> None:
        for layer, key in self._bound:
            _bind(layer, key, None)
        self._bound.clear()

    def _on_settings(self, *_: object) -> None:
        self.install()
        self.changed.emit()


def _bind(layer: Layer, key: str, slot: Any) -> bool:
    """Bind a key of a layer, or let go of it; a key that is none is passed over."""
    try:
        layer.bind_key(key, slot, overwrite=True)
    except (KeyError, ValueError, TypeError):
        return False
    return True
