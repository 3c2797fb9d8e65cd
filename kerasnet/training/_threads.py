"""The number of TensorFlow's threads in worker processes."""

import contextlib
import multiprocessing
import os

import tensorflow as tf


def obey_limit_of_workers():
    """Have TensorFlow use no more threads than a worker process was given; change nothing in any other process.

    joblib and Dask tell their workers by ``OMP_NUM_THREADS``, which TensorFlow ignores: each worker would use all
    cores. ``TF_NUM_INTRAOP_THREADS``, which TensorFlow obeys, comes first.
    """
    limit = os.environ.get("OMP_NUM_THREADS", "")
    if multiprocessing.parent_process() is None or not limit.isdecimal() or "TF_NUM_INTRAOP_THREADS" in os.environ:
        return
    with contextlib.suppress(RuntimeError):  # TensorFlow has begun to work: then it keeps its threads
        tf.config.threading.set_intra_op_parallelism_threads(int(limit))
        tf.config.threading.set_inter_op_parallelism_threads(int(limit))


def n_threads():
    """Return the number of threads that TensorFlow computes an operation with; results depend on it."""
    limit = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    set_here = tf.config.threading.get_intra_op_parallelism_threads()
    return set_here or (int(limit) if limit.isdecimal() else 0) or _n_cpus()


def _n_cpus():
    """Return the number of processors of this process; macOS and Windows know that of the machine alone."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
