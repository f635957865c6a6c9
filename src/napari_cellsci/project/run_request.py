"""What a run is asked to do: kept with it, to be repeated, changed and copied."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellsci.errors import InputError
from napari_cellsci.project.plain import plain

if TYPE_CHECKING:
    from napari_cellsci.project.facade import Project
    from napari_cellsci.tasks import CancelToken, OnEvent

KINDS = {"train_encoder": "encoder", "train_head": "heads", "search": "search"}
"""Kind of run by the verb of `Project` that begins it."""
_COMMANDS = {
    "train_encoder": "train-encoder",
    "train_head": "train-head",
    "search": "search",
}
_OPTIONS = {
    "train_encoder": {
        "preset": "--preset",
        "steps": "--steps",
        "beta": "--beta",
        "seed": "--seed",
        "start_from": "--from",
        "resume": "--resume",
        "name": "--name",
        "device": "--device",
        "kind": "--kind",
        "of_class": "--class",
    },
    "train_head": {
        "scheme": "--scheme",
        "models": "--models",
        "mode": "--mode",
        "from_search": "--from-search",
        "name": "--name",
        "encoder": "--encoder",
        "classes": "--classes",
        "seed": "--seed",
    },
    "search": {
        "trials": "--trials",
        "runs": "--runs",
        "steps": "--steps",
        "storage": "--storage",
        "encoder": "--encoder",
        "seed": "--seed",
    },
}
"""Options of the command for arguments of the verb; others go by ``--set``."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A verb of `Project` with its arguments.

    Parameters
    ----------
    verb : {"train_encoder", "train_head", "search"}
    arguments : dict
        JSON values; those left out take their default.
    threads : int, optional
        Cores that torch works on, where the run has a process of its own.
    """

    verb: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.verb not in KINDS:
            raise InputError(
                f"There is no run called {self.verb!r}: choose one of "
                f"{', '.join(KINDS)}."
            )

    @classmethod
    def of(cls, verb: str, arguments: Mapping[str, Any]) -> RunRequest:
        """Return the request of a call in this process, as far as JSON can hold it.

        Encoders and bundles given as objects are left out.
        """
        import torch

        kept = {
            name: str(value) if isinstance(value, Path) else value
            for name, value in arguments.items()
            if value is not None
            and isinstance(value, str | int | float | tuple | list | dict | Path)
        }
        return cls(verb, plain(kept), torch.get_num_threads())

    @property
    def kind(self) -> str:
        """Kind of run."""
        return KINDS[self.verb]

    @property
    def usual_threads(self) -> int | None:
        """Cores that torch is to work on; None for as many as are usual.

        Heads on latents are small: more threads would only wait for each other.
        """
        small = self.verb == "train_head" and self.arguments.get("scheme", 2) != 1
        return 1 if small and self.threads is None else self.threads

    def changed(self, **changes: Any) -> RunRequest:
        """Return the same request but for some arguments; None takes one away."""
        merged = {**self.arguments, **changes}
        kept = {name: value for name, value in merged.items() if value is not None}
        return replace(self, arguments=kept)

    def again(self, **changes: Any) -> RunRequest:
        """Return the request of a new run: not resumed, and under another name."""
        return self.changed(**{"resume": None, "name": None, **changes})

    def carry_out(
        self, project: Project, on_event: OnEvent, token: CancelToken | None
    ) -> Any:
        """Call the verb of a project; return what it returns."""
        given = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.arguments.items()
        }
        return getattr(project, self.verb)(**given, on_event=on_event, token=token)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; `from_dict` reads them back."""
        return {
            "verb": self.verb,
            "arguments": plain(self.arguments),
            "threads": self.threads,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunRequest:
        """Read what `to_dict` gave."""
        return cls(values["verb"], dict(values["arguments"]), values.get("threads"))

    def python(self, folder: Path) -> str:
        """Return the lines of Python that do the same."""
        arguments = ", ".join(f"{k}={v!r}" for k, v in self._shown().items())
        lines = ["from napari_cellsci import Project", ""]
        if self.threads is not None:
            lines = [
                "import torch",
                *lines,
                f"torch.set_num_threads({self.threads})",
            ]
        lines += [
            f"with Project.open({str(folder)!r}) as project:",
            f"    project.{self.verb}({arguments})",
        ]
        return "\n".join(lines) + "\n"

    def command(self, folder: Path) -> str:
        """Return the command that does the same."""
        parts = ["cellsci", _COMMANDS[self.verb], shlex.quote(str(folder))]
        options = _OPTIONS[self.verb]
        for name, value in self._shown().items():
            if name == "usable_only":
                parts += ["--usable-only" if value else "--all-cells"]
            elif name in options:
                parts += [
                    options[name],
                    shlex.quote("last" if value is True else _written(value)),
                ]
            elif name == "pareto":
                parts += ["--pareto"] if value else []
            else:
                parts += ["--set", shlex.quote(f"{name}={_written(value)}")]
        if self.threads is not None:
            parts += ["--threads", str(self.threads)]
        return " ".join(parts)

    def _shown(self) -> dict[str, Any]:
        """Return the arguments; a run that goes on has its settings from its start."""
        if self.arguments.get("resume"):
            return {"resume": self.arguments["resume"]}
        return {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.arguments.items()
            if not (name == "from_search" and value is False)
        }


def _written(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ",".join(_written(item) for item in value)
    return str(value)
