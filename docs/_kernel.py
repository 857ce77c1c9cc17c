"""What a kernel of the docs' build runs first. It saves time, and changes nothing of a notebook."""


def _save_time():
    import gc

    import numba.np.arrayobj
    import pytensor
    from numba.extending import overload

    def of_another_shape(source, place):
        """Stands for what numba raises where an array is assigned to a place of another shape."""

    @overload(of_another_shape)
    def raised(source, place):
        def without_shapes(source, place):
            raise ValueError("The array and its place differ in shape.")

        return without_shapes

    # The first assignment to a slice, which nutpie compiles, compiles the words of this error too:
    # with the shapes in them that takes two seconds in each kernel.
    numba.np.arrayobj.raise_with_shape_context = of_another_shape
    # Where each variable was made, for PyTensor's errors, takes 8% of the time.
    pytensor.config.traceback__limit = 0
    # Graphs are many small objects that live long: looking for garbage among them takes 5 to 10%.
    gc.set_threshold(50_000, 20, 100)


_save_time()
del _save_time
