"""The face of `Project` towards what its codes and channels tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.labels import Labels
from napari_cellsci.project.bench import Bench
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.project.ablation_table import Ablation
    from napari_cellsci.project.channel_prediction import ChannelPrediction
    from napari_cellsci.project.probing import ProbeResult
    from napari_cellsci.project.shared_information import SharedInformation


class AnalysisFace:
    """Probes and comparisons of a `Project`'s codes; mixed into it."""

    _bench: Bench
    _labels: Labels

    def probe(
        self,
        encoder: Any = None,
        classes: Sequence[str] | None = None,
        *,
        seed: int = 0,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
        **settings: Any,
    ) -> ProbeResult:
        """Ask how well small networks tell the classes from the latents alone.

        Nothing is kept: a probe judges a code, it is no classifier to work with.

        Parameters
        ----------
        encoder : str, path, Bundle or Encoder, optional
            As in `find_encoder`.
        classes : sequence of str, optional
            By default all that are trained and have labels.
        seed : int
        on_event, token
        **settings
            Further fields of `ProbeConfig`.

        Raises
        ------
        InputError
            If there is no such encoder, or there are too few labels.
        """
        from napari_cellsci.heads.probe import ProbeConfig
        from napari_cellsci.project.encoder_sources import encoder_name
        from napari_cellsci.project.latent_atlas import encoder_of
        from napari_cellsci.project.probing import probe_encoder

        found = encoder_of(self._bench, encoder)
        return probe_encoder(
            self._bench,
            self._labels,
            found,
            encoder_name(self._bench, found, encoder),
            classes,
            ProbeConfig(seed=seed, **settings),
            on_event,
            token,
        )

    def ablate(
        self,
        classes: Sequence[str] | None = None,
        *,
        systems: Sequence[str] | None = None,
        seed: int = 0,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
        **settings: Any,
    ) -> Ablation:
        """Compare each channel alone with all together, for CNN and probed encoders.

        What is missing is trained; every cell of the table that is complete is kept, so
        that a table that was stopped goes on where it was. The encoders stay in the
        project, set aside: they are used where they are named only.

        Parameters
        ----------
        classes : sequence of str, optional
            By default all that are trained and have labels.
        systems : sequence of str, optional
            "cnn" and kinds of encoders; by default all.
        seed : int
        on_event, token
        **settings
            Further fields of `AblationConfig`: preset and steps of the encoders,
            gan_steps, cnn_steps and cnn_epochs, folds.

        Raises
        ------
        InputError
            If the crops have one channel, or there are too few labels.
        """
        from napari_cellsci.project.ablation import AblationConfig, ablate

        if systems is not None:
            settings["systems"] = tuple(systems)
        config = AblationConfig(seed=seed, **settings)
        return ablate(self._bench, self._labels, classes, config, on_event, token)

    def shared_information(
        self,
        first: Any = None,
        second: Any = None,
        *,
        seed: int = 0,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> SharedInformation:
        """Estimate what two codes of the same cells tell of each other.

        Parameters
        ----------
        first, second : str, path, Bundle or Encoder, optional
            As in `find_encoder`; by default the newest encoders of the first and of the
            second channel alone.
        seed : int
        on_event, token

        Raises
        ------
        InputError
            If there are no such encoders, or too few groups of cells.
        """
        from napari_cellsci.project.shared_information import share

        return share(self._bench, first, second, seed, on_event, token)

    def predict_channel(
        self,
        source: int | str,
        target: int | str,
        *,
        name: str | None = None,
        seed: int = 0,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
        **settings: Any,
    ) -> ChannelPrediction:
        """Learn to predict a channel from another; what is left is told per cell.

        The residual becomes the column ``residual_<source>_<target>`` of `cells`.

        Parameters
        ----------
        source, target : int or str
            Channels of the movie: numbers from 0, or names.
        name : str, optional
            Of the model.
        seed : int
        on_event, token
        **settings
            Further fields of `ChannelConfig`, such as steps.

        Raises
        ------
        InputError
            If the crops have no such channels, or one only.
        """
        from napari_cellsci.project.channel_prediction import predict_channel
        from napari_cellsci.representation.channel_model import ChannelConfig

        config = ChannelConfig(seed=seed, **settings)
        return predict_channel(
            self._bench, self._labels, source, target, name, config, on_event, token
        )

    @property
    def groups(self) -> NDArray[np.int64]:
        """A number per cell that is the same for all cells of a track or group.

        Cells of one number are never both trained on and judged.
        """
        return self._bench.groups()

    @property
    def residual_columns(self) -> list[str]:
        """Columns of `cells` that tell what a predicted channel leaves unsaid."""
        names = map(str, self._bench.cells().columns)
        return [name for name in names if name.startswith("residual_")]

    @property
    def channel_models(self) -> list[str]:
        """Names of the models that predict a channel from another, oldest first."""
        from napari_cellsci.project.channel_prediction import channel_models

        return list(channel_models(self._bench))

    def channel_prediction(self, name: str | None = None) -> ChannelPrediction:
        """Return what a channel model found; the newest without a name.

        Raises
        ------
        InputError
            If there is none.
        """
        from napari_cellsci.project.channel_prediction import load_prediction

        return load_prediction(self._bench, name)

    def predicted_pictures(
        self, prediction: ChannelPrediction, rows: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what the channel of some cells should look like, and does (k, S, S).

        Both normalised as crops are; the residual is the second less the first.
        """
        from napari_cellsci.project.channel_prediction import predicted_pictures

        return predicted_pictures(self._bench, prediction, rows)
