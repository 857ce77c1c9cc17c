"""Mutation test of the array layer: each small fault in a formula must make a test fail.

    python tools/mutants.py                  # every module of TESTS
    python tools/mutants.py groups mbar      # these
    python tools/mutants.py groups:3,17      # these mutants of one
    python tools/mutants.py --list groups    # what would be tried

A mutant is one change of one expression: an operator, a comparison, a number, log for exp, min for
max, a sign, a count N, an amplification c. All mutants of a kind in MATTER are tried, and one in
three of the others. The tests that mirror a module are collected once; for each mutant the process
forks, the child gives the module the changed code and runs them up to the first failure.

mutmut changes functions only, and therefore no threshold at the level of a module, and it has no
mutants that put log for exp, min for max or another count; cosmic-ray imports PyMC anew each time.
"""

import argparse
import ast
import os
import signal
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FunctionType, ModuleType

import _pytest.main
import pytest

ROOT = Path(__file__).parents[1]
KNOWN = Path(__file__).with_name("equivalent_mutants.toml")
D = "tests/diagnostics"
BLOCKS = f"{D}/sums/test_blocks_of_points.py::test_stats_in_blocks_are_those_of_all_points"
OF_TAILS = [
    f"{D}/sums/test_blocks_of_points.py::test_shape_of_the_tail_needs_the_largest_weights_only",
    f"{D}/sums/test_blocks_of_points.py::test_a_nan_weight_has_no_tail",
]
OF_HULLS = [
    f"{D}/sums/test_blocks_of_points.py::test_hull_of_extreme_points[3.0-inside]",
    f"{D}/sums/test_blocks_of_points.py::test_hull_of_extreme_points[0.05-outside]",
]
AMPLIFICATIONS_OF = f"{D}/normalisers/test_amplification.py"
TESTS = {
    "weights/normalised": ["tests/weights/test_groups.py", "tests/weights/test_normalised.py"],
    "weights/groups": ["tests/weights/test_groups.py", "tests/weights/test_group_properties.py"],
    "weights/group_sums": ["tests/weights/test_group_sums.py"],
    "weights/running_totals": ["tests/weights/test_running_totals.py"],
    "weights/pareto_tails": [
        "tests/weights/test_pareto_tails.py",
        "tests/weights/test_running_totals.py",
        *OF_TAILS,
    ],
    "diagnostics/error/posterior_error": [f"{D}/error/test_posterior_error.py"],
    "diagnostics/sums/draw_statistics": [f"{D}/sums/test_draw_statistics.py"],
    "diagnostics/sums/log_weights": [
        "tests/weights/test_running_totals.py",
        f"{D}/sums/test_log_weights.py",
        f"{BLOCKS}[unused draws-rows]",
    ],
    "diagnostics/normalisers/amplification_graphs": [
        f"{AMPLIFICATIONS_OF}::test_amplification_in_a_regression_is_one_per_row",
        f"{AMPLIFICATIONS_OF}::test_equal_normalisers_of_one_variable_count_once",
        f"{AMPLIFICATIONS_OF}::test_amplification_is_the_number_of_data_and_follows_set_data",
        f"{AMPLIFICATIONS_OF}::test_amplification_in_a_mixture_is_the_expected_count",
    ],
    "diagnostics/checks/chains": [f"{D}/checks/test_chains.py"],
    "diagnostics/checks/weights": [f"{D}/checks/test_limits.py"],
    "diagnostics/checks/exact_rules": [f"{D}/checks/test_limits.py"],
    "diagnostics/checks/anchors": [f"{D}/checks/test_anchors.py", f"{D}/checks/test_limits.py"],
    "diagnostics/checks/added_error": [
        f"{D}/checks/test_added_error.py",
        f"{D}/checks/test_limits.py",
        f"{D}/test_reference_stats.py::test_thinned_draws",
    ],
    "diagnostics/checks/coverage": [f"{D}/checks/test_coverage.py"],
    "diagnostics/checks/estimated_twice": [f"{D}/checks/test_estimated_twice.py"],
    "diagnostics/checks/level": [f"{D}/checks/test_limits.py"],
    "diagnostics/checks/maximum": [f"{D}/checks/test_limits.py"],
    "diagnostics/second_estimate/agreement": [f"{D}/second_estimate/test_agreement.py"],
    "diagnostics/second_estimate/compare": [f"{D}/second_estimate/test_compare.py"],
    "diagnostics/second_estimate/states": [f"{D}/second_estimate/test_states.py"],
    "diagnostics/second_estimate/counts": [f"{D}/second_estimate/test_counts.py"],
    "diagnostics/second_estimate/line": [f"{D}/second_estimate/test_line.py"],
    "diagnostics/second_estimate/lattice": [f"{D}/second_estimate/test_lattice.py"],
    "diagnostics/words/worst_region": [f"{D}/words/test_worst_region.py"],
    "diagnostics/hull/extremes": [f"{D}/hull/test_extremes.py"],
    "diagnostics/hull/coefficients": [f"{D}/hull/test_coefficients.py", f"{D}/hull/test_hull.py"],
    "diagnostics/hull/_hull": [f"{D}/hull/test_hull.py", *OF_HULLS],
    "reference/chains/mbar": ["tests/reference/chains/test_mbar.py"],
    "partition/estimator": ["tests/partition/test_op.py"],
    "partition/op": [
        "tests/partition/test_op.py",
        "tests/energy/test_rows.py",
        "tests/kernels/test_ops.py::test_statistics_are_read_where_they_are[few columns]",
        "tests/test_memory.py::test_statistics_count",
        *(
            f"tests/partition/test_log_partition.py::test_{name}"
            for name in (
                "bad_energies",
                "energy_captures_data",
                "equality_of_ops_is_by_content",
                "gradient_and_hessian_against_finite_differences[batched]",
                "gradient_and_hessian_against_finite_differences[q(y|theta)]",
                "all_weights_zero_has_a_finite_gradient[CVM]",
                "derivatives_of_inputs_that_depend_on_one_another[captured-two rows]",
            )
        ),
    ],
}
MATTER = {"N", "c", "sign", "log/exp", "threshold"}
# Times the processor's seconds without a change; a loop without end counts as found.
PATIENCE = 3

OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
PAIRS = [
    ("log/exp", "log", "exp"), ("log/exp", "neq", "eq"), ("min/max", "min", "max"),
    ("min/max", "argmin", "argmax"), ("min/max", "minimum", "maximum"), ("N", "sum", "mean"),
    ("logic", "any", "all"), ("sign", "isneginf", "isposinf"), ("constant", "zeros", "ones"),
    ("min/max", "floor", "ceil"),
]  # fmt: skip
SWAPS = {a: (kind, b) for kind, x, y in PAIRS for a, b in ((x, y), (y, x))}
COUNTS = {"size", "n_points", "n_groups", "n_rows", "n_draws", "n_data", "n_statistics", "n_tail"}
AMPLIFICATIONS = {"c", "shares", "counts"}
# Options that change no result.
NO_RESULT = {"strict", "full_matrices"}


def changes(node, parent):
    """Kinds and replacements of one node."""
    make = lambda new: ast.fix_missing_locations(ast.copy_location(new, node))
    plus_one = lambda: make(ast.BinOp(node, ast.Add(), ast.Constant(1)))
    match node:
        case ast.BinOp(left, op, right) if type(op) in OPERATORS:
            new = OPERATORS[type(op)]
            yield (
                "sign" if new in (ast.Add, ast.Sub) else "operator",
                make(ast.BinOp(left, new(), right)),
            )
        case ast.AugAssign(target, op, value) if type(op) in OPERATORS:
            new = OPERATORS[type(op)]
            yield (
                "sign" if new in (ast.Add, ast.Sub) else "operator",
                make(ast.AugAssign(target, new(), value)),
            )
        case ast.Compare(left, [op], right):
            for i, new in enumerate(COMPARISONS[type(op)]):
                order = isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE)
                kind = "threshold" if order and i == 1 else "boundary" if order else "logic"
                yield kind, make(ast.Compare(left, [new()], right))
        case ast.BoolOp(op, values):
            yield (
                "logic",
                make(ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)),
            )
        case ast.UnaryOp(op, operand):
            yield "sign" if isinstance(op, ast.USub) else "logic", operand
        case ast.Constant(bool(value)):
            yield "constant", make(ast.Constant(not value))
        case ast.Constant(int(value) | float(value)):
            at_top = isinstance(parent, ast.Assign) and parent.col_offset == 0
            of_test = isinstance(parent, ast.Compare)
            new = value + 1 if isinstance(value, int) else 2 * value if value else 1.0
            yield "threshold" if at_top or of_test else "constant", make(ast.Constant(new))
        case ast.Call(ast.Attribute(_, "sqrt"), [inside]):
            yield "operator", inside
        case ast.Call(ast.Name("len"), _):
            yield "N", plus_one()
        case ast.Attribute(value, ("inf" | "nan") as name, ast.Load()):
            new = ast.UnaryOp(ast.USub(), node) if name == "inf" else ast.Constant(0.0)
            yield "sign" if name == "inf" else "constant", make(new)
        case ast.Attribute(value, name, ast.Load()) if name in SWAPS:
            yield SWAPS[name][0], make(ast.Attribute(value, SWAPS[name][1], ast.Load()))
        case ast.Attribute(_, name, ast.Load()) if name in COUNTS:
            yield "N", plus_one()
        case ast.Name(name, ast.Load()) if name in SWAPS and isinstance(parent, ast.Call):
            yield SWAPS[name][0], make(ast.Name(SWAPS[name][1], ast.Load()))
        case ast.Name(name, ast.Load()) if name in COUNTS:
            yield "N", plus_one()
        case ast.Name(name, ast.Load()) if name in AMPLIFICATIONS:
            yield "c", make(ast.BinOp(ast.Constant(2), ast.Mult(), node))
        case ast.If(test) | ast.While(test) if isinstance(
            test, ast.Name | ast.Attribute | ast.Call
        ):
            new = ast.UnaryOp(ast.Not(), test)
            yield "logic", make(type(node)(new, node.body, node.orelse))
        case ast.Return(ast.BinOp() | ast.Call() | ast.Subscript() | ast.Name() as value):
            yield "sign", make(ast.Return(ast.UnaryOp(ast.USub(), value)))


