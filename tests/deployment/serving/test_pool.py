"""Workers that crash, hang, lie or never start: another one answers, or an error does."""

import asyncio
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from fhe_estimators.deployment import ServerBusyError
from fhe_estimators.deployment.serving import Limits
from fhe_estimators.deployment.serving._pool import (
    LethalRequestError,
    NoWorkerError,
    Pool,
)
from fhe_estimators.deployment.serving._worker import (
    RefusedError,
    Worker,
    WorkerTimeoutError,
)

COMMAND = (sys.executable, str(Path(__file__).with_name("odd_worker.py")))
QUICK = {
    "workers": 2,
    "request_seconds": 20.0,
    "accept_seconds": 1.5,
    "start_seconds": 10.0,
}


def with_pool(act, start=None, **limits):
    """Run a coroutine function with a pool; return what it returns."""
    found = Limits(**{**QUICK, **limits})
    new = partial(Worker, {"start": start}, 1 << 20, 1, found.start_seconds, COMMAND)

    async def main():
        pool = Pool(new, found)
        pool.open()
        try:
            async with asyncio.timeout(30):
                return await act(pool)
        finally:
            await pool.close()

    return asyncio.run(main())


def ask(pool, task, body=b"", key=None, **options):
    return pool.run({"task": task, **options}, body, key)


async def pid_of(pool, **options):
    return int(await ask(pool, "echo", **options))


def test_requests_are_answered_by_several_workers():
    async def act(pool):
        sleeping = [ask(pool, "sleeps", seconds=0.2) for _ in range(2)]
        return await asyncio.gather(*sleeping), await pool.probe(), pool.workers

    pids, is_ready, workers = with_pool(act)
    assert len(set(pids)) == 2
    assert os.getpid() not in map(int, pids)
    assert (is_ready, workers) == (True, 2)


@pytest.mark.parametrize("how", ["SIGSEGV", "SIGKILL"])
def test_a_request_that_kills_two_workers_is_refused_and_the_next_is_served(how):
    async def act(pool):
        with pytest.raises(LethalRequestError):
            await ask(pool, how)
        assert await pid_of(pool)
        return pool.events["lost"]

    assert with_pool(act) == 2


def test_a_request_whose_worker_died_is_answered_by_another_one(tmp_path):
    async def act(pool):
        answer = await ask(pool, "once", b" rows", path=str(tmp_path / "died"))
        return answer, pool.events["lost"]

    answer, lost = with_pool(act)
    assert answer.endswith(b" rows")
    assert lost == 1


@pytest.mark.parametrize("how", ["SIGSTOP", "sleeps"])
def test_a_worker_that_hangs_is_replaced(how):
    async def act(pool):
        start = time.monotonic()
        with pytest.raises(WorkerTimeoutError):
            await ask(pool, how, seconds=60)
        assert time.monotonic() - start < 5
        assert await pid_of(pool)
        return pool.events["timed out"]

    assert with_pool(act, request_seconds=1.0) == 1


def test_a_worker_that_was_stopped_while_it_did_nothing_is_not_waited_for():
    """The request is given to another one after `accept_seconds`."""

    async def act(pool):
        stopped = await pid_of(pool)
        os.kill(stopped, signal.SIGSTOP)
        start = time.monotonic()
        pids = {await pid_of(pool) for _ in range(6)}
        assert stopped not in pids
        assert time.monotonic() - start < 5
        return pool.events["lost"]

    assert with_pool(act) == 1


def test_a_worker_that_was_killed_while_it_did_nothing_is_replaced():
    async def act(pool):
        killed = await pid_of(pool)
        os.kill(killed, signal.SIGKILL)
        while pool.events["lost"] == 0 or pool.workers < 2:
            await asyncio.sleep(0.05)
        return killed, {await pid_of(pool) for _ in range(6)}

    killed, pids = with_pool(act)
    assert killed not in pids


