// What `tap` is asked: a model, a recording and a prompt, opened and checked.

import ArgumentParser
import Foundation
import JSON
import Speech
import Tensor

/// The options that `tap logits` and `tap generate` share.
struct QuestionOptions: ParsableArguments {
  @OptionGroup var model: ModelOptions

  @Option(help: "The recording; any rate and number of channels.") var audio: String

  @Option(help: "The text of the prompt, put into the model's published template.")
  var prompt: String?

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
  }
}

/// A model with what it is asked.
struct OpenedQuestion {
  let folder: OpenedFolder
  let tokenizer: Tokenizer?
  let input: ModelInput
  /// Seconds of the recording, and how many of them the model hears.
  let seconds: Double
  let secondsHeard: Double

  init(_ options: QuestionOptions) throws {
    folder = try options.model.opened()
    let model = folder.model
    let template = try options.model.template(for: folder.config)
    let wave = try heard(options.audio)
    seconds = wave.duration
    secondsHeard = min(seconds, model.longestClip)
    let tokenizer = try options.tokenizer()
    self.tokenizer = tokenizer
    let tokens = try options.tokens(folder, template, tokenizer)
    let clip: Clip
    do { clip = try model.clip(wave) } catch {
      throw CheckpointError("\(options.audio): \(error)")
    }
    input = ModelInput(clip: clip, tokens: tokens)
    if seconds > secondsHeard {
      warn(
        "\(options.audio) lasts \(formatted(seconds)) s; the model takes \(formatted(secondsHeard)) "
          + "s: only its beginning is used")
    }
  }

  var model: any SpeechLanguageModel { folder.model }

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

  fileprivate func tokens(
    _ opened: OpenedFolder, _ template: PromptTemplate, _ tokenizer: Tokenizer?
  ) throws -> [Int] {
    if let promptIds { return try parsedTokens(promptIds, placeholder: opened.model.placeholder) }
    let config = opened.config
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