class Mutator(ast.NodeTransformer):
    """Lists the mutants of a module, and makes the chosen one."""

    def __init__(self, source: str, chosen: int = -1):
        self.lines, self.chosen = source.splitlines(), chosen
        self.found: list[tuple] = []
        self.parents: list[ast.AST] = []
        self.tree = self.visit(ast.parse(source))

    def visit(self, node):
        # Messages, types and the list of public names are not formulas.
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
            return node
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return node
        if isinstance(node, ast.keyword) and node.arg in NO_RESULT:
            return node
        parent = self.parents[-1] if self.parents else None
        if isinstance(parent, ast.Subscript) and ast.unparse(parent.value) == "Literal":
            return node
        for kind, new in changes(node, parent):
            self.found.append(
                (kind, node.lineno, self.lines[node.lineno - 1].strip(), _pair(node, new))
            )
            if len(self.found) - 1 == self.chosen:
                return new
        self.parents.append(node)
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            if isinstance(value, list):
                value[:] = [self.visit(v) if isinstance(v, ast.AST) else v for v in value]
            elif isinstance(value, ast.AST):
                setattr(node, field, self.visit(value))
        self.parents.pop()
        return node


def _pair(node, new):
    if isinstance(node, ast.If | ast.While):
        node, new = node.test, new.test
    return f"{ast.unparse(node)} → {ast.unparse(new)}"


def put(module: ModuleType, tree) -> None:
    """Give the functions and constants of an imported module the code of another tree of it."""
    path = str(module.__file__)
    changed = {"__name__": module.__name__, "__file__": path}
    exec(compile(tree, path, "exec"), changed)
    for name, new in changed.items():
        old = getattr(module, name, None)
        if isinstance(new, type) and new.__module__ == module.__name__:
            for attribute, member in vars(new).items():
                _put_code(vars(old).get(attribute), member)
        elif isinstance(new, int | float) and new != old:
            for user in [m for m in sys.modules if m.startswith("pymc_ebm")]:
                # A private name of another module is another thing.
                of_user = getattr(sys.modules[user], name, None)
                if user == module.__name__ or (of_user == old and name[0] != "_"):
                    setattr(sys.modules[user], name, new)
        else:
            _put_code(old, new)


def _put_code(old, new) -> None:
    for inside in ("fget", "__func__", "__wrapped__"):
        old, new = getattr(old, inside, old), getattr(new, inside, new)
    if isinstance(old, FunctionType) and isinstance(new, FunctionType):
        old.__code__, old.__defaults__ = new.__code__, new.__defaults__
        old.__kwdefaults__ = new.__kwdefaults__


