// `tap generate`: what the model says.

import ArgumentParser
import Foundation
import JSON
import Speech

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The most probable answer, token by token.",
    discussion: """
      Greedy, with the logits processing of the folder's generation_config.json (repetition penalty, \
      suppressed tokens).

        tap generate --model artifacts/qwen2-audio-small \\
          --audio artifacts/evaluation/ked/d-first-goat.flac --prompt "first thing:"

      A folder with a Qwen2 language model alone, as published or as a GGUF file, is asked without a \
      recording; its prompt is put into its chat template unless --plain is given.

        tap generate --model DIR --prompt "Translate to Spanish: the red cat."
      """)

  @OptionGroup var question: QuestionOptions

  @Option(help: "The most tokens to say.") var limit: Int?

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit is \(limit); it should be 1 or more") }
  }

  func run() throws {
    let opened = try OpenedQuestion(question)
    var config = try GenerationConfig(folder: question.model.model)
    if let limit { config.limit = limit }
    let live = !question.json && isatty(STDERR_FILENO) != 0
    var count = 0
    let said = try opened.generate(config) { _ in
      count += 1
      if live { FileHandle.standardError.write(Data("\r\(count) tokens".utf8)) }
    }
    if live { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    let text = opened.tokenizer.map { $0.decode(said.tokens) }
    if let nameless = opened.tokenizer.flatMap({ tokenizer in
      said.tokens.first { tokenizer.token($0) == nil }
    }) {
      warn(
        "token \(nameless) has no text in the tokenizer, so that it is missing in what is said; take tokenizer "
          + "and weights from one checkpoint")
    }
    if question.json {
      var members = opened.members
      members["tokens"] = .array(said.tokens.map { .integer($0) })
      members["ended"] = .bool(said.ended)
      if let text { members["text"] = .string(text) }
      print(JSON.object(members).text)
    } else {
      print(text ?? said.tokens.map(String.init).joined(separator: ","))
      if !said.ended { warn("stopped after \(said.tokens.count) tokens without an end token") }
    }
  }
}
