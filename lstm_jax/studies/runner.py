"""A comparison carried out in its workdir: what is missing is trained, timed and reported."""

import json
import logging
from pathlib import Path
from typing import Any

import jax

from lstm_jax.config import from_json, to_json
from lstm_jax.data import corpus
from lstm_jax.data.corpus import Corpora
from lstm_jax.files import digest
from lstm_jax.optimizers import OPTIMIZERS
from lstm_jax.runtime import machine
from lstm_jax.studies import lane_choice, plan, results, stacks, statistics, trials
from lstm_jax.studies import timing as step_time
from lstm_jax.studies.lane_choice import Choice
from lstm_jax.studies.plan import Extensions, Plan, Register, Task
from lstm_jax.studies.progress import Progress
from lstm_jax.studies.reports import write
from lstm_jax.studies.results import Entry, Row
from lstm_jax.studies.trials import Trial
from lstm_jax.training import network
from lstm_jax.training.workdir import write_json

log = logging.getLogger(__name__)


class Campaign:
    """A comparison in its workdir."""

    def __init__(self, tasks: dict[str, Task], plans: list[Plan], workdir: Path, lanes: int) -> None:
        """Prepares the reviews of all tasks and reads what is finished.

        Args:
          tasks: by label.
          plans: of each optimizer on each task.
          workdir: of the study.
          lanes: at once, at most; 0: as many as fit in memory.
        """
        self._tasks, self._plans, self._workdir, self._most = tasks, plans, workdir, lanes
        self._corpora: dict[str, Corpora] = {}
        for label, task in tasks.items():
            alike = [other for other in self._corpora if tasks[other].config.data == task.config.data]
            self._corpora[label] = self._corpora[alike[0]] if alike else corpus.prepare(task.config.data)
        fingerprints = {label: plan.fingerprint(tasks[label].config, own) for label, own in self._corpora.items()}
        self._register = Register(workdir, fingerprints, {label: task.config for label, task in tasks.items()})
        self._extensions = Extensions(workdir, self._plans)

    def train(self, extend: bool = False) -> None:
        """Makes what is missing: the search of all optimizers on all tasks, then the fresh runs of what it chose."""
        lanes, missing = self._lanes()
        log.info("%d of %d runs are to be made", missing, lanes)
        with Progress(lanes, lanes - missing) as progress:
            for own in self._plans:
                self._train(own.search(), progress)
            if extend and not self._extensions.pending:  # an interrupted extension is finished, not made twice
                self._extend()
                lanes, missing = self._lanes()
                progress.expect(lanes, lanes - missing)
                for own in self._plans:
                    self._train(own.search(), progress)
            for own in self._plans:
                self._train(own.fresh(self._register.best(own)), progress)
        self._extensions.write(pending=False)
        if not progress.made:
            log.info("all %d runs of the study were finished; none was made again", lanes)

    def _lanes(self) -> tuple[int, int]:
        """How many there are in all, and how many are missing."""
        lanes = missing = 0
        for own in self._plans:
            search, count = own.search(), own.held_out_seeds
            left = len(search) - self._register.finished(search)
            lanes += len(search) + count
            missing += left + count
            if not left:
                missing -= self._register.finished(own.fresh(self._register.best(own)))
        return lanes, missing

    def _extend(self) -> None:
        """Adds rates beyond the best where that is the lowest or the highest."""
        edges = {own: own.edge(self._register.best(own)) for own in self._plans if own.extensible}
        for own, edge in edges.items():
            if edge:
                own.extended[edge > 0] += 1
        self._extensions.write(pending=any(edges.values()))
        which = ", ".join(f"{own.optimizer} ({'up' if edge > 0 else 'down'})" for own, edge in edges.items() if edge)
        log.info("more rates for %s", which or "no optimizer: no best rate lies at the end of a range")

    def _train(self, planned: list[Trial], progress: Progress) -> None:
        first, keys = planned[0], {trial: self._register.key(trial) for trial in planned}
        ledger, corpora = self._register.ledger, self._corpora[first.task]
        if all(key in ledger for key in keys.values()):
            return
        choice = self._choice(first)
        task = from_json(to_json(self._tasks[first.task].config))
        task.train.lane_map = "map" if OPTIMIZERS[first.optimizer].periodic else choice.lane_map
        size = network.checkpoint_bytes(trials.config_of(task, first.optimizer, first.setting), corpora)
        most = self._most or lane_choice.most_lanes(choice, size)
        for stack in stacks.stacks(planned, task, keys, ledger, most, len(jax.devices())):
            progress.begin(f"{first.optimizer} ({first.stage})", len(stack.trials))
            ledger.add(stacks.train(stack, corpora, self._workdir, size, progress.follow))
            stacks.clean(stack, self._workdir)
            progress.end()

    def _choice(self, first: Trial) -> Choice:
        """How lanes of a task share a device, the same from the study's first lane to its last."""
        task = self._tasks[first.task].config
        read = trials.essence(task), self._register.fingerprints[first.task]
        file, key = self._workdir / "lane-choices.json", f"{first.task}/{digest(*read)}"
        known = _json(file)
        if key not in known:
            config = trials.config_of(task, first.optimizer, first.setting)
            known[key] = lane_choice.choose(config, self._corpora[first.task])._asdict()
            write_json(file, known)
        return Choice(**known[key])

    def report(self) -> str:
        """All tables; written with pictures and figures."""
        found, rows = [], []
        for label, task in self._tasks.items():
            own = [each for each in self._plans if each.label == label]
            step_ms = self._step_times(own)
            for each in own:
                for trial in (*each.search(), *each.fresh(self._register.best(each))):
                    key, ledger = self._register.key(trial), self._register.ledger
                    rows.append(Row(trial, ledger[key], ledger.curve(key), task.target, step_ms[each.optimizer]))
            entries = [self._entry(each, task.target, step_ms[each.optimizer]) for each in own]
            found.append(results.result(label, task.target, entries))
        return write.everything(found, rows, self._workdir)

    def _step_times(self, plans: list[Plan]) -> dict[str, float]:
        """Milliseconds of a step of each optimizer's chosen setting, measured once for a set of them."""
        best = {each: self._register.best(each) for each in plans}
        configs = {each.optimizer: trials.config_of(each.task, each.optimizer, best[each]) for each in plans}
        runs = [self._register.key(each.fresh(best[each])[0]) for each in plans]
        key = digest(machine(), jax.__version__, runs)
        file = self._workdir / "step-times.json"
        known = _json(file)
        if key not in known:
            log.info("timing a step of each optimizer by itself")
            known[key] = step_time.milliseconds(configs, self._corpora[plans[0].label])
            write_json(file, known)
        return known[key]

    def _entry(self, own: Plan, target: float, step_ms: float) -> Entry:
        tried = self._register.tried(own)
        best, ledger = results.choose(tried), self._register.ledger
        fresh = [self._register.key(trial) for trial in own.fresh(best.setting)]
        curves = [ledger.curve(key) for key in fresh]
        return Entry(
            optimizer=own.optimizer,
            tried=tried,
            edge=own.edge(best.setting),
            extensible=own.extensible,
            best=best,
            fresh=[ledger[key] for key in fresh],
            curves=curves,
            test=statistics.bootstrap_interval([results.tested(ledger[key]) for key in fresh]),
            steps=[results.steps_to(curve, target) for curve in curves],
            step_ms=step_ms,
            own_schedule=OPTIMIZERS[own.optimizer].warmup_only and own.task.optimizer.schedule != "constant",
        )


def _json(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
