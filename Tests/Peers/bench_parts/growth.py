"""How the cost of a residual map grows with layers, windows and seconds of sound: fitted exponents."""

from bench_parts import workers
from bench_parts.jobs import Question, long_pair
from bench_parts.models import random_layers
from bench_parts.table import exponent, median


def cases(threads):
    """What grows, and a job of each size: the others stand still."""
    questions = {}

    def job(layers, seconds, windows):
        key = layers, seconds
        if key not in questions:
            questions[key] = Question(random_layers(layers), long_pair(seconds), threads)
        q = questions[key]
        return q.job(q.residual(), 1000 * seconds / windows, 0)
    yield "layers of each half", [(n, job(n, 5, 10)) for n in (4, 8, 12)]
    yield "windows", [(n, job(8, 5, n)) for n in (5, 10, 20)]
    yield "seconds of sound", [(n, job(8, n, 10)) for n in (2.5, 5, 10)]


def measure(options, table, threads):
    for name, sized in cases(threads):
        sizes = [size for size, _ in sized]
        ours, theirs, off = [], [], 0.0
        for _, job in sized:
            own = workers.Worker("this package", workers.package(options, job, "map"), threads)
            other = workers.Worker(
                "PyTorch", workers.pytorch(job, "map", "batched", True), threads)
            pairs = [(own.go(), other.go()) for _ in range(options.rounds)]
            worst, _ = workers.difference(own.end(), other.end())
            off = max(off, worst)
            ours.append([a for a, _ in pairs])
            theirs.append([b for _, b in pairs])
        for program, all_seconds in (
                ("this package", ours), ("PyTorch, cells batched, encoder reused", theirs)):
            seconds = [median(own) for own in all_seconds]
            slope = exponent(sizes, seconds)
            table.add(work=f"growth of a map with {name}", threads=threads, program=program,
                      off=off, ratio=slope,
                      note=f"exponent {slope:.2f}: " + ", ".join(
                          f"{size:g} {second:.3g} s" for size, second in zip(sizes, seconds)),
                      repetitions={f"{size:g}": own for size, own in zip(sizes, all_seconds)})


