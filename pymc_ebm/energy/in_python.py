"""`run_in_python`: how numba runs an Op whose work is done in Python."""

import functools
import warnings

__all__ = ["run_in_python"]


@functools.cache
def run_in_python(op_type: type) -> None:
    """Have functions that numba compiles call an Op in Python, and say nothing of it.

    PyTensor warns of every such Op. It does so of Ops that could be compiled, and a user could do
    nothing about one whose work is a program of its own: draws, another process, JAX.

    Parameters
    ----------
    op_type : type
        Of the Op.
    """
    from pytensor.link.numba.dispatch.basic import generate_fallback_impl, numba_funcify

    @numba_funcify.register(op_type)
    def funcify(op, node, **kwargs):
        # Numba reads what it calls from its pickle each time: the node without what it is made of.
        alone = node.clone_with_new_inputs([v.type() for v in node.inputs])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Numba will use object mode", UserWarning)
            return generate_fallback_impl(op, alone, **kwargs)
