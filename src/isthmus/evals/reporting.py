"""From a run's folder to its report, in all its forms. Needs the extra ``evals``."""

from isthmus.evals.folders import RunFolder
from isthmus.evals.logs import gather
from isthmus.evals.report import as_markdown, as_page
from isthmus.evals.summary import Report, summarise


def make_report(folder: RunFolder, *, fresh: bool = True) -> Report:
    """Make a run's report, and keep it in its folder.

    Args:
        folder: The run's.
        fresh: Whether its logs are read again, or the results are taken as they were kept.

    Raises:
        UsageError: There is no run there.
    """
    plan, facts = folder.plan(), folder.facts()
    results = gather(folder, plan) if fresh else folder.results()
    report = summarise(
        folder.name,
        plan,
        facts.sizes,
        results,
        overhead=folder.overhead(),
        environment={**facts.environment, "command": facts.command},
    )
    folder.save_report(report, html=as_page(report), md=as_markdown(report))
    return report
