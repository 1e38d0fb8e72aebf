"""Processes that take turns: each prepares its work, says that it is ready, and repeats it once for every line
that it is sent. So that noise of the machine hits both, the package and another program repeat in turn."""

import hashlib
import json
import os
import subprocess
import sys
import time

from bench_parts.models import BUILD
from peer import ROOT

# What the package sets for itself and the Makefile exports; others run as they are installed.
OURS = ("OPENBLAS_", "MALLOC_")
PEERS = ROOT / "Tests" / "Peers"


class Cannot(Exception):
    """Why a program is not measured at some work."""


def cores(threads):
    """The first cores that this process may use, as taskset takes them."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < threads:
        raise Cannot(f"this machine lends {len(allowed)} cores")
    return ",".join(map(str, allowed[:threads]))


class Worker:
    def __init__(self, name, command, threads):
        self.name = name
        BUILD.mkdir(parents=True, exist_ok=True)
        self.log = BUILD / "worker.log"
        env = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        env |= {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(PEERS),
                "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
        self.process = subprocess.Popen(
            ["taskset", "-c", cores(threads), *map(str, command)], env=env, cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.log, "w"))
        try:
            said = self.heard()
        except Cannot:
            self.stop()
            raise
        if "cannot" in said:
            self.stop()
            raise Cannot(said["cannot"])

    def heard(self):
        """The next JSON that it prints; libraries print other lines too."""
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        self.process.wait()
        lines = self.log.read_text().strip().splitlines() or ["no word"]
        raise Cannot(f"ended with status {self.process.returncode}: {lines[-1][:200]}")

    def go(self):
        """Seconds of one repetition."""
        # Threads of the other program that still look for work go to sleep meanwhile.
        time.sleep(0.05)
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.heard()["seconds"]

    def end(self):
        """What it says in the end: peak memory, and what came out."""
        self.process.stdin.close()
        said = self.heard()
        self.stop()
        return said

    def stop(self):
        for stream in self.process.stdin, self.process.stdout:
            try:
                stream.close()
            except BrokenPipeError:
                pass
        if self.process.poll() is None:
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.terminate()


def written(job):
    """A job as a file."""
    BUILD.mkdir(parents=True, exist_ok=True)
    text = json.dumps(job)
    path = BUILD / f"job-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    path.write_text(text)
    return path


def package(options, job, work):
    return [options.reproduce, "bench", written(job), "--work", work, "--rounds", 1_000_000, "--paced"]


def pytorch(job, work, way="batched", reuse=False):
    return [sys.executable, "-m", "bench_parts.torch_side", written(job), "--work", work, "--way", way,
            "--paced"] + (["--reuse"] if reuse else [])


def library(job, work, name):
    return [sys.executable, "-m", "bench_parts.libraries", written(job), "--library", name, "--work",
            work, "--paced"]


def difference(own, other):
    """The largest difference of two programs' numbers, of all that the second has; and how many those are.

    Both the first and the last repetition count: a step of training goes on from where it was.
    """
    worst, count = 0.0, 0
    for when in "first", "last":
        ours, theirs = dict(own[when]), dict(other[when])
        missing = set(theirs) - {name for name, value in ours.items() if value is not None}
        if missing or not theirs:
            raise Cannot(f"has other numbers than the package, such as {sorted(missing)[:2]}")
        worst = max([worst] + [abs(ours[name] - value) for name, value in theirs.items()])
        count = len(theirs)
    return worst, count
