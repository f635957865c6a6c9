"""What `Project` does with sets of images of single cells."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellsci.project import image_sets
from napari_cellsci.project.image_reading import ImageOptions, read_images
from napari_cellsci.tasks import CancelToken, Done, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.labels import Labels
    from napari_cellsci.project.bench import Bench


class ImagesFace:
    """Images of single cells, which need neither a movie nor tracks."""

    _bench: Bench
    _labels: Labels

    def add_images(
        self,
        images: Any,
        *,
        labels: str | os.PathLike[str] | None = None,
        group_by: str | None = None,
        axes: str | None = None,
        tile: tuple[int, ...] | None = None,
        pixel_size: float | None = None,
        name: str | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> str:
        """Add images of single cells and crop them as the project's cells are.

        The parameters are those of `create`.

        Returns
        -------
        str
            The name of the set, unique in the project.

        Raises
        ------
        InputError
            If anything given cannot be used; the project stays as it was.
        """
        bench = self._bench
        csv = None if labels is None else Path(labels)
        options = ImageOptions(axes, tile, name, pixel_size, csv, group_by)
        new = read_images(images, options, bench.spec, on_event=on_event, token=token)
        image_sets.tell_known(bench, new, on_event)
        called = image_sets.add_images(
            bench.store, bench.folder, bench.folder, new, on_event=on_event, token=token
        )
        bench.forget()
        image_sets.take_labels(self._labels, new, bench.info(called).first_cell)
        on_event(Done("Adding the images"))
        return called
