"""Folders whose content is executed, and that therefore belong to one user."""

import os
import stat
from pathlib import Path


def obstacle(folder: Path) -> str | None:
    """Make a folder for its user alone; return why it can not be used, `None` where it can."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        return str(error)
    if os.name == "posix":
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return (
                "others can write to it, and what it holds is executed (chmod 700 makes it yours)"
            )
        # The owner can write to it in any case.
        if status.st_uid not in (os.geteuid(), 0):
            return f"it belongs to another user ({status.st_uid}), and what it holds is executed"
    return None if os.access(folder, os.W_OK | os.X_OK) else "it can not be written to"
