// What `tap` is asked: a model, a recording where it hears, and a prompt, opened and checked.

import ArgumentParser
import Foundation
import JSON
import Speech
import Tensor

/// The options that `tap logits` and `tap generate` share.
struct QuestionOptions: ParsableArguments {
  @OptionGroup var model: ModelOptions

  @Option(
    help:
      "The recording; any rate and number of channels. A language model without sound takes none.")
  var audio: String?

  @Option(help: "The text of the prompt, put into the model's published template.")
  var prompt: String?

  @Flag(help: "A language model without sound: the prompt as it is, without its chat template.")
  var plain = false

  @Option(
    help: """
      The tokens themselves, separated by commas, with the sound's place as the model's placeholder \
      token or as the word "audio", as in 5,7,audio,62. Whisper: the decoder's tokens; Moshi: the \
      text stream.
      """)
  var promptIds: String?

  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    if prompt != nil && promptIds != nil {
      throw ValidationError("give --prompt or --prompt-ids, not both")
    }
    try model.checkTemplate(unusedBy: promptIds)
    guard promptIds == nil || !plain else {
      throw ValidationError(
        "--prompt-ids are the whole prompt, so that --plain says nothing; leave it out")
    }
  }
}

/// A model with what it is asked.
struct OpenedQuestion {
  let tokenizer: Tokenizer?
  private let asked: Asked
  /// What results state of the model and its recording.
  let members: [String: JSON]

  private enum Asked {
    case heard(any SpeechLanguageModel, ModelInput)
    /// A language model without sound.
    case read(TextModel, [Int])
  }

  init(_ options: QuestionOptions) throws {
    let path = options.model.model
    if try openConfig(folder: path) is Qwen2Config {
      guard options.audio == nil else {
        throw ValidationError(
          "\(path) is a language model without sound; leave --audio out, or take a speech language "
            + "model")
      }
      let model = try TextModel(folder: path)
      try checkUse(of: path, model.unexpected, options.model.strict)
      let template = try options.template(for: model.config)
      tokenizer = try options.tokenizer()
      asked = .read(
        model, try options.tokens(model.config, placeholder: nil, template, tokenizer))
      members = [
        "model": .string(path), "unexpected_tensors": names(ofUnexpected: model.unexpected),
      ]
      return
    }
    guard let audio = options.audio else {
      throw ValidationError("give --audio, the recording that \(path) is asked about")
    }
    let folder = try options.model.opened()
    let model = folder.model
    let template = try options.template(for: folder.config)
    let wave = try heard(audio)
    let seconds = wave.duration
    let secondsHeard = min(seconds, model.longestClip)
    let tokenizer = try options.tokenizer()
    self.tokenizer = tokenizer
    let tokens = try options.tokens(
      folder.config, placeholder: model.placeholder, template, tokenizer)
    let clip: Clip
    do { clip = try model.clip(wave) } catch { throw CheckpointError("\(audio): \(error)") }
    asked = .heard(model, ModelInput(clip: clip, tokens: tokens))
    members = [
      "model": .string(path), "audio": .string(audio), "seconds": .number(seconds),
      "seconds_heard": .number(secondsHeard), "unexpected_tensors": folder.unexpectedTensors,
    ]
    if seconds > secondsHeard {
      warn(
        "\(audio) lasts \(formatted(seconds)) s; the model takes \(formatted(secondsHeard)) s: only "
          + "its beginning is used")
    }
  }

  /// The logits of the last position, [1, vocabulary], and how many positions there are.
  ///
  /// - Throws: where they are no numbers.
  func logits() throws -> (last: Tensor, positions: Int) {
    let found = try run()
    guard found.last.numbers.allSatisfy(\.isFinite) else {
      throw CheckpointError(
        "the model's logits are no numbers: something overflows on the way; look for weights or constants of "
          + "config.json that are far too large or too small")
    }
    return found
  }

  private func run() throws -> (last: Tensor, positions: Int) {
    switch asked {
    case .heard(let model, let input):
      let logits = try model.run(input, tap: nil).logits
      return (gatherRows(logits, [logits.rows - 1]), logits.rows)
    case .read(let model, let tokens):
      return (try model.logits(of: tokens, rows: [tokens.count - 1]), tokens.count)
    }
  }

  func generate(_ config: GenerationConfig, progress: (Int) -> Void) throws -> Generated {
    switch asked {
    case .heard(let model, let input):
      return try model.generate(input, config, progress: progress)
    case .read(let model, let tokens):
      return try model.generate(tokens, config, progress: progress)
    }
  }

  /// A token as a reader sees it.
  func text(_ token: Int) -> String? { tokenizer.map { $0.decode([token]) } }
}

extension QuestionOptions {
  /// The folder's tokenizer, which tokens given as numbers do not need.
  fileprivate func tokenizer() throws -> Tokenizer? {
    do {
      return try Tokenizer(folder: model.model)
    } catch {
      if promptIds != nil { return nil }
      throw error
    }
  }

  fileprivate func template(for config: any ModelConfig) throws -> PromptTemplate {
    var template = try model.template(for: config)
    template.isPlain = plain
    do { try template.check(config) } catch { throw TokenizerError("\(model.model): \(error)") }
    return template
  }

  fileprivate func tokens(
    _ config: any ModelConfig, placeholder: Int?, _ template: PromptTemplate,
    _ tokenizer: Tokenizer?
  ) throws -> [Int] {
    if let promptIds { return try parsedTokens(promptIds, placeholder: placeholder) }
    guard let tokenizer, prompt != nil || config is WhisperConfig || config is MoshiConfig else {
      throw ValidationError("give --prompt or --prompt-ids")
    }
    return try template.tokens(prompt ?? "", for: config, tokenizer)
  }
}

/// Token ids separated by commas; the word `audio` is the placeholder.
func parsedTokens(_ list: String, placeholder: Int?, option: String = "--prompt-ids") throws
  -> [Int]
{
  try list.split(separator: ",", omittingEmptySubsequences: false).map { part in
    let word = part.trimmingCharacters(in: .whitespaces)
    if word == "audio", let placeholder { return placeholder }
    guard let token = Int(word) else {
      throw ValidationError(
        "\(option): \(quoted(word)) is not a token; write numbers separated by commas, and \"audio\" "
          + "where the sound goes")
    }
    return token
  }
}

func warn(_ message: String) {
  FileHandle.standardError.write(Data("tap: \(fitted(message))\n".utf8))
}

func formatted(_ seconds: Double) -> String {
  String(format: "%g", (seconds * 1000).rounded() / 1000)
}
