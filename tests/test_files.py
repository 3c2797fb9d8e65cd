"""Tests of atomic writing, and of reading within size limits."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import textwrap
import time
import zipfile

import numpy as np
import pytest

from kerasnet._files import atomic_file, atomic_folder, read_json, read_npz
from kerasnet.errors import CorruptFileError, UnsafeFileError


def test_file_is_written_atomically_with_default_permissions(tmp_path):
    with atomic_file(tmp_path / "new.bin") as file:
        file.write(b"some bytes")
        assert not (tmp_path / "new.bin").exists()
    assert (tmp_path / "new.bin").read_bytes() == b"some bytes"
    (tmp_path / "touched").touch()
    assert (tmp_path / "new.bin").stat().st_mode == (tmp_path / "touched").stat().st_mode
    assert sorted(os.listdir(tmp_path)) == ["new.bin", "touched"]


def test_failed_write_leaves_only_the_old_file(tmp_path):
    (tmp_path / "kept").write_bytes(b"old")
    with pytest.raises(RuntimeError, match="in the middle"), atomic_file(tmp_path / "kept") as file:
        file.write(b"new")
        raise RuntimeError("in the middle")
    assert (tmp_path / "kept").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["kept"]


def test_symbolic_link_is_followed_and_kept(tmp_path):
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    with atomic_file(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


WRITER = textwrap.dedent("""
    import sys, time
    from kerasnet._files import atomic_{kind}
    with atomic_{kind}(sys.argv[1]) as target:
        {write}
        print("writing", flush=True)
        time.sleep(60)
