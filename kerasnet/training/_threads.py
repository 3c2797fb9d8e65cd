"""The number of TensorFlow's threads in worker processes."""

import contextlib
import multiprocessing
import os

import tensorflow as tf


def limit_worker_threads():
    """Limit TensorFlow's threads in worker processes of joblib and Dask; do nothing in other processes.

    joblib and Dask limit the threads of workers by ``OMP_NUM_THREADS``. TensorFlow ignores this variable, so each
    worker would use all cores. ``TF_NUM_INTRAOP_THREADS``, which TensorFlow respects, takes precedence.
    """
    limit = os.environ.get("OMP_NUM_THREADS", "")
    if multiprocessing.parent_process() is None or not limit.isdecimal() or "TF_NUM_INTRAOP_THREADS" in os.environ:
        return
    with contextlib.suppress(RuntimeError):  # TensorFlow has already started, and keeps its threads
        tf.config.threading.set_intra_op_parallelism_threads(int(limit))
        tf.config.threading.set_inter_op_parallelism_threads(int(limit))


def n_threads():
    """Return the number of threads that TensorFlow uses per operation, which results depend on."""
    limit = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    configured = tf.config.threading.get_intra_op_parallelism_threads()
    return configured or (int(limit) if limit.isdecimal() else 0) or _n_cpus()


def _n_cpus():
    """Return the number of processors of this process; on macOS and Windows, that of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
