"""Parquet files: which there are, what is in them, and whether they are still the same."""

import difflib
import glob
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taut.errors import ArgumentError, RowsError
from taut.rows.base import load, quoted

# After what a file says of its content come the length of that, and the format's mark.
_MARK_BYTES = 8
# Pieces of the values by which a file is known again, and their length.
_PIECES, _PIECE_BYTES = 16, 2**14

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

# What to turn a type into that is no number, by the beginning of its name.
_CASTS = {
    "timestamp": "a float, such as seconds since a day of your choice",
    "date": "a float, such as days since a day of your choice",
    "time": "a float, such as seconds since midnight",
    "duration": "a float, such as seconds",
    "decimal": "a float64",
    "dictionary": "integer codes, or the numbers they stand for",
    "string": "integer codes, or numbers",
    "large_string": "integer codes, or numbers",
    "list": "one column for each element",
    "fixed_size_list": "one column for each element",
}


@dataclass(frozen=True)
class ParquetFile:
    """What was found in a file.

    Parameters
    ----------
    path
        Of the file.
    groups
        Rows of each row group.
    types
        For each column that is needed the type Arrow reads it as.
    digest
        Of the end of the file, where writers put places, sizes and bounds of all values, and of
        some places among the values.
    """

    path: Path
    groups: tuple[int, ...]
    types: dict[str, Any]
    digest: str


def find_files(paths: Paths) -> list[Path]:
    """Find the files of a path, a folder, a pattern, or several of these; each of them once.

    Raises
    ------
    ArgumentError
        No path is given.
    RowsError
        One of them leads to no file.
    """
    kinds = str | os.PathLike
    each: Any = [paths] if isinstance(paths, kinds) else paths
    each = list(each) if isinstance(each, Iterable) and not isinstance(each, bytes) else []
    if not each or not all(isinstance(path, kinds) for path in each):
        raise ArgumentError(
            "paths must be a Parquet file, a folder, a pattern or a list of these, such as "
            f'"trips/*.parquet", got {paths!r} ({type(paths).__name__}).'
        )
    return list(dict.fromkeys(file for path in each for file in _find(path)))


def _find(path: str | os.PathLike[str]) -> Iterable[Path]:
    found = Path(path).expanduser().absolute()
    if found.is_file():
        return [found]
    if found.is_dir():
        files = sorted(file for file in found.rglob("*.parquet") if not _is_hidden(file, found))
        if not files:
            raise RowsError(f"There is no *.parquet file in the folder {os.fspath(path)!r}.")
        return files
    if not glob.has_magic(str(found)):
        raise RowsError(f"There is no file or folder {os.fspath(path)!r}, in {os.getcwd()}.")
    files = [Path(name) for name in sorted(glob.glob(str(found), recursive=True))]
    files = [file for file in files if file.is_file()]
    if not files:
        raise RowsError(f"No file matches {os.fspath(path)!r}, in {os.getcwd()}.")
    return files


def _is_hidden(file: Path, folder: Path) -> bool:
    """Return whether writers set a file apart, as one that is not complete."""
    return any(part.startswith(("_", ".")) for part in file.relative_to(folder).parts)


def inspect(path: Path, names: Iterable[str]) -> ParquetFile:
    """Look up rows and types of a file, of which only the end is read.

    Raises
    ------
    RowsError
        It is no Parquet file, or has not these columns, or they are no numbers; or it was
        deleted meanwhile.
    """
    with open_file(path) as file:
        schema, metadata = file.schema_arrow, file.metadata
        types = {name: _number_type(path, schema, name) for name in names}
        groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        try:
            digest = _digest(path, metadata.serialized_size + _MARK_BYTES)
        except OSError as error:
            raise RowsError(f"{str(path)!r} can not be read any more: {error.strerror}") from error
    return ParquetFile(path, tuple(groups), types, digest)


def _digest(path: Path, end: int) -> str:
    """Return a digest of the last bytes of a file, and of evenly spaced pieces of the others.

    A small file is read whole.
    """
    with open(path, "rb", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        found = hashlib.blake2b(str(size).encode(), digest_size=16)
        file.seek(max(0, size - end))
        found.update(file.read(end))
        data = max(0, size - end)
        step = max(_PIECE_BYTES, data // _PIECES)
        for place in range(0, data, step):
            file.seek(place)
            found.update(file.read(min(_PIECE_BYTES, data - place)))
        # And the last values.
        file.seek(max(0, data - _PIECE_BYTES))
        found.update(file.read(min(_PIECE_BYTES, data)))
    return found.hexdigest()


def open_file(path: Path) -> Any:
    """Open a file so that little of it is in memory.

    Raises
    ------
    RowsError
        It is no Parquet file.
    """
    pyarrow, parquet = load("pyarrow", "ParquetRows"), load("pyarrow.parquet", "ParquetRows")
    try:
        # No memory map: a file that another program cuts short would kill this process.
        return parquet.ParquetFile(path, pre_buffer=False, buffer_size=2**18)
    except (OSError, pyarrow.ArrowException) as error:
        raise RowsError(f"{str(path)!r} can not be read as a Parquet file: {error}") from error


def check_alike(files: Sequence[ParquetFile]) -> None:
    """Make sure that each column has one type in all files.

    Raises
    ------
    RowsError
        It has not.
    """
    for file in files:
        for name, kind in file.types.items():
            if kind != files[0].types[name]:
                raise RowsError(
                    f"Column {name!r} has the type {files[0].types[name]} in "
                    f"{str(files[0].path)!r} and {kind} in {str(file.path)!r}. Write all files "
                    "with the same types."
                )


def _number_type(path: Path, schema: Any, name: str) -> Any:
    found = schema.get_all_field_indices(name)
    if len(found) != 1:
        near = difflib.get_close_matches(name, schema.names, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near and not found else ""
        raise RowsError(
            f"There {f'are {len(found)} columns' if found else 'is no column'} {name!r} in "
            f"{str(path)!r}{hint}; it has {quoted(schema.names)}."
        )
    kind = schema.field(found[0]).type
    types = load("pyarrow", "ParquetRows").types
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
        to = next((to for start, to in _CASTS.items() if str(kind).startswith(start)), "numbers")
        raise RowsError(
            f"Column {name!r} of {str(path)!r} has the type {kind}; rows are integers, floats or "
            f"booleans. Turn it into {to}, and write the file again."
        )
    return kind
