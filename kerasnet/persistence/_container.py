"""The zip archive: its members, their sizes and hashes, and the limits for reading it."""

import functools
import hashlib
import importlib.metadata
import json
import stat
import zipfile
from typing import NamedTuple

from kerasnet._files import atomic_file, log, read_bytes
from kerasnet._formats import check_sha256, open_zip, parse_json
from kerasnet.errors import CorruptFileError, DataFormatError, UnsafeFileError

FORMAT = 1
MANIFEST, STATE, WEIGHTS = "manifest.json", "state.json", "weights.npz"
OPTIMIZER, STEPS, TREES = "optimizer.npz", "steps.skops", "trees.npz"
_MEMBERS = {STATE, WEIGHTS, OPTIMIZER, STEPS, TREES}
_PACKAGES = ("kerasnet", "tensorflow", "keras", "scikit-learn", "skops", "numpy")


class Limits(NamedTuple):
    """The limits for reading a file; see the parameters of :func:`kerasnet.load`."""

    max_bytes: int = 2**30
    max_parameters: int = 2**28
    max_json_bytes: int = 2**22
    max_json_depth: int = 100
    max_members: int = 20_000


def write_archive(path, about, members, n_json_bytes=0):
    """Write an archive.

    Parameters
    ----------
    path : str or path-like
        The file. Its folder must exist.
    about : dict
        The entries of the manifest other than format, versions and members, as JSON values.
    members : dict of str to bytes
        The contents by name.
    n_json_bytes : int, default=0
        The size of the JSON inside a member.

    Returns
    -------
    needed : str
        The arguments with which :func:`kerasnet.load` can read the file, if it exceeds the default limits.
    """
    manifest = {
        "format": FORMAT,
        "versions": _versions(),
        **about,
        "members": {
            name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in members.items()
        },
    }
    contents = {MANIFEST: json.dumps(manifest, indent=1).encode(), **members}
    with atomic_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # without a timestamp: equal networks give equal files
            log.debug("%s: wrote the member %s", path, name)
    sizes = {name: len(content) for name, content in contents.items()}
    needed = {
        "max_bytes": sum(sizes.values()) + 1000 * len(sizes),
        "max_json_bytes": max(n_json_bytes, sizes[MANIFEST], sizes[STATE]),
    }
    return ", ".join(f"{name}={n}" for name, n in needed.items() if n > getattr(Limits(), name))


@functools.cache
def _versions():
    return {name: importlib.metadata.version(name) for name in _PACKAGES}


def read_archive(path, limits):
    """Read an archive, and check that it is complete and in the format that :func:`write_archive` writes.

    Parameters
    ----------
    path : str or path-like
        The file.
    limits : Limits
        The limits for reading it.

    Returns
    -------
    manifest : dict
        The manifest.
    members : dict of str to bytes
        The contents by name.

    Raises
    ------
    OSError, DataFormatError, UnsafeFileError, CorruptFileError
        As in :func:`kerasnet.load`.
    """
    content = read_bytes(path, max_bytes=limits.max_bytes)
    with open_zip(content, path, max_members=limits.max_members, kind="a .kerasnet archive", stored=True) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        if MANIFEST not in infos:
            raise DataFormatError(
                f"{path}: expected a .kerasnet archive with the member {MANIFEST}, found a zip archive with members "
                f"{sorted(infos)[:5]}. To load a .keras file, use keras.models.load_model."
            )
        for name, info in infos.items():
            _check_member(path, name, info, limits)
        manifest = parse_json(archive.read(MANIFEST), f"{path}: {MANIFEST}", max_depth=limits.max_json_depth)
        described = _check_manifest(path, manifest)
        if described.keys() != infos.keys() - {MANIFEST}:
            raise CorruptFileError(f"{path}: expected the members {sorted(described)}, found {sorted(infos)}.")
        members = {}
        for name, expected in described.items():
            if expected["size"] != infos[name].file_size:
                raise CorruptFileError(
                    f"{path}: {name}: expected {expected['size']} bytes, found {infos[name].file_size}."
                )
            members[name] = archive.read(name)
            check_sha256(members[name], expected["sha256"], f"{path}: {name}")
    return manifest, members


def _check_member(path, name, info, limits):
    """Raise an error if :func:`write_archive` does not write such a member."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if name not in {MANIFEST, *_MEMBERS}:
        found = f"the member {name!r}"
    elif kind not in (0, stat.S_IFREG):
        found = f"{name}, which is not a regular file"
    elif name.endswith(".json") and info.file_size > limits.max_json_bytes:
        found = f"{name} of {info.file_size} bytes, more than max_json_bytes={limits.max_json_bytes}"
    else:
        return
    raise UnsafeFileError(f"{path}: expected the members that kn.save writes, found {found}.")


def _check_manifest(path, manifest):
    """Validate a manifest, and return its description of the members."""
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if type(version) is not int or version < 1:
        raise CorruptFileError(f"{path}: {MANIFEST}: expected a format of at least 1, found {version!r}.")
    if not isinstance(manifest.get("versions"), dict) or not isinstance(manifest.get("class"), str):
        raise CorruptFileError(f"{path}: {MANIFEST}: expected versions and a class, found {sorted(manifest)}.")
    if version > FORMAT:
        raise DataFormatError(
            f"{path}: expected a format of at most {FORMAT}, found format {version}. The file was written by kerasnet "
            f"{manifest['versions'].get('kerasnet')}: update kerasnet."
        )
    described = manifest.get("members")
    if not isinstance(described, dict) or not all(
        isinstance(each, dict) and type(each.get("size")) is int and isinstance(each.get("sha256"), str)
        for each in described.values()
    ):
        raise CorruptFileError(f"{path}: {MANIFEST}: expected the size and sha256 of each member, found {described!r}.")
    return described
