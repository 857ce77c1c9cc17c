"""How far the default reference goes: several dimensions, 200 data, exact posteriors.

    python -m benchmarks.frontier                 # up to 20 dimensions
    python -m benchmarks.frontier --most 50
    python -m benchmarks.frontier --only quartic

Scales of independent quartics, the correlation of a Gaussian series, the coupling of double wells
in a line, whose log Z is a transfer operator on a grid, and the weights of two modes. The posterior
that the default reference implies is computed on a grid of the parameter, and draws of it go
through the report; see `benchmarks.trust`. The second estimate may take as long as making the
reference, or 10 s.
"""

import argparse

import pytensor

from benchmarks.trust import vectors
from benchmarks.trust.judge import judge
from benchmarks.trust.references import default, plain
from benchmarks.trust.setups import Setup

N = 200
# Law of D, the true parameter, bounds of it, and the dimensions.
CELLS = {
    "product quartic": (vectors.products, 1.0, (0.3, 3), (5, 12, 20, 30, 50)),
    "Gaussian series": (vectors.autoregression, 0.7, (-0.99, 0.9999), (5, 12, 20, 30, 50)),
    "coupled wells": (vectors.chain_of_wells, 0.7, (0, 3), (5, 12, 20, 30, 50)),
    "two modes": (lambda d: vectors.crossed(d, 6.0, 1.0), 0.3, (-8, 8), (5, 8, 20)),
}


def main():
    """Print a row of the table for each cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=20, help="dimensions")
    parser.add_argument("--only", default="", help="models whose name has these words")
    parser.add_argument("--number", type=int, default=0, help="of the seed")
    options = parser.parse_args()
    print(
        f"{'model':18}{'D':>4}{'shift':>8}{'sd ratio':>10}  {'status':14}{'build':>7}{'judge':>7}"
    )
    for name, (make, truth, bounds, dimensions) in CELLS.items():
        for d in dimensions:
            if d > options.most or options.only not in name:
                continue
            law = make(d)
            of = lambda rng, law=law, t=truth, b=bounds: plain(
                law, law.draw(rng, t, N), default, *b
            )
            setup = Setup("frontier", f"{name} {d}", of)
            v = judge(setup, options.number, seconds=None, mode=pytensor.config.mode)
            judged = v.seconds - v.build_seconds
            print(
                f"{name:18}{d:4}{v.shift:8.3f}{v.ratio:10.3f}  {v.word:14}"
                f"{v.build_seconds:6.0f}s{judged:6.0f}s",
                flush=True,
            )
            if v.word != "ok":
                print("    " + "\n    ".join(v.reasons[:2]), flush=True)


if __name__ == "__main__":
    main()