""")
WRITE = {
    "file": "target.write(b'new'); target.flush()",
    "folder": "(target / 'part').write_text('new')",
}


@contextlib.contextmanager
def writing(kind, path):
    """Run a process that is blocked in the middle of a write."""
    code = WRITER.format(kind=kind, write=WRITE[kind])
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "writing\n"
        yield process
        process.kill()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_killed_write_keeps_the_old_content_and_the_next_write_removes_its_temporary_file(tmp_path, kind):
    with atomic_file(tmp_path / "old") as file:
        file.write(b"old")
    with writing(kind, tmp_path / ("old" if kind == "file" else "new")) as writer:
        writer.send_signal(signal.SIGKILL)
    assert (tmp_path / "old").read_bytes() == b"old"
    assert len(os.listdir(tmp_path)) == 2, "the temporary file of the killed process"
    with atomic_file(tmp_path / "next") as file:
        file.write(b"next")
    assert sorted(os.listdir(tmp_path)) == ["next", "old"]


def test_temporary_file_of_a_running_process_is_not_removed(tmp_path):
    with writing("file", tmp_path / "slow"):
        with atomic_file(tmp_path / "quick") as file:
            file.write(b"quick")
        assert len(os.listdir(tmp_path)) == 2


def test_unrelated_temporary_files_are_not_removed(tmp_path):
    (tmp_path / ".notes.tmp").write_text("unrelated")
    with atomic_file(tmp_path / "x"):
        pass
    assert sorted(os.listdir(tmp_path)) == [".notes.tmp", "x"]


def test_folder_is_created_atomically(tmp_path):
    with atomic_folder(tmp_path / "parent" / "run") as folder:
        (folder / "a.txt").write_text("a")
        assert not (tmp_path / "parent" / "run").exists()
    assert (tmp_path / "parent" / "run" / "a.txt").read_text() == "a"
    assert os.listdir(tmp_path / "parent") == ["run"]


def test_failed_folder_is_not_created(tmp_path):
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "run") as folder:
        (folder / "a.txt").write_text("a")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_folder_replaces_only_an_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    with atomic_folder(tmp_path / "empty") as folder:
        (folder / "a.txt").write_text("a")
    with pytest.raises(FileExistsError, match="not an empty folder. Choose another"), atomic_folder(tmp_path / "empty"):
        pytest.fail("the block must not be entered")
    assert (tmp_path / "empty" / "a.txt").read_text() == "a"


def test_errors_name_the_given_path():
    for write in (atomic_file, atomic_folder):
        with pytest.raises(OSError, match=r"'/proc/run'$"), write("/proc/run"):  # also root cannot write there
            pass


def test_errors_of_the_caller_keep_their_message(tmp_path):
    for write in (atomic_file, atomic_folder):
        with pytest.raises(OSError, match="^missing$"), write(tmp_path / "run"):
            raise OSError("missing")


def test_write_without_enough_disk_space_leaves_the_old_file(tmp_path):
    (tmp_path / "kept").write_bytes(b"old")
    code = textwrap.dedent(f"""
        import resource, signal
        from kerasnet._files import atomic_file
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            with atomic_file({str(tmp_path / "kept")!r}) as file:
                file.write(bytes(100_000))
        except OSError as error:
            print(type(error).__name__)
    """)
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "OSError\n"
    assert (tmp_path / "kept").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["kept"]


def test_concurrent_writes_leave_the_complete_content_of_one_process(tmp_path):
    code = textwrap.dedent(f"""
        import sys
        from kerasnet._files import atomic_file
        for _ in range(100):
            with atomic_file({str(tmp_path / "shared")!r}) as file:
                file.write(sys.argv[1].encode() * 10_000)
    """)
    writers = [subprocess.Popen([sys.executable, "-c", code, letter]) for letter in "ab"]
    deadline = time.monotonic() + 60
    while any(writer.poll() is None for writer in writers) and time.monotonic() < deadline:
        if (tmp_path / "shared").exists():
            content = (tmp_path / "shared").read_bytes()
            assert content in (b"a" * 10_000, b"b" * 10_000)
    assert [writer.wait() for writer in writers] == [0, 0]
    assert os.listdir(tmp_path) == ["shared"]


def test_json_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [1, 2.5, null]}')
    assert read_json(tmp_path / "a.json") == {"a": [1, 2.5, None]}


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"{", CorruptFileError, "expected JSON in UTF-8"),
        (b'"\xff"', CorruptFileError, "expected JSON in UTF-8"),
        (b"[" * 100_000, UnsafeFileError, "nested at most 100 deep"),
        (b"[" * 101 + b"0" + b"]" * 101, UnsafeFileError, "nested at most 100 deep"),
        (b" " * 1_000_001, UnsafeFileError, "larger than 1000000 bytes"),
    ],
    ids=["truncated", "encoding", "unclosed", "deep", "large"],
)
def test_invalid_json_raises(tmp_path, content, error, message):
    (tmp_path / "bad.json").write_bytes(content)
    with pytest.raises(error, match=message):
        read_json(tmp_path / "bad.json")


ARRAYS = {
    "c": np.arange(12, dtype=np.float32).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(12, dtype=">i2").reshape(3, 4)),
    "empty": np.zeros((0, 3), dtype=np.uint8),
    "scalar": np.float64(2.5),
    "text": np.array(["a", "bc"]),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_round_trip(tmp_path, save):
    save(tmp_path / "a.npz", **ARRAYS)
    read = read_npz(tmp_path / "a.npz", max_bytes=10_000)
    assert list(read) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(read[name], array, strict=True)
        assert read[name].flags.writeable
    assert list(read_npz(tmp_path / "a.npz", names=["text"], max_bytes=10_000)) == ["text"]


def npz_of(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(f"{name}.npy", member)
    return content.getvalue()


def npy_of(array, **options):
    content = io.BytesIO()
    np.lib.format.write_array(content, array, **options)
    return content.getvalue()


def with_header(shape, n_bytes):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return content.getvalue() + bytes(n_bytes)


def npz_with_duplicate():
    content = io.BytesIO()
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.npy", npy_of(np.zeros(1)))
        archive.writestr("a.npy", npy_of(np.ones(1)))
    return content.getvalue()


GOOD = npz_of(a=npy_of(np.arange(1000.0)))
BAD_NPZ = {
    "not a zip": (lambda: b"nonsense", CorruptFileError, "expected an npz file"),
    "empty": (lambda: b"", CorruptFileError, "expected an npz file"),
    "truncated": (lambda: GOOD[:-200], CorruptFileError, "expected an npz file"),
    "flipped bytes": (lambda: GOOD[:300] + b"\xff\xff\xff" + GOOD[303:], CorruptFileError, "expected an array in npy"),
    "not an npy": (lambda: npz_of(a=b"nonsense"), CorruptFileError, "a: expected an array in npy format"),
    "too short": (lambda: npz_of(a=with_header((4,), 31)), CorruptFileError, "takes 32 bytes, found 31"),
    "too long": (lambda: npz_of(a=with_header((4,), 33)), CorruptFileError, "takes 32 bytes, found 33"),
    "huge shape": (lambda: npz_of(a=with_header((10**12,), 8)), CorruptFileError, "takes 8000000000000 bytes"),
    "zip bomb": (lambda: npz_of(a=npy_of(np.zeros(10**6))), UnsafeFileError, "more than 100000"),
    "large file": (lambda: bytes(100_001), UnsafeFileError, "larger than 100000"),
    "pickle": (
        lambda: npz_of(a=npy_of(np.array([{}], dtype=object), allow_pickle=True)),
        UnsafeFileError,
        "Python objects",
    ),
    "duplicate name": (npz_with_duplicate, UnsafeFileError, "expected unique member names"),
    "trailing data": (lambda: GOOD + b"PK", CorruptFileError, "found something else at its end"),
    "missing array": (lambda: npz_of(b=npy_of(np.zeros(1))), CorruptFileError, r"expected arrays \['a'\]"),
    "unsupported version": (
        lambda: npz_of(a=b"\x93NUMPY\x03\x00" + bytes(100)),
        CorruptFileError,
        "format 1.0 or 2.0",
    ),
}


@pytest.mark.parametrize("make", BAD_NPZ, ids=str)
def test_invalid_npz_raises(tmp_path, make):
    content, error, message = BAD_NPZ[make]
    path = tmp_path / "bad.npz"
    path.write_bytes(content())
    with pytest.raises(error, match=message) as caught:
        read_npz(path, names=["a"], max_bytes=100_000)
    assert str(path) in str(caught.value)


def test_wrong_hash_raises(tmp_path):
    (tmp_path / "a.npz").write_bytes(GOOD)
    with pytest.raises(CorruptFileError, match="expected sha256 0123, found [0-9a-f]{64}"):
        read_npz(tmp_path / "a.npz", max_bytes=100_000, sha256="0123")


def test_missing_file_raises_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_json(tmp_path / "nowhere.json")
