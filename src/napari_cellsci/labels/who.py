"""Who is at the keyboard."""

from __future__ import annotations

import getpass


def login_name() -> str:
    """Return who is at the keyboard, as far as the system knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
