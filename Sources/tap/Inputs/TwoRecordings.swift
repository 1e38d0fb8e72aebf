// Two recordings with one prompt and two answers, as the verbs take them that exchange activations between
// the runs of both.

import ArgumentParser
import Corpus
import Interventions
import JSON
import Notebook
import Speech

struct TwoRecordings: ParsableArguments {
  @OptionGroup var options: ModelOptions
  @Option(help: "The recording whose run is patched.") var base: String
  @Option(help: "The recording whose activation is put in.") var source: String
  @Option(help: "The text of the prompt.") var prompt: String?
  @Option(help: "The prompt's tokens, as in 5,7,audio,62.") var promptIds: String?
  @Option(help: "The answer; a text, or with --prompt-ids tokens separated by commas.")
  var answer: String
  @Option(help: "The answer that it is compared with.") var foil: String
  @Option(help: "auto, identity, linear, segments or dtw.") var alignment = AlignmentChoice
    .automatic
  @Option(help: "A TextGrid of the base recording, for the alignment by segments.")
  var baseTextgrid: String?
  @Option(help: "A TextGrid of the source recording.") var sourceTextgrid: String?

  func validate() throws {
    if (prompt == nil) == (promptIds == nil) {
      throw ValidationError("give --prompt or --prompt-ids, one of them")
    }
    try options.checkTemplate(unusedBy: promptIds)
    if (baseTextgrid == nil) != (sourceTextgrid == nil) {
      throw ValidationError("give TextGrids of both recordings or of neither")
    }
  }

  func opened() throws -> OpenedModel { try OpenedModel(options, needsText: promptIds == nil) }

  func answers(_ opened: OpenedModel) throws -> Answers {
    try Answers(answer: tokens(answer, opened), foil: tokens(foil, opened))
  }

  func promptTokens(_ opened: OpenedModel) throws -> [Int] {
    try promptIds.map { try parsedTokens($0, placeholder: opened.model.placeholder) }
      ?? opened.tokens(ofPrompt: prompt!)
  }

  /// Boundaries of both recordings, where TextGrids are given.
  func segments() throws -> (base: [Segment], source: [Segment])? {
    guard let baseTextgrid, let sourceTextgrid else { return nil }
    func read(_ path: String, of recording: String) throws -> [Segment] {
      let grid = try TextGrid(contentsOf: path)
      do {
        let segments = try grid.segments()
        try segments.checkEnd(in: Waveform(contentsOf: recording))
        return segments
      } catch let error as TextGridError { throw TextGridError("\(path): \(error)") }
    }
    return (try read(baseTextgrid, of: base), try read(sourceTextgrid, of: source))
  }

  /// How results name model and recordings.
  func stated(_ opened: OpenedModel) throws -> [String: JSON] {
    opened.prompting.merging([
      "model": .string(opened.folder), "model_sha256": .string(try opened.digest().description),
      "unexpected_tensors": opened.unexpectedTensors,
      "base": .string(base), "base_sha256": .string(try Digest(ofFile: base).description),
      "cut_short": .array(
        try [base, source].filter {
          try Waveform(contentsOf: $0).duration > opened.model.longestClip
        }
        .map { .string($0) }),
      "source": .string(source), "source_sha256": .string(try Digest(ofFile: source).description),
    ]) { $1 }
  }

  private func tokens(_ text: String, _ opened: OpenedModel) throws -> [Int] {
    promptIds == nil
      ? try opened.tokens(ofAnswer: text)
      : try parsedTokens(text, placeholder: nil, option: "an answer")
  }
}

/// - Throws: where a control is the base or the source itself, whose effect is known before.
func checkControls(_ controls: [(option: String, path: String?)], of pair: TwoRecordings) throws {
  for (option, path) in controls {
    guard let path, [pair.base, pair.source].map(place(of:)).contains(place(of: path)) else {
      continue
    }
    throw ValidationError(
      "\(option) \(path): is the \(place(of: path) == place(of: pair.base) ? "base" : "source") itself, "
        + "which is no control; name another recording")
  }
}

/// How results name a recording that may not be given.
func fileEntry(_ path: String?) throws -> JSON {
  try path.map {
    ["file": .string($0), "sha256": .string(try Digest(ofFile: $0).description)]
  } ?? "none"
}
