"""Many incidents, in processes of their own, in any order; the results come back in the order of the folders."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from sre_bot.evals.examination import Order, Result, Unscored, examine
from sre_bot.evals.shelf import Shelf


def results_of(orders: Sequence[Order], jobs: int, shelf: Shelf | None = None) -> Iterator[Result | Unscored]:
    """Examine all, ``jobs`` at a time, and hand out each as it is done; what is on the shelf is not done again.

    What crashes is told by name, and stops nothing: each incident is examined in another process than ours.
    """
    kept = {order: found for order in orders if shelf and (found := shelf.find(order))}
    yield from kept.values()
    left = [order for order in orders if order not in kept]
    for order, outcome in _examined(left, jobs):
        if shelf and isinstance(outcome, Result):
            shelf.put(order, outcome)
        yield outcome


def _examined(orders: Sequence[Order], jobs: int) -> Iterator[tuple[Order, Result | Unscored]]:
    if not orders:
        return
    with ProcessPoolExecutor(min(jobs, len(orders)), multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(examine, order): order for order in orders}
        for done in as_completed(waiting):
            yield waiting[done], _outcome(waiting[done], done)


def _outcome(order: Order, done: "Future[Result | Unscored]") -> Result | Unscored:
    error = done.exception()
    if error is None:
        return done.result()
    crash = f"the diagnosis crashed: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return Unscored(incident=order.folder.name, folder=str(order.folder), problem=crash)
