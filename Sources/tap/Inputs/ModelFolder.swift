// Which model `tap` runs and how it is prompted; what all verbs say of the folder that it is opened from.

import ArgumentParser
import Foundation
import JSON
import Speech

struct StrictOption: ParsableArguments {
  @Flag(help: "Tensors in the folder that config.json does not ask for are an error.")
  var strict = false
}

/// The options of the model and of its prompt.
struct ModelOptions: ParsableArguments {
  @Option(help: "The checkpoint folder.") var model: String

  @Flag(help: "Qwen2-Audio: use the chat template of the instructed model.") var chat = false

  @Option(
    help: "Whisper of several languages: the language of the recording; en where not given.")
  var language: String?

  @Flag(help: "Whisper of several languages: put the speech into English.") var translate = false

  @OptionGroup var strict: StrictOption
}

extension ModelOptions {
  /// - Throws: where something is asked that only the text of a prompt can say, and the prompt is given
  ///   as tokens.
  func checkTemplate(unusedBy tokens: String?) throws {
    guard tokens != nil, chat || language != nil || translate else { return }
    throw ValidationError(
      "--prompt-ids are the whole prompt, so that --chat, --language and --translate say nothing; "
        + "leave them out")
  }

  /// The template of the model's prompt.
  ///
  /// - Throws: where the architecture has no tokens for what is asked.
  func template(for config: any ModelConfig) throws -> PromptTemplate {
    let template = PromptTemplate(isChat: chat, language: language, translates: translate)
    do { try template.check(config) } catch { throw TokenizerError("\(model): \(error)") }
    return template
  }

  /// Opens the folder.
  func opened() throws -> OpenedFolder {
    let folder = try OpenedFolder(model)
    try folder.checkUse(of: model, strict)
    return folder
  }
}

extension OpenedFolder {
  func checkUse(of path: String, _ option: StrictOption) throws {
    try tap.checkUse(of: path, unexpected, option)
  }

  /// How results name the tensors that the model has no use for.
  var unexpectedTensors: JSON { names(ofUnexpected: unexpected) }
}

/// Says which tensors of a folder the model has no use for.
///
/// - Throws: where there are some and that is an error.
func checkUse(of path: String, _ unexpected: [String], _ option: StrictOption) throws {
  guard !unexpected.isEmpty else { return }
  let first = unexpected.prefix(3).map { quoted($0) }.joined(separator: ", ")
  let (count, them) =
    unexpected.count == 1 ? ("1 tensor is", "it") : ("\(unexpected.count) tensors are", "them")
  let found =
    "\(path): \(count) not used, as config.json does not ask for \(them): \(first)"
    + (unexpected.count > 3 ? " and \(unexpected.count - 3) more" : "")
  if option.strict {
    throw CheckpointError(
      found + "; take config.json and weights from one checkpoint, or leave --strict out")
  }
  warn(found + "; make sure that config.json is that of these weights")
}

func names(ofUnexpected tensors: [String]) -> JSON { .array(tensors.map { .string($0) }) }
