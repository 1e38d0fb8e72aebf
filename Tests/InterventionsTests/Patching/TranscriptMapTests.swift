// The map of a pair in a recogniser, on the golden Whisper with a tokenizer of plain words.

import Corpus
import Foundation
import Interventions
import Speech
import Testing

@Suite struct TranscriptMapTests {
  let folder: String
  let recogniser: Recogniser
  let suite: PairSuite

  init() throws {
    let golden = "\(#filePath.split(separator: "/Tests/")[0])/Tests/SpeechTests/Fixtures/whisper"
    let folder =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("transcript-\(UUID().uuidString)").path
    try FileManager.default.copyItem(
      atPath: golden.hasPrefix("/") ? golden : "/\(golden)", toPath: folder)
    let named = [100: "<|startoftranscript|>", 105: "<|notimestamps|>", 10: "Say"]
    let words = (0..<131).map { "\"\(named[$0] ?? "w\($0)")\": \($0)" }.joined(separator: ", ")
    let added = [100, 105].map {
      "{\"id\": \($0), \"content\": \"\(named[$0]!)\", \"single_word\": false, \"lstrip\": false, "
        + "\"rstrip\": false, \"normalized\": false, \"special\": true}"
    }.joined(separator: ", ")
    func write(_ name: String, _ text: String) throws {
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    }
    try write(
      "tokenizer.json",
      "{\"added_tokens\": [\(added)], \"pre_tokenizer\": {\"type\": \"WhitespaceSplit\"}, "
        + "\"model\": {\"type\": \"WordLevel\", \"vocab\": {\(words)}, \"unk_token\": \"w9\"}}")
    try write("generation_config.json", "{\"is_multilingual\": false}")
    func utterance(_ id: String, _ file: String, _ text: String) -> String {
      "{\"id\": \"\(id)\", \"file\": \"\(file)\", \"text\": \"\(text)\", \"voice\": \"v\", "
        + "\"split\": \"test\", \"questions\": [], "
        + "\"phones\": [[\"a\", 0, 3200], [\"b\", 3200, 4800], [\"c\", 4800, 8000]]}"
    }
    func pair(_ id: String, _ alignment: String) -> String {
      "{\"id\": \"\(id)\", \"clean\": \"one\", \"corrupt\": \"two\", \"alignment\": \"\(alignment)\", "
        + "\"prompt\": \"\", \"answers\": [\"w20\", \"w30\"], \"changedPhone\": 1, \"slot\": \"s\", "
        + "\"group\": \"g\"}"
    }
    try write(
      "pairs.json",
      "{\"sampleRate\": 16000, \"utterances\": ["
        + "\(utterance("one", "source_eq.wav", "say w20 w5")), "
        + "\(utterance("two", "base.wav", "say w30 w5"))], "
        + "\"pairs\": [\(pair("known", "identity")), \(pair("unknown", "linear"))]}")
    self.folder = folder
    recogniser = try Recogniser(folder: folder)
    suite = try PairSuite(manifest: "\(folder)/pairs.json")
  }

  @Test func integrityIsExactAndCellsAreThoseOfFullRuns() throws {
    let pair = suite.pairs[0]
    let found = try recogniser.map(
      pair, unrelated: pair, root: folder, recordings: nil, searching: true)
    let grid = TranscriptGrid(recogniser.model)
    #expect(found.map.selfPatched.allSatisfy { $0 == 0 } && !found.map.selfPatched.isEmpty)
    #expect(found.map.allPatched.allSatisfy { $0 == 1 } && !found.map.allPatched.isEmpty)
    #expect(abs(found.map.gap) > 1e-3)

    let (clean, corrupt) = try recogniser.questions(for: pair, root: folder)
    let keeping = grid.keys + grid.values
    let source = try recogniser.model.trace(clean, keeping: keeping)
    let base = try recogniser.model.trace(corrupt, keeping: keeping)
    let windows = TranscriptGrid.windows(pair, end: 10 * Double(clean.clip.validFrames))
    var moved = 0
    for (s, site) in grid.sites.enumerated() {
      for (w, window) in windows.enumerated() {
        guard let window,
          let selection = try Selection(
            Cell(site, window), base: base, source: source, .identity)
        else {
          #expect(found.map.sufficiency[s][w] == nil)
          continue
        }
        let plain = try recogniser.model.patched(
          base, [[selection.patch()]], resuming: false, skipping: false)[0]
        #expect(found.map.sufficiency[s][w] == plain.logitDifference, "\(site)@\(window)")
        if plain.logitDifference != found.map.corrupt { moved += 1 }
      }
    }
    #expect(moved > 10)
    // The pair itself as its own stranger is the source.
    #expect(found.map.unrelated.count == grid.encoder.count)
    for (row, real) in zip(found.map.unrelated, found.map.sufficiency) {
      #expect(abs(row[0]! - real[TranscriptGrid.changed]!) < 1e-3)
    }
    #expect(found.crossHeads.joined().contains { $0 != found.map.corrupt })
    #expect(found.crossHeads.count == recogniser.model.config.layers)
    #expect(found.ownHeads[0].count == grid.heads)
  }

