"""Does `report` say "ok" of posteriors that are right, and of those alone?

    python -m benchmarks.trust                        # a tenth of the set-ups, of every family
    python -m benchmarks.trust --all                  # all of them
    python -m benchmarks.trust --all --held-out 300 --first 2000   # until 300 were called ok
    python -m benchmarks.trust --unseen               # those written after the second estimate

Each set-up has data, an energy, a reference good or bad, and an exact posterior that shares nothing
with the package: closed forms, SciPy's quadrature, enumeration by NumPy. Seeds give it its data,
its parameters and the reference's points. Rounds of seeds that nobody has looked at are held out:
round 0 is for development, and those from 1000 to 5000 and from 7000 to 8001 have been looked at.
No chain is run: the posterior that the reference implies is computed on a grid of its parameters,
and 400 independent draws of it in four chains, which have mixed by construction, go through
`compute_reference_stats` and `report`. So the report is judged by what it says of normalisers.

A posterior is wrong where a mean is off by more than 0.25 exact sds or an sd by a factor outside
0.8–1.25, and sound where no mean is off by more than 0.05 sds and no sd by more than 5%. What is
sound by luck, as two other references of the same make show, is counted apart.
"""

import argparse
import sys
import time
from collections import Counter
from itertools import count

import numpy as np
from scipy import stats

from benchmarks.trust import SETUPS, UNSEEN, tenth
from benchmarks.trust.judge import TRUTHS, WORDS, Verdict, judge


def main():
    """Judge set-ups and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every set-up, and not a tenth")
    parser.add_argument("--unseen", action="store_true", help="set-ups nothing was developed with")
    parser.add_argument("--held-out", type=int, metavar="OKS", help="go on until so many are ok")
    parser.add_argument("--first", type=int, default=0, help="number of the first round of seeds")
    parser.add_argument("--rounds", type=int, default=1, help="seeds of each set-up")
    parser.add_argument("--only", default="", help="set-ups whose family or name has these words")
    parser.add_argument("--minutes", type=float, default=60, help="of processor time at most")
    options = parser.parse_args()
    every = UNSEEN if options.unseen else SETUPS
    chosen = every if options.unseen or options.all or options.only else tenth()
    chosen = [s for s in chosen if options.only in f"{s.family}: {s.name}"]
    verdicts: list[Verdict] = []
    began = time.process_time()
    for setup, number in _in_turn(chosen, options):
        verdicts.append(judge(setup, number))
        print(_line(verdicts[-1]), flush=True)
        if time.process_time() - began > 60 * options.minutes:
            break
        if options.held_out and sum(v.word == "ok" for v in verdicts) >= options.held_out:
            break
    print("\n" + table(verdicts))
    sys.exit(any(v.truth == "wrong" and v.word == "ok" for v in verdicts))


def _in_turn(setups, options):
    """Set-ups with the number of a round, in an order by chance: a round cut short is of all."""
    rounds = (
        count(options.first)
        if options.held_out
        else range(options.first, options.first + options.rounds)
    )
    for number in rounds:
        for i in np.random.default_rng(number).permutation(len(setups)):
            yield setups[i], number


def table(verdicts: list[Verdict]) -> str:
    """Truth by word, of all and by family, and what the rates are."""
    counts = Counter((v.truth, v.word) for v in verdicts)
    lines = [f"{'truth':44}" + "".join(f"{word:>14}" for word in WORDS)]
    lines += [f"{t:44}" + "".join(f"{counts[t, w]:>14}" for w in WORDS) for t in TRUTHS]
    lines += ["", f"{'family: sound / fair / off / wrong':44}" + "".join(f"{w:>14}" for w in WORDS)]
    for family in dict.fromkeys(v.setup.family for v in verdicts):
        of = Counter((v.truth, v.word) for v in verdicts if v.setup.family == family)
        cells = ["/".join(str(of[t, w]) for t in TRUTHS) for w in WORDS]
        lines.append(f"{family:44}" + "".join(f"{cell:>14}" for cell in cells))
    oks = sum(counts[t, "ok"] for t in TRUTHS)
    wrong, sound = counts["wrong", "ok"], sum(counts["sound", w] for w in WORDS)
    bound = stats.beta(wrong + 1, max(oks - wrong, 1e-9)).ppf(0.95) if oks else 1.0
    firm = [v for v in verdicts if v.truth == "sound" and not v.by_luck]
    lines += [
        "",
        f"wrong among the ok: {wrong} of {oks}; P(wrong | ok) is at most {100 * bound:.2g}% "
        "(Clopper and Pearson, 95%)",
        f"off by 0.1 to 0.25 sds among the ok: {counts['off', 'ok']}",
        f"of {sound} sound ones {counts['sound', 'ok']} were called ok and "
        f"{counts['sound', 'failed']} failed; without those by luck: "
        f"{sum(v.word == 'ok' for v in firm)} and {sum(v.word == 'failed' for v in firm)} of "
        f"{len(firm)}",
        f"refused before sampling: {sum(v.word == 'refused' for v in verdicts)}",
        f"processor time: {np.sum([v.seconds for v in verdicts]) / 60:.1f} minutes, "
        f"{np.max([v.seconds for v in verdicts]):.0f} s at most for one",
    ]
    return "\n".join(lines)


def _line(v: Verdict) -> str:
    text = (
        f"{v.truth + (' by luck' if v.by_luck else ''):14} {v.word:13} {v.shift:6.3f} "
        f"{v.ratio:6.3f} {v.seconds:5.1f} s  {v.setup.family}: {v.setup.name}"
    )
    against = v.word == "refused" or (v.truth, v.word) == ("wrong", "ok")
    against |= v.truth == "sound" and v.word != "ok"
    return text + "".join(f"\n    {reason}" for reason in v.reasons[:3] if against)


if __name__ == "__main__":
    main()
