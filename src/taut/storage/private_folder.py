"""Folders whose content is executed, and that therefore belong to one user."""

import os
import stat
from pathlib import Path


def obstacle(folder: Path) -> str | None:
    """Make a folder for its user alone; return why it can not be used, `None` where it can."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
    except OSError as error:
        return str(error)
    if os.name == "posix" and mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others can write to it, and what it holds is executed (chmod 700 makes it yours)"
    return None if os.access(folder, os.W_OK | os.X_OK) else "it can not be written to"