  @Test func aKnownMapHoldsEveryCellAndEveryBlockOfAPlan() throws {
    let (clean, corrupt) = try recogniser.questions(for: suite.pairs[0], root: folder)
    let source = try recogniser.model.trace(clean)
    let base = try recogniser.model.trace(corrupt)
    let columns = try WindowPlan.time(40).windows(length: 500, segments: nil, text: 2)
    let rows = try recogniser.model.rows("residual", in: base)
    let plan = try #require(BlockPlan(rows: rows, columns: columns, wide: 4))
    let known = try recogniser.model.knownMap(
      base, from: source, rows: rows, windows: columns.map(\.window), plan: plan)
    func recovery(_ cells: [Cell]) throws -> Double? {
      try recogniser.model.patched(base, from: source, cells: [cells])[0].map {
        ($0 - base.logitDifference) / (source.logitDifference - base.logitDifference)
      }
    }
    func cell(_ row: Int, _ column: Int) -> Cell {
      Cell(rows[row].site, columns[column].window)
    }
    for row in rows.indices {
      for column in columns.indices {
        let own = try recovery([cell(row, column)])
        #expect(known.recoveries[row][column] == own, "\(row) \(column)")
        #expect((known.estimates[row][column] == nil) == (own == nil))
      }
    }
    #expect(known.blocks.count == plan.blocks.count)
    for (block, value) in zip(plan.blocks, known.blocks) {
      #expect(try recovery(block.cells.map { cell($0.row, $0.column) }) == value, "\(block)")
    }
    #expect(known.blocks.contains { $0.map { abs($0) > 1e-3 } ?? false })

    // A map from coarse to fine of its own patches what the trial reads off, and finds the same there.
    let trial = CoarseTrial(known, plan, splitAt: 0.3, hit: 0.1, sample: 5, Random(seed: 3))
    let own = try recogniser.model.coarseMap(
      base, from: source, rows: rows, windows: columns.map(\.window), plan: plan, splitAt: 0.3,
      sample: 5, Random(seed: 3))
    #expect(own.map.isPatched == trial.map.isPatched && own.map.drawn == trial.map.drawn)
    let isPatched = own.map.isPatched
    #expect(own.map.drawn.count > 1)
    #expect(isPatched.joined().contains(true) && isPatched.joined().contains(false))
    for row in rows.indices {
      for column in columns.indices {
        let expected = isPatched[row][column] ? known.recoveries[row][column] : nil
        #expect(own.recoveries[row][column] == expected, "\(row) \(column)")
      }
    }
  }

  @Test func otherSoundIsAskedTheSame() throws {
    let pair = suite.pairs[0]
    let plain = try recogniser.questions(for: pair, root: folder)
    let silent = try recogniser.questions(for: pair, root: folder) {
      var wave = try $0.waveform(root: folder)
      wave.samples += [Float](repeating: 0, count: 1600)
      return wave
    }
    #expect(silent.clean.input.tokens == plain.clean.input.tokens)
    #expect(silent.clean.clip.validFrames == plain.clean.clip.validFrames + 10)
  }

  @Test func windowsHoldEveryPositionOnce() throws {
    let pair = suite.pairs[0]
    let question = try recogniser.questions(for: pair, root: folder).clean
    let trace = try recogniser.model.trace(question)
    let windows = TranscriptGrid.windows(pair, end: 10 * Double(question.clip.validFrames))
    let site = Site(.encoder, .embed)
    let positions = windows.prefix(5).flatMap { window in
      window.map { trace.timeline.positions(in: $0, at: site) } ?? []
    }
    #expect(positions == Array(0..<trace.timeline.count(at: site)))
    #expect(windows.count == TranscriptGrid.names.count)
  }

  @Test func unknownBoundariesHaveNoWindows() {
    let windows = TranscriptGrid.windows(suite.pairs[1], end: 500)
    #expect(windows.prefix(4).allSatisfy { $0 == nil })
    #expect(windows[4] != nil)
  }

  @Test func untrainedTwinsAreDrawnByName() throws {
    let draw = Random(seed: 3)
    let (a, b) = (recogniser.untrained(draw), recogniser.untrained(draw))
    let question = try recogniser.questions(for: suite.pairs[0], root: folder).clean
    let said = try [a, b, recogniser].map { try $0.model.trace(question).logitDifference }
    #expect(said[0] == said[1] && said[0] != said[2])
  }
}