def test_workers_that_do_not_take_a_request_are_no_reason_to_refuse_it():
    async def act(pool):
        with pytest.raises(NoWorkerError):
            await ask(pool, "is deaf")
        return await pid_of(pool)

    assert with_pool(act, workers=1)


def test_a_worker_that_does_not_keep_to_the_form_is_replaced():
    async def act(pool):
        with pytest.raises(LethalRequestError):
            await ask(pool, "lies")
        return await pid_of(pool)

    assert with_pool(act)


def test_what_native_code_prints_disturbs_nothing(capfd):
    async def act(pool):
        return await ask(pool, "prints")

    assert with_pool(act)
    assert capfd.readouterr().out == ""


def test_a_healthy_worker_stays_when_a_probe_waits():
    """A probe, or a request, has its time when it gets to a worker."""

    async def act(pool):
        first = await pid_of(pool)
        busy = asyncio.ensure_future(ask(pool, "sleeps", seconds=1.5))
        await asyncio.sleep(1.1)
        assert await pool.probe()
        await busy
        return first, await pid_of(pool), pool.events

    first, second, events = with_pool(act, workers=1)
    assert first == second
    assert not events


def test_workers_that_never_start_are_tried_less_and_less_often():
    async def act(pool):
        assert not await pool.probe()
        with pytest.raises(NoWorkerError, match="no worker was free"):
            await ask(pool, "echo")
        return pool.events["not started"]

    # In four seconds: at once, twice, and after 0.2, 0.4, 0.8 and 1.6 s.
    assert 4 <= with_pool(act, "dies", workers=1, request_seconds=2.0) <= 7


def test_refusals_are_passed_on_and_workers_stay():
    async def act(pool):
        first = await pid_of(pool)
        with pytest.raises(RefusedError, match="no") as raised:
            await ask(pool, "refuses")
        assert raised.value.kind == "FormatError"
        return first, await pid_of(pool)

    first, second = with_pool(act, workers=1)
    assert first == second


def test_workers_are_replaced_after_a_number_of_calls():
    async def act(pool):
        return [await pid_of(pool) for _ in range(6)], pool.events

    pids, events = with_pool(act, workers=1, worker_calls=2)
    assert len(set(pids)) == 3
    assert events["recycled"] >= 2
    assert events["lost"] == 0


def test_the_queue_is_limited():
    async def act(pool):
        await pid_of(pool)
        tasks = [asyncio.ensure_future(ask(pool, "sleeps", seconds=0.3)) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert pool.waiting == 2
        with pytest.raises(ServerBusyError) as raised:
            await ask(pool, "echo")
        assert raised.value.retry_after
        return await asyncio.gather(*tasks)

    assert len(with_pool(act, workers=1, queue=2)) == 3


def test_a_request_goes_to_the_worker_that_has_its_keys():
    async def act(pool):
        while pool.workers < 2:
            await asyncio.sleep(0.05)
        owner = {}
        for key in ("a", "b"):
            answer = await ask(pool, "has keys", key.encode(), key)
            owner[key] = int(answer.removesuffix(key.encode()))
        found = []
        for key in "abbaab":
            answer = await ask(pool, "has keys", key.encode(), key)
            found.append(int(answer.removesuffix(key.encode())) == owner[key])
        return found, owner

    found, owner = with_pool(act)
    assert all(found)
    assert owner["a"] != owner["b"]


def test_callers_that_give_up_leave_the_worker_to_finish():
    async def act(pool):
        first = await pid_of(pool)
        task = asyncio.ensure_future(ask(pool, "sleeps", seconds=0.5))
        waiting = asyncio.ensure_future(ask(pool, "echo"))
        await asyncio.sleep(0.1)
        task.cancel()
        waiting.cancel()
        return first, await pid_of(pool), pool.events

    first, second, events = with_pool(act, workers=1)
    assert first == second
    assert not events


def test_no_process_is_left_behind():
    async def act(pool):
        return [await pid_of(pool) for _ in range(3)]

    for pid in with_pool(act):
        assert not Path(f"/proc/{pid}").exists()
