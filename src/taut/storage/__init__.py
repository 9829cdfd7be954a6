"""Values of known classes in a file of open formats, from which nothing is executed."""

from taut.storage.archive import Archive as Archive
from taut.storage.archive import read_archive as read_archive
from taut.storage.archive import write_archive as write_archive
from taut.storage.codec import Codec as Codec
from taut.storage.codec import stored_fields as stored_fields
from taut.storage.private_folder import obstacle as obstacle

__all__ = ["Archive", "Codec", "obstacle", "read_archive", "stored_fields", "write_archive"]
