"""Fixtures of the benchmarks: `make bench`.

pytest-benchmark times one function after another. Ours are timed in turn (`interleaved.py`), and
their times are handed to it through a clock, so that it reports and stores them as its own.
"""

import pytest

TABLES = pytest.StashKey[list[str]]()


class Clock:
    """The timer of pytest-benchmark, which recorded times move on."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


CLOCK = Clock()


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="fewer rounds, shorter chains")


def pytest_configure(config):
    config.stash[TABLES] = []


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.benchmark(timer=CLOCK, warmup=False))


@pytest.fixture(scope="session")
def quick(request):
    """Whether to be quick rather than exact."""
    return request.config.getoption("quick")


@pytest.fixture
def report_times(benchmark):
    """A function that hands recorded times to pytest-benchmark."""

    def hand_over(times, group):
        benchmark.group = group
        left = iter(times)

        def pass_time():
            CLOCK.now += next(left, 0.0)

        benchmark.pedantic(pass_time, rounds=len(times), iterations=1)

    return hand_over


@pytest.fixture(scope="session")
def show(request):
    """A function that prints a table, in Markdown, when all is done."""
    return request.config.stash[TABLES].append


def pytest_terminal_summary(terminalreporter, config):
    for table in config.stash[TABLES]:
        terminalreporter.write_line("")
        terminalreporter.write_line(table)
