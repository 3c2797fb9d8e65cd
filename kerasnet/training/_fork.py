"""Processes that were forked from one in which TensorFlow had already computed."""

import os

from tensorflow.python.eager import context

_state = {"forked": False}


def refuse_forked_process():
    """Raise an error in a process that was forked from one in which TensorFlow had computed: it would wait forever.

    Raises
    ------
    RuntimeError
        If the process is such a one. A fork has none of the threads that TensorFlow hands its work to.
    """
    if _state["forked"]:
        raise RuntimeError(
            "This process was forked from one in which TensorFlow had already computed, and TensorFlow would wait "
            "forever here. Start processes by joblib's default backend, loky, or by "
            'multiprocessing.get_context("spawn"); or fork before the first fit or prediction.'
        )


def _after_fork():
    started = context.context_safe()
    _state["forked"] = _state["forked"] or (started is not None and started._context_handle is not None)


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