class Forks:
    """Runs collected tests once for each tree of a module, in a child of this process."""

    def __init__(self, module: str, trees: Iterable, tell: Callable[[bool], None]):
        self.module, self.trees, self.tell = module, trees, tell

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        limit = None
        for tree in self.trees:
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                self._test(session, tree, limit)
            _, status, used = os.wait4(child, 0)
            limit = limit or PATIENCE * (used.ru_utime + used.ru_stime) + 1
            self.tell(os.waitstatus_to_exitcode(status) == 0)
        return True

    def _test(self, session, tree, limit):
        passed = False
        try:
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1), os.dup2(silence, 2)
            if limit:
                signal.setitimer(signal.ITIMER_PROF, limit)
            put(sys.modules[self.module], tree)
            _pytest.main.pytest_runtestloop(session)
            passed = bool(session.items) and not session.testsfailed
        finally:
            os._exit(0 if passed else 1)


def run(module: str, trees: Iterable, tell: Callable[[bool], None]) -> None:
    """Tell for each tree of a module whether all tests that mirror it pass."""
    name = "pymc_ebm." + module.replace("/", ".")
    options = ["-x", "-s", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:terminal"]
    options += ["-o", "addopts=", "--import-mode=importlib", *TESTS[module]]
    pytest.main(options, plugins=[Forks(name, trees, tell)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="names, with numbers of mutants after a colon")
    parser.add_argument("--every", type=int, default=1, help="try one in so many")
    parser.add_argument("--list", action="store_true", help="list the mutants and run nothing")
    arguments = parser.parse_args()
    known = tomllib.loads(KNOWN.read_text())["mutant"] if KNOWN.exists() else []
    reasons = {(k["module"], k["line"], k["change"]): k["reason"] for k in known}
    wanted = dict(a.partition(":")[::2] for a in arguments.modules)
    rows, kinds = [], Counter()
    for module in TESTS:
        short = module.rpartition("/")[2]
        if wanted and short not in wanted:
            continue
        source = (ROOT / f"pymc_ebm/{module}.py").read_text()
        found = Mutator(source).found
        chosen = [int(i) for i in filter(None, wanted.get(short, "").split(","))] or [
            i for i, mutant in enumerate(found) if mutant[0] in MATTER or i % 3 == 0
        ][:: arguments.every]
        labels = [
            f"{short}:{i}  line {line}, {kind}: {change}   in   {text}"
            for i, (kind, line, text, change) in enumerate(found)
        ]
        if arguments.list:
            print(*[labels[i] for i in chosen], sep="\n")
            continue
        start, outcomes, ahead = time.perf_counter(), Counter(), iter([None, *chosen])

        def tell(
            passed,
            source=source,
            found=found,
            labels=labels,
            ahead=ahead,
            module=module,
            outcomes=outcomes,
        ):
            i = next(ahead)
            if i is None:
                if not passed:
                    raise SystemExit(f"The tests of {module} fail without any change.")
                return
            kind, _, text, change = found[i]
            reason = reasons.get((module, text, change))
            outcome = "killed" if not passed else "equivalent" if reason else "survived"
            if passed:
                print(outcome, labels[i], flush=True)
            outcomes[outcome] += 1
            kinds[kind, outcome] += 1

        trees = [ast.parse(source), *(Mutator(source, i).tree for i in chosen)]
        run(module, trees, tell)
        rows.append((module, outcomes, time.perf_counter() - start))
        print(module, dict(outcomes), f"{rows[-1][2]:.0f} s", flush=True)
    if not arguments.list:
        table(rows, kinds)


def table(rows, kinds):
    print(f"\n{'':32}{'mutants':>8}{'killed':>8}{'equivalent':>12}{'survived':>10}{'share':>8}")
    for kind in sorted({k for k, _ in kinds}):
        rows.append((kind, Counter({o: n for (k, o), n in kinds.items() if k == kind}), None))
    total = sum((o for _, o, seconds in rows if seconds is not None), Counter())
    rows.append(("all", total, sum(s for _, _, s in rows if s is not None)))
    for name, outcomes, seconds in rows:
        killed, equal, survived = (outcomes[o] for o in ("killed", "equivalent", "survived"))
        share = killed / max(killed + survived, 1)
        took = "" if seconds is None else f"{seconds:9.0f} s"
        print(f"{name:32}{outcomes.total():8}{killed:8}{equal:12}{survived:10}{share:8.1%}{took}")


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    main()
