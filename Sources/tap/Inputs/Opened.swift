// What the verbs that compare two recordings share: a model opened with its tokenizer, questions of
// it, and how results name where they come from.

import ArgumentParser
import Corpus
import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Synchronization
import Tensor

/// A model opened for questions with two answers.
struct OpenedModel: Sendable {
  let folder: String
  let model: any SpeechLanguageModel
  /// Tensors of the folder that the model has no use for.
  let unexpectedTensors: JSON
  /// What the prompt was made with, as results state it.
  let prompting: [String: JSON]
  private let config: any ModelConfig
  private let tokenizer: Tokenizer?
  private let template: PromptTemplate

  /// - Parameter needsText: whether prompts and answers are texts, which only a tokenizer can read
  init(_ options: ModelOptions, needsText: Bool = true) throws {
    folder = options.model
    let opened = try options.opened()
    (config, model, unexpectedTensors) = (opened.config, opened.model, opened.unexpectedTensors)
    template = try options.template(for: config)
    prompting = [
      "chat": .bool(options.chat), "translate": .bool(options.translate),
      "language": needsText
        ? template.spokenLanguage(of: config).map { .string($0) } ?? .null : .null,
    ]
    do { tokenizer = try Tokenizer(folder: folder) } catch {
      if needsText { throw error }
      tokenizer = nil
    }
  }

  /// A digest of the folder's files.
  func digest() throws -> Digest {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    return Digest(
      ofParts: try names.flatMap { name -> [String] in
        let path = "\(folder)/\(name)"
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
          !isFolder.boolValue
        else { return [] }
        return [name, try Digest(ofFile: path).description]
      })
  }

  /// A model of the same configuration with random weights; nil of architectures that cannot be drawn.
  func untrained(_ random: Random) -> (any SpeechLanguageModel)? {
    switch config {
    case let config as WhisperConfig:
      Whisper(config, Weights(config.randomParameters(random)))
    case let config as any AudioLanguageConfig:
      AudioLanguageModel(config, Weights(config.randomParameters(random)))
    default: nil
    }
  }

  /// The tokens of an answer: a number, or a text of known words.
  func tokens(ofAnswer text: String) throws -> [Int] {
    guard let tokenizer else {
      return try parsedTokens(text, placeholder: nil, option: "an answer")
    }
    let unknown = try tokenizer.unknownWords(in: text)
    guard unknown.isEmpty else {
      throw TokenizerError(
        "the answer \(quoted(text)) has words that the tokenizer does not know: "
          + unknown.map { quoted($0) }.joined(separator: ", "))
    }
    return try tokenizer.encode(text, addingSpecialTokens: false)
  }

  /// What tokens say; nil without a tokenizer.
  func text(_ tokens: [Int]) -> String? {
    tokenizer.map { $0.decode(tokens).trimmingCharacters(in: .whitespaces) }
  }

  func tokens(ofPrompt text: String) throws -> [Int] {
    guard let tokenizer else {
      throw ValidationError("\(folder) has no tokenizer; give --prompt-ids")
    }
    return try template.tokens(text, for: config, tokenizer)
  }

  /// A question about a recording.
  func question(_ path: String, prompt: [Int], answers: Answers) throws -> Question {
    try question(heard(path), of: path, prompt: prompt, answers: answers)
  }

  /// A question about a sound.
  ///
  /// - Parameter name: the sound's, for errors
  func question(_ wave: Waveform, of name: String, prompt: [Int], answers: Answers) throws
    -> Question
  {
    let clip: Clip
    do { clip = try model.clip(wave) } catch { throw CellError("\(name): \(error)") }
    if wave.duration > model.longestClip {
      CutRecordings.warnOnce(of: name, lasting: wave.duration, model.longestClip)
    }
    return Question(ModelInput(clip: clip, tokens: prompt), answers)
  }

  /// What is said of answers that are longer than a token.
  func note(on answers: Answers) -> String? {
    guard answers.shared.count + answers.answer.count + answers.foil.count > 2 else { return nil }
    let forced =
      answers.shared.isEmpty
      ? "the answers differ at their first token"
      : "the answers share \(answers.shared.count) first tokens, which are teacher-forced"
    let said =
      model is Moshi
      ? "; they are said a token a frame from the recording's last frame on, while both voices are "
        + "silent" : ""
    return "\(forced); they are compared at the first token that differs; whole answers are scored "
      + "as the sequence metric\(said)"
  }
}

/// Recordings that are longer than what the model takes, each said once.
private enum CutRecordings {
  private static let said = Mutex<Set<String>>([])

  static func warnOnce(of name: String, lasting seconds: Double, _ most: Double) {
    guard said.withLock({ $0.insert(name).inserted }) else { return }
    warn(
      "\(name) lasts \(formatted(seconds)) s; the model takes \(formatted(most)) s: only its beginning is used"
    )
  }
}

/// A recording at 16 kHz in which something is to be heard.
func heard(_ path: String) throws -> Waveform {
  let wave = try Waveform(contentsOf: path)
  try wave.checkAudible(path)
  return wave
}

