"""Several processes take the steps that one would take with the whole batch."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.train import train_encoder

SCRIPT = Path(__file__).with_name("two_ranks.py")


def train_in_two(folder: Path) -> Encoder:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "NODE_RANK": "0",
        "OMP_NUM_THREADS": "1",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder)],
            env={**shared, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    for process in processes:
        errors = process.communicate(timeout=300)[1]
        assert process.returncode == 0, errors
    return Encoder.load(folder / "encoder")


@pytest.mark.skipif(
    not torch.distributed.is_available(), reason="torch was built for one process"
)
@pytest.mark.skipif(sys.platform == "win32", reason="gloo is tried on POSIX only")
def test_two_ranks_equal_one_with_the_joined_batch(
    crops: NDArray[np.uint16], spec: CropSpec, small: dict[str, Any], tmp_path: Path
) -> None:
    asked = {"beta": 8.0, "estimator": "mss", "symmetry": 1.0, "label_weight": 20.0}
    asked |= {"surround": 1.0, "coarse": 1.0}
    config = EncoderConfig(**{**small, "steps": 5, **asked})
    labels = np.random.default_rng(0).integers(-1, 2, len(crops))
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "crops.npy", crops)
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    two = train_in_two(tmp_path)
    one = train_encoder(crops, spec, config, labels=labels)
    assert two.record["processes"] == 2
    theirs = two.network.state_dict()
    for name, tensor in one.network.state_dict().items():
        torch.testing.assert_close(tensor, theirs[name], rtol=0, atol=1e-5)
    for name in ("loss", "recon", "mse", "tc", "kl"):
        metrics = one.record["metrics"][name], two.record["metrics"][name]
        assert metrics[0] == pytest.approx(metrics[1], rel=1e-5, abs=1e-5)
