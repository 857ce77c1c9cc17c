"""`Limits`, the numbers that decide the words of a report."""

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """What a report allows. Every number can be moved: ``report(idata, limits=Limits(rhat=1.02))``.

    Attributes
    ----------
    rhat : float
        Largest R-hat of a parameter; where there are few draws, the largest by chance of chains
        that have mixed.
    rhat_chance : float
        Chance, over all parameters, of an R-hat above that by luck.
    effective_draws : float
        Fewest effective draws of a parameter, of its bulk and its tails, in all chains together;
        or half of the draws, where these are fewer.
    fewest_draws : int
        Posterior draws of all chains below which nothing is said of R-hat and effective draws.
    shift, log_sd_ratio : float
        Posterior sds by which a mean may move with a second estimate of the normalisers, and the
        log of the ratio of two sds, with `agreement_errors` of their standard errors.
    most_shift, most_log_sd_ratio : float
        Where one of these moves further by `contradiction_errors` of its standard errors, the
        estimates contradict each other.
    level_nats : float
        Nats by which two estimates of the level of log Z may differ beside `contradiction_errors`
        of its standard error.
    agreement_errors, contradiction_errors : float
        Standard errors of the second estimate that count against agreement, and those that have
        to be exceeded for a contradiction.
    effective_share : float
        Share of the draws that have to stay effective when they are reweighted to the second
        estimate.
    added_share : float
        Share of its posterior sd that the references may add to a mean or sd: as forecast of
        any points made alike or, where that is less, as a second estimate bounds what these did.
    aimed_share : float
        The share that advice on a number of draws aims at.
    most_draws : float
        Draws beyond which advice names another kind of reference, and no number.
    bits_lost : float
        Bits of the posterior that the estimates may lose (arXiv:2509.07221), by the same two.
    high_khat_share : float
        Share of the draws at which k-hat may be above min(1 − 1/log10 M, 0.7).
    most_khat : float
        Largest k-hat at any draw.
    variance_khat : float
        k-hat above which weights have no variance. The error that the points are said to add is
        then too small: a half to a third of what Sobol points do.
    quadrature_nats : float
        Nats of the log-likelihood by which half the nodes of a quadrature may differ from all of
        them.
    effective_nodes : float
        Fewest effective nodes of a quadrature: a Gaussian as wide as the distance of two nodes has
        3.5 of them and an error of 1e-9.
    edge_nats : float
        Nats by which what a truncated space cuts off may move the log-likelihood at any draw.
    overlap : float
        Least probability that a point of an anchor's chains belongs to other anchors.
    missed_share : float
        Share of the mass in a mode without points that a reference of unknown level may have where
        two estimates agree, and nobody has looked for the posterior far from its draws.
    halves_chance : float
        Chance by which halves of sound points may be as far apart as they are.
    misfit_chance : float
        Chance of so many improbable data below which a misfit of the model is noted.

    Examples
    --------
    >>> Limits().added_share, Limits(added_share=0.02).added_share
    (0.1, 0.02)
    """

    rhat: float = 1.01
    rhat_chance: float = 1e-3
    effective_draws: float = 400
    fewest_draws: int = 400
    shift: float = 0.15
    log_sd_ratio: float = 0.10
    most_shift: float = 0.30
    most_log_sd_ratio: float = 0.25
    level_nats: float = 0.05
    agreement_errors: float = 2.0
    contradiction_errors: float = 3.0
    effective_share: float = 0.05
    added_share: float = 0.1
    aimed_share: float = 0.05
    most_draws: float = 1e7
    bits_lost: float = 0.2
    high_khat_share: float = 0.01
    most_khat: float = 1.0
    variance_khat: float = 0.5
    quadrature_nats: float = 0.01
    effective_nodes: float = 3.0
    edge_nats: float = 1e-8
    overlap: float = 0.03
    missed_share: float = 0.05
    halves_chance: float = 1e-4
    misfit_chance: float = 1e-6
