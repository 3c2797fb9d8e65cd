"""Detect processes that were forked after TensorFlow had started."""

import os

from tensorflow.python.eager import context

_state = {"forked": False}


def check_not_forked():
    """Raise an error if this process was forked after TensorFlow had started.

    A forked process has none of TensorFlow's threads, so TensorFlow would wait forever.

    Raises
    ------
    RuntimeError
        If TensorFlow had started in a parent process before the fork.
    """
    if _state["forked"]:
        raise RuntimeError(
            "TensorFlow cannot run in a process that was forked after TensorFlow had started: it would wait forever. "
            "Start processes with joblib's default backend, loky, or with "
            'multiprocessing.get_context("spawn"), or fork before the first fit or prediction.'
        )


def _after_fork():
    started = context.context_safe()
    _state["forked"] = _state["forked"] or (started is not None and started._context_handle is not None)


if hasattr(os, "register_at_fork"):  # not available on Windows
    os.register_at_fork(after_in_child=_after_fork)
