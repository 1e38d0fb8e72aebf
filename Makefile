# The reviewer's door. `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# What the determinism contract pins; OpenBLAS and the allocator read these when they are loaded.
export OPENBLAS_CORETYPE := Haswell
export OPENBLAS_NUM_THREADS := 1
export MALLOC_MMAP_THRESHOLD_ := 1073741824
export MALLOC_TRIM_THRESHOLD_ := 4294967296
export SOURCE_DATE_EPOCH := 0
export LC_ALL := C.UTF-8
export TZ := UTC

PACKAGES := pkg-config libopenblas-dev libsndfile1-dev libsoxr-dev libspeexdsp-dev libcairo2-dev libfreetype-dev \
  libjson-c-dev libssl-dev flite1-dev
SPEECH := festival festvox-kallpc16k festvox-kdlpc16k espeak-ng
TOOLS := poppler-utils pandoc
SLURM := slurmctld slurmd slurm-client munge
FETCH := curl ca-certificates
LATEX := texlive-latex-base texlive-latex-recommended texlive-latex-extra texlive-fonts-recommended lmodern texlive-binaries pandoc poppler-utils
BIN := .build/release
# README's program, built as a package that depends on this one, and run.
IMPORTING := swift build -c release --package-path Tests/Importing --scratch-path build/importing \
  && build/importing/release/importing
# The libraries that other packages import.
LIBRARIES := Interventions Speech Corpus Plot Notebook
# Golden data of the reference implementations.
GOLDEN := $(addprefix Tests/SpeechTests/Fixtures/, \
  logmel whisper qwen2-audio salmonn soundwave llama-omni mimi moshi)

# `make -B figure2` forgets what an earlier run has stored; `make figure3 FROM=CELL` computes from a cell on.
# `make figure2 MODEL=DIR PAIRS=FILE` asks a checkpoint or pairs of your own; its outputs go to build/own.
FRESH := $(if $(findstring B,$(firstword -$(MAKEFLAGS))),--fresh)
OWN := $(if $(MODEL),--model "$(MODEL)") $(if $(PAIRS),--pairs "$(PAIRS)")
RUN := $(FRESH) $(if $(FROM),--from "$(FROM)") $(OWN)
# What `make quick` runs, and on how many items a cell: as few as leave every figure something to draw, most of it
# with intervals, which want six groups.
QUICK := method-on-one-pair:12 e1-causal-map:24 maps-by-model:8 search-methods:4 e1-across-models:6 \
  causal-transfer:1 e3-noise:12 e3-wrong-word:6 sanity-checks:6 ablations-of-the-map:4 \
  ablations-of-the-part:1 rivals-tracing:4 rivals-circuits:6 rivals-features:1

.PHONY: help deps deps-fetch deps-all deps-explorer deps-paper deps-cluster build quick figure1 figure2 e1 figure3 figure4 figure5 figure6 e3 figureS1 figureS2 \
  figureS3 figureS4 figureS5 figureS8 figureS9 figureS10 figureS11 ablations rivals rivals-tracing rivals-circuits rivals-features rivals-published rivals-whisper rivals-paths rivals-spirit rivals-hallucination rivals-probes \
  sanity sanity-published test test-cluster models models-seeds models-efficiency models-published projectors data published corpus sounds \
  check evaluate evaluate-published parity oracles bench break tour pages explorer paper abstract readme provenance crate docs fuzz lint clean

help: ## This list.
	@echo "Times are for two cores, once built; the first build takes 3 minutes."
	@awk -F ':.*## ' '/^[a-zA-Z0-9-]+:.*## / { printf "  make %-19s %s\n", $$1, $$2 }' Makefile

# $(call install,PACKAGES): installs what is missing as root, otherwise says how and stops.
define install
  missing=""; \
  for p in $(1); do \
    dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q "install ok installed" \
      || missing="$$missing $$p"; \
  done; \
  if [ -n "$$missing" ]; then \
    if [ "$$(id -u)" = 0 ]; then \
      echo "installing$$missing"; \
      apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $$missing > /dev/null || exit 1; \
    else \
      echo "Missing Debian packages. Install them, then run make again:"; \
      echo "  sudo apt-get update && sudo apt-get install --no-install-recommends$$missing"; \
      exit 1; \
    fi; \
  fi; \
  command -v swift > /dev/null || { echo "Swift 6 is not on the PATH: see https://www.swift.org/install/linux"; exit 1; }
