"""Trains an encoder as one of several processes; run by `test_ranks`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.train import new_fabric, train_encoder

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    settings = json.loads((folder / "config.json").read_text())
    config = EncoderConfig.from_dict(settings)
    fabric = new_fabric(config, processes=2)
    fabric.launch()
    crops = np.load(folder / "crops.npy", mmap_mode="r")
    spec = CropSpec(size=32, fov_px=32)
    encoder = train_encoder(
        crops,
        spec,
        config,
        labels=np.load(folder / "labels.npy"),
        run_dir=folder / "run",
        fabric=fabric,
    )
    if fabric.is_global_zero:
        encoder.save(folder / "encoder")
