"""Makes the sound files that WaveformTests reads and that this package cannot write itself.

    python3 -m venv venv && venv/bin/pip install soundfile==0.14.0 numpy==2.4.6
    venv/bin/python Tests/Peers/make_audio_fixtures.py Tests/SpeechTests/Fixtures/audio

Each holds a 440 Hz sine of amplitude 0.5; where there are two channels, the second has half of it.
Ogg streams carry a random serial number, so their bytes differ from run to run.
"""

import sys
from pathlib import Path

import numpy
import soundfile

FILES = {
    # name: rate, seconds, channels, subtype
    "vorbis-22050-mono.ogg": (22050, 0.4, 1, "VORBIS"),
    "opus-48000-stereo.ogg": (48000, 0.4, 2, "OPUS"),
    "pcm24-8000-stereo.flac": (8000, 0.1, 2, "PCM_24"),
    "float-16000-mono.wav": (16000, 0.02, 1, "FLOAT"),
    "pcm8-16000-mono.wav": (16000, 0.05, 1, "PCM_U8"),
    "mulaw-8000-mono.wav": (8000, 0.1, 1, "ULAW"),
}


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, (rate, seconds, channels, subtype) in FILES.items():
        time = numpy.arange(round(rate * seconds)) / rate
        sine = 0.5 * numpy.sin(2 * numpy.pi * 440 * time)
        sound = numpy.stack([sine, sine / 2][:channels], axis=1)
        soundfile.write(folder / name, sound, rate, subtype=subtype)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
