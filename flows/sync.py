"""The scheduled round: each step of `synchronise` as a Prefect task, each remote system used by one run at a time.

Tasks are handed closures, never records, and keep no results: Prefect learns names of systems and counts only.
Not here: any decision about data, and what a step does (`fsm_core.service`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from prefect import State, Task, flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun

from flows.limits import held
from flows.wiring import opened
from fsm_core import settings
from fsm_core.errors import HubError, Retry
from fsm_core.model import SHAPES
from fsm_core.service.converge import Converged, converge
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.pull import Pulled, land, landings
from fsm_core.service.push import push
from fsm_core.service.refusals import Pushed
from fsm_core.service.sync import Round, Steps, synchronise
from fsm_core.sync.order import parents_first

RETRY_MINUTES = (1.0, 3.0)
"""Waits before a system is read again."""
JITTER = 0.3
"""Share by which a wait is lengthened at random, so that hubs do not come back in step."""


class LeftOut(HubError):  # noqa: N818 - named as its relatives are
    """A round ended, but some systems could not take part."""

    remedy_default = "The other systems are up to date; the next run starts where this one stopped."


# -- tasks ---------------------------------------------------------------------------------------


def worth_another_try(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Only what may pass by itself is tried again."""
    return isinstance(state.data, Retry)


@task(task_run_name="land {system} page {number}", cache_policy=NO_CACHE, persist_result=False)
def land_page(system: str, number: int, work: Callable[[], None]) -> None:  # noqa: ARG001 - shown as the run's name
    """Store one page."""
    work()


@task(
    task_run_name="read {system}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retry_condition_fn=worth_another_try,
    retry_jitter_factor=JITTER,
)
def read_system(system: str, work: Callable[[], Pulled]) -> Pulled:
    """Read one system; a new try goes on behind the last page that was stored."""
    with held(system):
        return work()


@task(task_run_name="decide {entity}", cache_policy=NO_CACHE, persist_result=False)
def decide(entity: str, work: Callable[[], Converged]) -> Converged:  # noqa: ARG001 - shown as the run's name
    """Decide all that is due."""
    return work()


@task(task_run_name="write {system}", cache_policy=NO_CACHE, persist_result=False)
def write_system(system: str, work: Callable[[], Pushed]) -> Pushed:
    """Write to one system; what it does not take now is due again in the next run."""
    with held(system):
        return work()


def as_tasks(retry_minutes: Sequence[float] = RETRY_MINUTES) -> Steps:
    """The steps of a round, each as a task."""
    patient = read_system.with_options(
        retries=len(retry_minutes), retry_delay_seconds=[60 * minutes for minutes in retry_minutes]
    )

    def read(hub: Hub, binding: Binding, *, full: bool = False) -> Pulled:
        return patient(binding.system, partial(_read_pages, hub, binding, full=full))

    def decided(hub: Hub, entity: str, *, confirmed: bool = False) -> Converged:
        return decide(entity, partial(converge, hub, entity, confirmed=confirmed))

    def write(hub: Hub, binding: Binding) -> Pushed:
        return write_system(binding.system, partial(push, hub, binding))

    return Steps(read, decided, write)


def _read_pages(hub: Hub, binding: Binding, *, full: bool) -> Pulled:
    report = Pulled(binding.system)
    for number, landing in enumerate(landings(hub, binding, full=full), start=1):
        land_page(binding.system, number, partial(land, hub, binding, landing, report))
    return report


# -- flows ---------------------------------------------------------------------------------------


@flow(flow_run_name="sync {entity}", persist_result=False)
def sync_entity(
    entity: str,
    config: str = settings.FILE_NAME,
    full: bool = False,  # noqa: FBT001, FBT002 - a deployment's parameter
    confirmed: bool = False,  # noqa: FBT001, FBT002 - as above
    retry_minutes: list[float] = list(RETRY_MINUTES),  # noqa: B006 - Prefect copies parameters
) -> None:
    """One round of an entity. `full` reads everything again; `confirmed` lets a mass change pass the guard.

    Fails when a guard halts the entity, and, after all else is done, when a system had to be left out.
    """
    with opened(Path(config)) as found, found.hub.running("sync") as run:
        done = synchronise(
            found.hub, entity, full=full, confirmed=confirmed, first_load=found.settings.limits.updates,
            steps=as_tasks(retry_minutes),
        )  # fmt: skip
        done.off |= found.off
        done.absent |= {system: str(error) for system, error in found.failures.items()} | found.left_out(entity)
        run.summary = done.summary()
    create_markdown_artifact(told(done), key=f"fsm-hub-{entity.replace('_', '-')}", description="Last round")
    if done.absent:
        raise LeftOut("; ".join(done.absent.values()))


@flow(persist_result=False)
def sync_all(
    config: str = settings.FILE_NAME,
    full: bool = False,  # noqa: FBT001, FBT002 - a deployment's parameter
) -> list[State[None]]:
    """One round of every entity, parents first; fails at the end when one of them did."""
    entities = parents_first(SHAPES, settings.load(Path(config)).hub.entities)
    return [sync_entity(entity, config, full, return_state=True) for entity in entities]


def told(done: Round) -> str:
    """The round as a Markdown table of counts."""
    numbers = done.summary()
    head = ("System", "seen", "new", "changed", "gone", "written", "left out")
    systems = sorted({*numbers["read"], *numbers["written"], *done.absent, *done.off})
    rows = [
        (
            system,
            *(numbers["read"].get(system, {}).get(name, 0) for name in head[1:5]),
            numbers["written"].get(system, 0),
            "yes" if system in done.absent else "off" if system in done.off else "no",
        )
        for system in systems
    ]
    decided = f"{numbers['born']} new records, {numbers['linked']} linked, {numbers['questions']} questions"
    table = [f"| {' | '.join(map(str, row))} |" for row in (head, ("---",) * len(head), *rows)]
    return "\n".join((f"**{done.entity}**: {decided}, {numbers['refused']} refused", "", *table))
