"""The parts of bench.py, one idea each."""