/// The two runs of a pair, and how they are joined in either direction.
struct OpenedPair: Sendable {
  let pair: RecordedPair
  let clean: Question
  let corrupt: Question
  let choice: AlignmentChoice
  let corruption: Corruption
  /// Whether the model takes the beginning of a recording alone.
  let isCut: Bool

  init(
    _ pair: RecordedPair, _ opened: OpenedModel, _ choice: AlignmentChoice,
    _ corruption: Corruption = .paired
  ) throws {
    do {
      let answers = try Answers(
        answer: opened.tokens(ofAnswer: pair.answer), foil: opened.tokens(ofAnswer: pair.foil))
      let prompt = try opened.tokens(ofPrompt: pair.prompt)
      let sound = try heard(pair.clean)
      clean = try opened.question(sound, of: pair.clean, prompt: prompt, answers: answers)
      try pair.segments?.clean.checkEnd(in: sound)
      var longest = sound.duration
      if let made = try corruption.sound(of: sound, pair: pair.id) {
        corrupt = try opened.question(made, of: pair.clean, prompt: prompt, answers: answers)
      } else {
        let other = try heard(pair.corrupt)
        longest = max(longest, other.duration)
        corrupt = try opened.question(other, of: pair.corrupt, prompt: prompt, answers: answers)
        try pair.segments?.corrupt.checkEnd(in: other)
      }
      isCut = longest > opened.model.longestClip
    } catch { throw CellError("pair \(pair.id): \(error)") }
    self.pair = pair
    self.choice = choice
    self.corruption = corruption
  }

  func base(_ direction: Direction) -> Question { direction == .sufficiency ? corrupt : clean }
  func source(_ direction: Direction) -> Question { direction == .sufficiency ? clean : corrupt }

  /// Boundaries of the base recording and of the source recording.
  func segments(_ direction: Direction) -> (base: [Segment], source: [Segment])? {
    pair.segments.map {
      // What is made of the clean recording has its boundaries.
      let corrupt = corruption == .paired ? $0.corrupt : $0.clean
      return direction == .sufficiency ? (corrupt, $0.clean) : ($0.clean, corrupt)
    }
  }

  func alignment(_ direction: Direction) throws -> Alignment {
    do {
      return try choice.alignment(
        base: base(direction).clip, source: source(direction).clip, segments: segments(direction))
    } catch { throw CellError("pair \(pair.id): \(error)") }
  }

  /// Milliseconds of the base run's sound.
  func length(_ direction: Direction) -> Double {
    let clip = base(direction).clip
    return clip.validFrames > 0 ? 10 * Double(clip.validFrames) : Double(clip.samples.count) / 24
  }
}

/// Directions by the words of the command line.
enum DirectionChoice: String, ExpressibleByArgument, CaseIterable {
  case both, sufficiency, necessity

  var directions: [Direction] {
    switch self {
    case .both: [.sufficiency, .necessity]
    case .sufficiency: [.sufficiency]
    case .necessity: [.necessity]
    }
  }
}

extension AlignmentChoice: ExpressibleByArgument {}
extension SpokenTask: ExpressibleByArgument {}
extension Metric: ExpressibleByArgument {}

extension Alignment {
  /// How results state it.
  var json: JSON {
    var members: [String: JSON] = ["name": .string(name)]
    if let cost { members["cost"] = .number(cost) }
    return .object(members)
  }
}

extension Outcome {
  var json: JSON {
    .object(
      Metric.allCases.reduce(into: [:]) { members, metric in
        if let value = self[metric] { members[metric.rawValue] = .number(value) }
      })
  }
}

extension Cost {
  var json: JSON {
    [
      "forwards": .number(forwards), "backwards": .number(backwards),
      "seconds": .number((seconds * 1000).rounded() / 1000),
      "peak_mebibytes": .integer(peakBytes >> 20),
    ]
  }

  var text: String {
    String(
      format: "%.0f forwards, %.0f backwards, %.1f s of one core, %d MiB", forwards, backwards,
      seconds, peakBytes >> 20)
  }
}

/// Numbers that may be missing.
func numbers(_ values: [Double?]) -> JSON {
  .array(values.map { $0.map { $0.isFinite ? .number($0) : .null } ?? .null })
}

/// Writes a JSON file whole or not at all, and prints it where wanted. What is printed says also how long
/// it took and in how much memory; the file has only what the next run of the same inputs gives again.
func write(_ json: JSON, to path: String, printing: Bool) throws {
  try writeAtomically(json.repeatable.text + "\n", to: path)
  if printing { print(json.text) }
}

extension JSON {
  /// Without the time and the memory of its costs.
  fileprivate var repeatable: JSON {
    guard let members else { return self }
    var kept = members
    for name in ["cost", "map_cost"] {
      guard let cost = kept[name]?.members else { continue }
      kept[name] = .object(cost.filter { $0.key != "seconds" && $0.key != "peak_mebibytes" })
    }
    return .object(kept)
  }
}

/// The path of a file that holds what an interrupted run has computed, beside its output.
func journal(beside path: String) -> String {
  let url = URL(fileURLWithPath: path)
  return url.deletingLastPathComponent().appendingPathComponent(
    ".\(url.lastPathComponent).journal"
  ).path
}
