"""Jobs in a store, from the outside."""

from pathlib import Path

from services.jobs import Job, JobStore


def submit(store: JobStore, name: str = "a.gif") -> Job:
    job = store.new(1)
    source = job.source_folder / name
    source.write_bytes(b"GIF")
    store.submit(job, source, {"every": 2})
    store.close(job)
    return store.get(job.id)


def finish(store: JobStore, job: Job) -> Path:
    result = job.result_folder / "a_result.gif"
    result.write_bytes(b"result")
    store.complete(job, result)
    return result


def state(job: Job) -> str:
    return job.record().state