endef

deps:
	@$(call install,$(PACKAGES))

deps-fetch:
	@$(call install,$(PACKAGES) $(FETCH))

deps-all:
	@$(call install,$(PACKAGES) $(SPEECH) $(TOOLS) $(FETCH))

deps-explorer:
	@$(call install,$(PACKAGES) node-d3)

deps-paper:
	@$(call install,$(PACKAGES) $(LATEX))

deps-cluster:
	@$(call install,$(PACKAGES) $(SLURM))

build: deps ## Build everything in release mode (3 min the first time).
	@swift build -c release

quick: deps ## The experiments of the small checkpoints on a few pairs each, into build/quick, marked (5 min).
	@$(if $(strip $(OWN)),$(error make quick takes no MODEL and no PAIRS; say make figure2 MODEL=DIR PAIRS=FILE))
	@mkdir -p build/quick
	@for run in $(QUICK); do swift build -c release --product $${run%:*} || exit 1; done
	@failed=""; \
	for run in $(QUICK); do \
	  name=$${run%:*}; log=build/quick/$$name.log; began=$$SECONDS; printf '%s: ' $$name; \
	  if $(BIN)/$$name --quick $${run#*:} $(FRESH) > $$log 2>&1; then \
	    echo "$$((SECONDS - began)) s, $$(tail -n 1 $$log)"; \
	  else \
	    echo "FAILED after $$((SECONDS - began)) s, see $$log"; tail -n 3 $$log; failed="$$failed $$name"; \
	  fi; \
	done; \
	echo "$$SECONDS s; figures in build/quick/figures, marked: they are not the paper's"; \
	[ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

figure1: deps ## Figure 1: the method on one pair, from the waveform to its causal map (15 s).
	@swift build -c release --product method-on-one-pair
	@$(BIN)/method-on-one-pair $(RUN)

figure2: deps ## Figure 2, its table and its numbers: when and where a sound becomes the answer (2 min).
	@swift build -c release --product e1-causal-map
	@$(BIN)/e1-causal-map $(RUN)

figure3: deps ## Figure 3: whether what is said transfers to another speaker's run, and the speaker stays (10 min).
	@swift build -c release --product causal-transfer
	@$(BIN)/causal-transfer $(RUN)

e1: deps-fetch ## Figure S7: experiment E1 across models, tasks, voices and other factors, after make data (9 min).
	@swift build -c release --product reproduce
	@swift build -c release --product e1-across-models
	@$(BIN)/reproduce data
	@$(BIN)/e1-across-models $(RUN)

figureS1: deps ## Figure S1: the maps of four checkpoints, by training and connector (3 min).
	@swift build -c release --product maps-by-model
	@$(BIN)/maps-by-model $(RUN)

figureS2: deps ## Figure S2: search methods against exact patching in three models (5 min).
	@swift build -c release --product search-methods
	@$(BIN)/search-methods $(RUN)

figureS3: deps ## Figure S3: the published Whisper base and tiny.en, after make published and data (30 min).
	@swift build -c release --product published-whisper
	@$(BIN)/published-whisper $(RUN)

figureS4: deps ## Figure S4: what published Whispers write where nobody speaks, and why (16 min, 2.3 GiB; needs make published).
	@swift build -c release --product published-hallucination
	@$(BIN)/published-hallucination $(RUN)

figure4: deps ## Figure 4: a speech LM of two published halves, after make published and data (52 min, 2.8 GiB).
	@swift build -c release --product published-speech-lm
	@$(BIN)/published-speech-lm $(RUN)

figure5: deps ## Figure 5: what leaves out the texts that published Whispers write where nobody speaks, after make published (28 min).
	@swift build -c release --product e3-hallucination
	@$(BIN)/e3-hallucination $(RUN)

figure6: deps ## Figure 6: speech in noise, with interventions where the map points (17 min).
	@swift build -c release --product e3-noise
	@$(BIN)/e3-noise $(RUN)

figureS10: deps ## Figure S10: noise that is made for one wrong word, and what interventions leave of it (8 min).
	@swift build -c release --product e3-wrong-word
	@$(BIN)/e3-wrong-word $(RUN)

figureS11: deps ## Figure S11: speech in noise and published Whispers, with the same interventions, after make published (60 min, 8.3 GiB).
	@swift build -c release --product e3-noise-published
	@$(BIN)/e3-noise-published $(RUN)

e3: figure6 figureS10 figure5 figureS11 ## Experiment E3: Figures 6, S10, 5 and S11; the last two after make published (117 min by count).

figureS5: deps ## Figure S5: directions of its projector's output that carry the answer, needing the same (30 min, 2.4 GiB).
	@swift build -c release --product published-subspace
	@$(BIN)/published-subspace $(RUN)

figureS8: deps ## Figure S8: what a map from coarse to fine finds of the whole one, after make published (35 min).
	@swift build -c release --product coarse-to-fine
	@$(BIN)/coarse-to-fine $(RUN)

figureS9: deps ## Figure S9: Figure 3's question put to the same speech LM, after make published (30 min, 2.8 GiB).
	@swift build -c release --product published-transfer
	@$(BIN)/published-transfer $(RUN)

ablations: deps ## What map and part owe to the protocol's choices: a figure and a table an axis (13 min; the seed's is make models-seeds).
	@swift build -c release --product ablations-of-the-map
	@swift build -c release --product ablations-of-the-part
	@$(BIN)/ablations-of-the-map $(RUN)
	@$(BIN)/ablations-of-the-part $(RUN)

rivals-tracing: deps ## Rivals: path patching, tracing from the brain, fusion tracing, AudioLens (2 min).
	@swift build -c release --product rivals-tracing
	@$(BIN)/rivals-tracing $(RUN)

rivals-circuits: deps ## Rivals: what a search is worth, as MIB measures it (1 min).
	@swift build -c release --product rivals-circuits
	@$(BIN)/rivals-circuits $(RUN)

rivals-features: deps ## Rivals: SPIRIT's neurons, AR&D's and AudioSAE's features (7 min).
	@swift build -c release --product rivals-features
	@$(BIN)/rivals-features $(RUN)

rivals-published: deps ## Rivals: AIR-Bench and fusion tracing on the speech LM of Figure 4, after make published (9 min, 2.8 GiB).
	@swift build -c release --product rivals-published
	@$(BIN)/rivals-published $(RUN)

rivals-whisper: deps ## Rivals: Beyond Transcription on published Whispers, after make published (10 min).
	@swift build -c release --product rivals-whisper
	@$(BIN)/rivals-whisper $(RUN)

rivals-paths: deps ## Rivals: path patching in published models, after make published (8 min, 2.8 GiB).
	@swift build -c release --product rivals-paths
	@$(BIN)/rivals-paths $(RUN)

rivals-spirit: deps ## Rivals: SPIRIT's neurons in the speech LM of Figure 4, after make published (9 min, 3.2 GiB).
	@swift build -c release --product rivals-spirit
	@$(BIN)/rivals-spirit $(RUN)

rivals-hallucination: deps ## Rivals: steering of a published Whisper's encoder by latents, after make published (7 min).
	@swift build -c release --product rivals-hallucination
	@$(BIN)/rivals-hallucination $(RUN)

rivals-probes: deps ## Rivals: what probes of published Whispers read, after make published (2 min).
	@swift build -c release --product rivals-probes
	@$(BIN)/rivals-probes $(RUN)

rivals: rivals-tracing rivals-circuits rivals-features rivals-published rivals-whisper rivals-paths rivals-spirit rivals-hallucination rivals-probes ## Other procedures beside their controls and TAP; the last six after make published (55 min).

sanity-published: deps ## The rows of that model in Figure S6, which make sanity draws; after make published (12 min).
	@swift build -c release --product published-sanity
	@$(BIN)/published-sanity $(RUN)

sanity: deps ## Figure S6: what would fool us, and whether it does; ends with status 1 where a check fails (3 min).
	@swift build -c release --product sanity-checks
	@$(BIN)/sanity-checks $(RUN)

test: deps-all ## All tests (1 min); ends with how many passed and failed.
	@swift build -c release --build-tests
	@mkdir -p build
	@swift test -c release --skip-build > build/test.log 2>&1; \
	grep -E '^(✘|error:|.*: error:)' build/test.log; \
	ran=$$(grep -cE '^[✔✘] Test run with [1-9]' build/test.log); \
	passed=$$(grep -E '^✔ Test ' build/test.log | grep -cE ' passed after '); \
	failed=$$(grep -E '^✘ Test ' build/test.log | grep -cE ' failed after '); \
	good=$$(grep -cE '^✔ Test run with' build/test.log); \
	bad=$$(grep -cE '^✘ Test run with' build/test.log); \
	if [ $$ran -eq 0 ]; then tail -n 20 build/test.log; echo "no test ran to its end; see build/test.log"; exit 1; fi; \
	if $(IMPORTING) > build/importing.log 2>&1 && grep -q '^0\..* connector\.out@' build/importing.log; then \
	  passed=$$((passed + 1)); \
	else \
	  echo "✘ README's program as a package of its own failed; see build/importing.log"; \
	  failed=$$((failed + 1)); \
	fi; \
	echo "$$((passed - good)) passed, $$((failed - bad)) failed"; \
	[ $$((failed + bad)) -eq 0 ]

test-cluster: deps-cluster ## A map as jobs of a real Slurm on this host, disturbed in every way; as root (2 min).
	@swift build -c release --product tap
	@Tests/Cluster/run.sh $(BIN)/tap

models: deps-all ## Train the four small checkpoints again, bit for bit (60 min; resumes where it was interrupted).
	@swift build -c release --product reproduce
	@$(BIN)/reproduce data
	@$(BIN)/reproduce corpus --part training
	@$(BIN)/reproduce train

models-seeds: deps-all ## Train the first checkpoint from three more seeds, and draw what differs (60 min; resumes; into build/trained).
	@swift build -c release --product reproduce
	@swift build -c release --product ablation-of-the-seed
	@$(BIN)/reproduce data
	@$(BIN)/reproduce corpus --part training
	@$(BIN)/reproduce train --study seeds
	@$(BIN)/ablation-of-the-seed $(RUN)

models-efficiency: deps-all ## Train twelve checkpoints on less, with and without alignment, and draw what it pays (85 min; resumes; into build/trained).
	@swift build -c release --product reproduce
	@swift build -c release --product data-efficiency
	@$(BIN)/reproduce data
	@$(BIN)/reproduce corpus --part training
	@$(BIN)/reproduce train --study sizes
	@$(BIN)/data-efficiency $(RUN)

models-published: deps-all ## Train the projector between two published halves again, bit for bit (2 h, 3.1 GiB, after make published; resumes).
	@swift build -c release --product reproduce
	@$(BIN)/reproduce data
	@$(BIN)/reproduce corpus --part training
	@$(BIN)/reproduce corpus --part free
	@$(BIN)/reproduce join $(FRESH)

projectors: deps-all ## The projector between two published halves trained on, alone and in three other ways (50 min, 3.1 GiB, after make published; resumes; into build/trained).
	@swift build -c release --product reproduce
	@$(BIN)/reproduce data
	@$(BIN)/reproduce corpus --part training
	@$(BIN)/reproduce corpus --part free
	@$(BIN)/reproduce projectors

data: deps-fetch ## Find the human recordings (TAP_DATA) or fetch them, 20 MB, into build/data.
	@swift build -c release --product reproduce
	@$(BIN)/reproduce data

published: deps-fetch ## Find models that others trained (TAP_MODELS) or fetch them, 0.9 GB, into build/models (1 min).
	@swift build -c release --product reproduce
	@$(BIN)/reproduce published

corpus: deps-all ## Speak the corpus again and compare it with its manifests (7 min).
	@swift build -c release --product reproduce
	@$(BIN)/reproduce corpus

sounds: deps ## Make the sounds that are not speech again and compare them with their manifest (10 s).
	@swift build -c release --product reproduce
	@$(BIN)/reproduce sounds

# The small checkpoints' experiments, whose figures the paper takes; each skips what is unchanged.
PAPER_RUNS := method-on-one-pair e1-causal-map maps-by-model search-methods e1-across-models e3-noise e3-wrong-word causal-transfer sanity-checks \
  ablations-of-the-map ablations-of-the-part rivals-tracing rivals-circuits rivals-features
PUBLISHED_RUNS := published-whisper published-hallucination published-speech-lm published-subspace published-transfer published-sanity e3-hallucination e3-noise-published coarse-to-fine \
  rivals-published rivals-whisper rivals-paths rivals-spirit rivals-hallucination rivals-probes
# What `make check ONLY=` takes beside the name of a program.
ONLY_e1 := e1-causal-map maps-by-model e1-across-models
ONLY_e2 := causal-transfer
ONLY_e3 := e3-noise e3-wrong-word
ONLY_ablations := ablations-of-the-map ablations-of-the-part
ONLY_sanity := sanity-checks
ONLY_rivals := rivals-tracing rivals-circuits rivals-features
ONLY_figure1 := method-on-one-pair
ONLY_figure2 := e1-causal-map
ONLY_figure3 := causal-transfer
ONLY_figure4 := published-speech-lm
ONLY_figure5 := e3-hallucination
ONLY_figure6 := e3-noise
CHECK_RUNS = $(if $(ONLY),$(foreach name,$(ONLY),$(or $(ONLY_$(name)),$(filter $(name),$(PAPER_RUNS) $(PUBLISHED_RUNS)),\
  $(error ONLY=$(name) is no experiment that is checked; there are e1 e2 e3 ablations rivals sanity figure1 to figure6 $(PAPER_RUNS) $(PUBLISHED_RUNS)))),\
  $(PAPER_RUNS) $(if $(PUBLISHED),$(PUBLISHED_RUNS)))

check: deps ## Verify every data file, and that every figure and number comes out as committed (50 minutes by count; ONLY=e2 checks one experiment; with PUBLISHED=1 those of published models too, three hours more).
	@echo "$(strip $(CHECK_RUNS))"
	@sha256sum --quiet -c data-manifests/SHA256SUMS && echo "data: all digests agree"
	@$(if $(ONLY),for run in reproduce $(CHECK_RUNS); do swift build -c release --product $$run || exit 1; done,swift build -c release)
	@rm -rf build/check/figures build/check/paper
	@mkdir -p build/check/paper
ifndef ONLY
	@cp paper/accuracies.tsv build/check/paper/
	@$(BIN)/reproduce evaluate --table build/check/paper/accuracies.tsv > /dev/null
endif
	@# What other runs have stored does not count; what an interrupted check has stored does.
	@for experiment in $(CHECK_RUNS); do \
	  TAP_CELLS=build/check/cells $(BIN)/$$experiment $(FRESH) --out build/check || exit 1; \
	done
	@rm -rf build/check/cells
	@# The same numbers in two files of columns, for a second opinion that is not ours.
	@tail -n +2 build/check/paper/numbers.tsv | cut -f 1-4 | sort > build/check/rerun.columns
	@tail -n +2 paper/numbers.tsv | cut -f 1-4 | sort | join -t "$$(printf '\t')" - <(cut -f 1 build/check/rerun.columns) \
	  > build/check/paper.columns
	@$(BIN)/reproduce compare build/check $(if $(ONLY),--rerun-only) --json build/check/verdicts.json
	@echo "also in build/check/verdicts.json; and by another program: numdiff -r 1e-6 build/check/paper.columns build/check/rerun.columns"

evaluate: deps ## What the checkpoints transcribe, translate, answer and choose, with floors (6 min).
	@swift build -c release --product reproduce
	@$(BIN)/reproduce evaluate --table paper/accuracies.tsv

evaluate-published: deps ## What is made of published weights writes, answers and chooses, after make published (30 min for recognisers; two hours for the speech LM, of which SETS="evaluation human" takes some; resumes).
	@swift build -c release --product reproduce
	@$(BIN)/reproduce evaluate --published $(if $(SETS),qwen2-audio-published --sets $(SETS)) --table paper/accuracies.tsv

parity: deps ## Six architectures: every activation, gradient and patch against the reference (5 s).
	@swift build -c release --product reproduce
	@$(BIN)/reproduce parity $(GOLDEN) Tests/SpeechTests/Fixtures/variants/*/

oracles: deps ## What is known beforehand: 15 oracle tests, planted bottlenecks, simulated data (40 s).
	@swift build -c release --product reproduce
	@$(BIN)/reproduce oracles

# The Python side of bench; pip's own settings say where from. A PyTorch for the processor alone is a tenth as large.
BENCH_VENV := build/bench-venv
BENCH_PIP := $(BENCH_VENV)/bin/pip install -q --disable-pip-version-check
# Debian keeps what makes virtual environments apart from Python.
PYTHON = $(if $(shell python3 -c 'import ensurepip' 2> /dev/null && echo there),,python3 python3-venv)
$(BENCH_VENV)/installed: Tests/Peers/requirements.txt Tests/Peers/requirements-bench.txt
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "bench wants Python 3.11 or later"; exit 1; }
	@rm -rf $(BENCH_VENV) && python3 -m venv $(BENCH_VENV)
	@$(BENCH_PIP) -r Tests/Peers/requirements.txt && $(BENCH_PIP) --no-deps -r Tests/Peers/requirements-bench.txt
	@touch $@

# `make bench BENCH="--only small --rounds 2"` takes a part of it.
bench: ## Time and memory beside PyTorch hooks, TransformerLens, nnsight and pyvene: build/bench.tsv (not run whole yet, 4 h by count; BENCH="--only small" takes one model).
	@$(call install,$(PACKAGES) $(PYTHON))
	@$(MAKE) -s --no-print-directory $(BENCH_VENV)/installed
	@swift build -c release --product reproduce
	@swift build -c release --product tap
	@$(BENCH_VENV)/bin/python Tests/Peers/bench.py $(BENCH)

break: deps ## Edit the experiments so that each claim must fail, in a clone below build, and look whether it does (5 min; CLAIM=C1 takes one).
	@CLAIM="$(CLAIM)" Tests/Break/run.sh

tour: deps ## The twelve verbs of tap on the shipped checkpoint, as README shows them (1 min).
	@swift build -c release --product tap
	@sed -n '/^```sh$$/,/^```$$/p' README.md | grep -v '^```' | bash -euo pipefail

PAPER_TEX = $(wildcard paper/*.tex paper/sections/*.tex paper/*.bib build/paper/*.tex build/paper/tables/*.tex) $(wildcard figures/*.pdf)

paper: deps-paper ## The paper, build/paper/paper.pdf (60 min; with FAST=1 of the committed figures, 1 min).
	@$(if $(FAST),,for run in $(PAPER_RUNS); do \
	  swift build -c release --product $$run && $(BIN)/$$run $(FRESH) || exit 1; done)
	@swift build -c release --product reproduce
	@$(BIN)/reproduce paper
	@# LaTeX numbers the headings; a path may break behind a slash.
	@sed -E '1,2{/^# /d}; s/^## [0-9]+ /## /' paper/definitions.md | pandoc -f markdown-auto_identifiers -t latex \
	  | sed -E ':again; s#(\\texttt\{[^}]*/)([A-Za-z])#\1\\allowbreak \2#; t again' > build/paper/definitions.new \
	  && { cmp -s build/paper/definitions.new build/paper/definitions.tex || cp build/paper/definitions.new build/paper/definitions.tex; }
	@$(MAKE) -s --no-print-directory build/paper/paper.pdf
	@pdfinfo build/paper/paper.pdf 2>/dev/null | awk '/^Pages/ { print "build/paper/paper.pdf: " $$2 " pages" }'

# LaTeX runs here and sees relative paths only, so that the PDF names no folder.
build/paper/paper.pdf: $(PAPER_TEX)
	@run() { FORCE_SOURCE_DATE=1 max_print_line=200 "$$@" > build/paper/run.log 2>&1 || { \
	  grep -E -A3 '^(!|.*:[0-9]+:)|not found' build/paper/run.log | head -20; echo "$$1 failed; see build/paper/run.log"; return 1; }; }; \
	latex() { run pdflatex -interaction=nonstopmode -halt-on-error -file-line-error -output-directory=build/paper paper/paper.tex; }; \
	latex && run bibtex build/paper/paper && latex && latex
	@# What LaTeX only warns of and a reader would miss: a float cut off, a reference to nothing.
	@if grep -E 'Float too large|(Reference|Citation) .* undefined|multiply defined' build/paper/paper.log; then \
	  rm build/paper/paper.pdf; echo "build/paper/paper.log warns of what a reader would miss"; exit 1; \
	fi

abstract: deps ## The abstract with its numbers, and where each of them comes from (1 s).
	@swift build -c release --product reproduce
	@$(BIN)/reproduce abstract

provenance: deps ## An in-toto statement for each figure, in build/provenance (1 s).
	@swift build -c release --product reproduce
	@$(BIN)/reproduce provenance

crate: deps ## The paper's files with RO-Crate metadata, in build/crate (2 s).
	@swift build -c release --product reproduce
	@$(BIN)/reproduce crate --date "$$(git log -1 --format=%cs)"

readme: deps ## README's table of claims again, from the ledger (1 s).
	@swift build -c release --product reproduce
	@$(BIN)/reproduce readme

# The maps that are explored: of each small checkpoint and task, twelve pairs of the discovery split, which a map
# that is only looked at may use up.
EXPLORED := $(foreach model,qwen2-audio-small qwen2-audio-ctc-small salmonn-small soundwave-small, \
  $(foreach task,answer transcription translation,$(model)--$(task)))

explorer: deps-explorer ## Maps to look at and to hear, with what is said where a cell is patched: build/explorer.html (10 min).
	@swift build -c release --product tap
	@swift build -c release --product reproduce
	@mkdir -p build/explorer
	@for map in $(EXPLORED); do \
	  echo "$${map%--*}, $${map#*--}"; \
	  $(BIN)/tap map --model artifacts/$${map%--*} --pairs data-manifests/evaluation.json --task $${map#*--} \
	    --split discovery --limit 12 --out build/explorer/$$map.map.json \
	    --explorer build/explorer/$$map.json > build/explorer/$$map.txt || exit 1; \
	done
	@$(BIN)/reproduce explorer $(EXPLORED:%=build/explorer/%.json)

PANDOC_PAGE := pandoc -s --mathml --self-contained --css paper/page.css

pages: deps-all ## The experiments as web pages with their outputs, build/pages/index.html (20 s).
	@swift build -c release --product reproduce
	@$(BIN)/reproduce pages
	@for f in Sources/Experiments/*.swift Sources/Experiments/*/*.swift; do \
	  $(PANDOC_PAGE) -f paper/weave.lua --metadata pagetitle=$$(basename $$f .swift) \
	    -o build/pages/$$(basename $$f .swift).html $$f || exit 1; \
	done
	@$(PANDOC_PAGE) -f markdown -o build/pages/index.html build/pages/work/index.md && echo build/pages/index.html

docs: deps ## The libraries' interface as web pages, in build/docs (4 min).
	@[ -x "$$(dirname "$$(readlink -f "$$(command -v swift)")")/docc" ] \
	  || { echo "There is no docc beside swift; install the whole toolchain from https://www.swift.org/install/linux"; exit 1; }
	@mkdir -p build && rm -rf build/docs
	@TAP_DOCS=1 swift package --scratch-path build/docs-work --allow-writing-to-directory build \
	  generate-documentation $(addprefix --target ,$(LIBRARIES)) \
	  --enable-experimental-combined-documentation --transform-for-static-hosting \
	  --disable-parameters-and-returns-validation \
	  --warnings-as-errors --output-path build/docs > build/docs.log 2>&1 \
	  || { grep -E 'warning:|error:' build/docs.log | head -20; echo "no pages; see build/docs.log"; exit 1; }
	@echo "build/docs/documentation/interventions/index.html, and a page a library: $(LIBRARIES)"

# Which readers, and for how many seconds each. The limits: of seconds an input may take, of MB that
# the process may fill (libFuzzer's own part is some 100), of MB in one allocation. Swift's own report
# of a crash is off, since libFuzzer would not keep the input.
READERS := json safetensors torch pickle ctranslate2 gguf tokenizer sentencepiece text audio folder
FUZZ_SECONDS := 600
FUZZ := -timeout=10 -rss_limit_mb=1500 -malloc_limit_mb=256 -max_len=8192 -print_final_stats=1

fuzz: deps ## libFuzzer on the readers of files, 10 min each (1.7 h; READERS=json takes one).
	@TAP_FUZZ=1 swift build -c release --scratch-path build/fuzz --product fuzz \
	  -Xswiftc -sanitize=fuzzer -Xswiftc -use-ld=lld
	@for reader in $(READERS); do \
	  mkdir -p build/fuzz/found/$$reader build/fuzz/tmp; \
	  log=build/fuzz/$$reader.log; \
	  SWIFT_BACKTRACE=enable=no TMPDIR=$$PWD/build/fuzz/tmp build/fuzz/release/fuzz --reader=$$reader $(FUZZ) \
	    -max_total_time=$(FUZZ_SECONDS) -dict=Tests/Fuzz/dictionary \
	    -artifact_prefix=build/fuzz/$$reader- build/fuzz/found/$$reader Tests/Fuzz/corpus/$$reader \
	    > $$log 2>&1 || { tail -n 30 $$log; echo "$$reader: failed, see $$log"; exit 1; }; \
	  runs=$$(sed -n 's/^stat::number_of_executed_units: *//p' $$log); \
	  echo "$$reader: $$runs runs, no crash"; \
	done

lint: ## Formatting, as CI demands it.
	@swift format lint --strict --recursive Sources Tests Package.swift

clean: ## Remove everything that was built or downloaded here.
	@rm -rf .build build
