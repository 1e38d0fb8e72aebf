"""Recordings that neither training nor the suite has, made from a seed, in pairs of unequal length."""

import subprocess

import numpy
import soundfile
from scipy.signal import resample_poly

from peer import stop

RATE = 16_000


def spoken(folder, name, text, voice, speed):
    """A sentence by espeak-ng at 16 kHz."""
    raw = folder / f"{name}-22050.wav"
    try:
        subprocess.run(
            ["espeak-ng", "-v", voice, "-s", str(speed), "-w", raw, text], check=True,
            capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        stop(f"espeak-ng does not speak ({error}); install it with: apt-get install espeak-ng")
    sound, rate = soundfile.read(raw)
    common = numpy.gcd(RATE, rate)
    return written(folder, name, resample_poly(sound, RATE // common, rate // common))


def disturbed(folder, name, path, draw, snr, delay):
    """A recording that begins so many ms later, with noise so many dB below it."""
    sound, _ = soundfile.read(path)
    sound = numpy.concatenate([numpy.zeros(RATE * delay // 1000), sound])
    noise = numpy.array([draw.gauss(0, 1) for _ in sound])
    level = numpy.sqrt((sound ** 2).mean()) * 10 ** (-snr / 20)
    return written(folder, name, sound + level * noise)


def written(folder, name, sound):
    path = folder / f"{name}.wav"
    soundfile.write(path, numpy.clip(sound, -0.99, 0.99), RATE, subtype="PCM_16")
    return path


def made_pairs(folder, manifest, root, draw):
    """Base, source, prompt, answer to the source, foil."""
    files = {u["id"]: root / u["file"] for u in manifest["utterances"]}

    def say(word, voice, speed):
        name = f"{word}-{voice}-{speed}"
        return spoken(folder, name, f"say the red {word} again", voice, speed)

    def noisy(identifier):
        name = f"{identifier}-noisy"
        return disturbed(
            folder, name, files[identifier], draw, draw.uniform(10, 30), draw.randrange(20, 200))

    first = "say the red {} again"
    return [
        (say("map", "en-us", 151), say("nap", "en-us", 163), "which thing:", "nap", "map"),
        (noisy("kal-a-pat"), noisy("kal-a-bat"), "which thing:", "bat", "pat"),
        (say("chip", "en-gb", 140), noisy("kal-a-pat"), "which thing:", "pat", "chip"),
        (noisy("kal-a-bat"), say("cap", "en-us", 172), "transcribe:", first.format("cap"),
         first.format("bat")),
    ]
