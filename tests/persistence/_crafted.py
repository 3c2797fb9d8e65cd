"""Archives taken apart, changed, and put together again with sums that agree."""

import hashlib
import io
import json
import zipfile

import numpy as np


class Crafted:
    """The members of an archive, to be changed and written.

    Attributes
    ----------
    manifest, state : dict and list
        Two of them, parsed.
    members : dict of str to bytes
        The others.
    """

    def __init__(self, path):
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        self.manifest, self.state = json.loads(members.pop("manifest.json")), json.loads(members.pop("state.json"))
        self.members = members

    @property
    def arrays(self):
        return dict(np.load(io.BytesIO(self.members["weights.npz"])))

    @arrays.setter
    def arrays(self, arrays):
        self.members["weights.npz"] = npz_of(arrays)

    @property
    def network(self):
        return self.manifest["networks"][0]

    @property
    def schema(self):
        return json.loads(self.files_of_steps()["schema.json"])

    @schema.setter
    def schema(self, schema):
        self.members["steps.skops"] = zip_of({**self.files_of_steps(), "schema.json": json.dumps(schema).encode()})

    def files_of_steps(self):
        with zipfile.ZipFile(io.BytesIO(self.members["steps.skops"])) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def node(self, name, schema=None):
        """The first node of a class in the schema, in which it may be changed."""
        waiting = [self.schema if schema is None else schema]
        while waiting:
            node = waiting.pop(0)
            if isinstance(node, dict):
                if node.get("__class__") == name and "__loader__" in node:
                    return node
                waiting += node.values()
            elif isinstance(node, list):
                waiting += node
        raise LookupError(name)

    def write(self, path, *, with_sums=True):
        """Write the archive; its sizes and hashes agree, unless the manifest's own are kept."""
        contents = {"state.json": json.dumps(self.state).encode(), **self.members}
        manifest = dict(self.manifest)
        if with_sums:
            manifest["members"] = {
                name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                for name, content in contents.items()
            }
        path.write_bytes(zip_of({"manifest.json": json.dumps(manifest).encode(), **contents}))


def zip_of(contents, compression=zipfile.ZIP_STORED):
    """The bytes of a zip archive."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return written.getvalue()


def npz_of(arrays, save=np.savez):
    """The bytes of an npz file."""
    written = io.BytesIO()
    save(written, **arrays)
    return written.getvalue()
