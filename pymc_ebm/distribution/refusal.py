"""The refusal of a default reference that would add more to a posterior than anybody can use."""

import math
import warnings
from collections.abc import Sequence

from pymc_ebm.distribution.error_forecast import ErrorForecast
from pymc_ebm.distribution.events import Events
from pymc_ebm.distribution.of_free_values import Unforeseeable
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.box import Support

__all__ = ["check_added", "in_words", "refuse"]


def in_words(reference: Reference, forecast: ErrorForecast) -> str:
    """What fitted points would add, by their forecast.

    Raises
    ------
    Unforeseeable
    """
    return (
        f"{reference.n_points} points fitted to the data, "
        f"{forecast.effective_points(reference):.0f} of them effective, would add "
        f"{forecast(reference)[0]:.2g} posterior sds to a mean"
    )


def check_added(
    reference: Reference, forecast: ErrorForecast | None, tried: Sequence[str], events, rows: int
) -> None:
    """Refuse fitted points, the last way, that make a posterior wrong; warn of an error below that.

    Where nothing is foretold, or the likelihood is largest where the prior all but excludes it,
    nothing is known of the posterior, and the report judges.

    Parameters
    ----------
    reference : Reference
    forecast : ErrorForecast, optional
    tried : sequence of str
        What other ways would add, or why they do not serve.
    events : Events
    rows : int
        Distinct rows of parameters.

    Raises
    ------
    ValueError

    Warns
    -----
    UserWarning
    """
    # Shares of an sd: what a report accepts, and beyond which a posterior is called wrong. Fewer
    # effective points do not tell their error.
    most, wrong, fewest = 0.1, 0.25, 20
    if forecast is None:
        return
    try:
        share, effective = forecast(reference)[0], forecast.effective_points(reference)
        if (share <= most and effective >= fewest) or not forecast.plausible():
            return
        tried = [*tried, in_words(reference, forecast)]
    except Unforeseeable:
        return
    if share > wrong or effective < fewest:
        refuse(tried, _remedy(events, rows))
    warnings.warn(f"{tried[-1]}. Better: {_remedy(events, rows)}.", UserWarning, stacklevel=6)


def refuse(tried: Sequence[str], remedy: str) -> None:
    """Raise ValueError with what each way would add."""
    raise ValueError(f"no default reference serves: {'; '.join(tried)}. Give {remedy}.")


def _remedy(events: Events, rows: int) -> str:
    """A reference that is more precise."""
    if rows == 1:
        return "reference=ebm.reference.annealed(...) at parameters near the posterior"
    if type(events.space) is not Support:
        return "reference=ebm.reference.rows([...]), with an annealed one for each row"
    size = math.prod(events.flat.shape[1:])
    shape = f", shape={events.flat.shape[1:] if events.event_ndim > 1 else size}"
    return (
        "a reference that follows the parameters of each row, as "
        "reference=ebm.reference.independent(lambda mu, sigma: pm.Normal.dist(mu, sigma"
        f"{shape if events.event_ndim else ''}), 4096) does where they are a place and a scale"
    )
