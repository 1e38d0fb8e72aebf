// A Qwen2 language model alone, without sound: its sizes and names, from config.json or from the
// metadata of a GGUF file.

import Foundation
import JSON
import Tensor

/// Sizes of a Qwen2 language model.
public struct Qwen2Config: ModelConfig {
  public let lm: DecoderConfig
  /// The template of its chats, in Jinja, where the model was instructed with one.
  public let chatTemplate: String?

  let prefix = "model."
  let headName = "lm_head.weight"

  /// - Parameter folder: where a chat template lies in a file of its own, or in the tokenizer's, where
  ///   `json` has none
  public init(_ json: JSON, folder: String) throws {
    try json.requires("use_sliding_window", false)
    var lm = try DecoderConfig(llama: json)
    lm.biases.insert(.queriesKeysValues)
    self.lm = lm
    chatTemplate = try json["chat_template"]?.string ?? Qwen2Config.chatTemplate(in: folder)
  }

  private static func chatTemplate(in folder: String) throws -> String? {
    let (own, tokenizer) = ("\(folder)/chat_template.jinja", "\(folder)/tokenizer_config.json")
    if fileExists(own) {
      guard let text = try? String(contentsOfFile: own, encoding: .utf8) else {
        throw CheckpointError("\(own): cannot be read as UTF-8; fetch it again")
      }
      return text
    }
    return fileExists(tokenizer) ? try readJSON(tokenizer)["chat_template"]?.string : nil
  }

  public var architecture: String { "Qwen2" }
  public var cacheBytes: Int { lm.cacheBytes }
  public var stages: [StageSummary] { [lm.stage("lm", "text alone")] }
  public var parameterShapes: [String: [Int]] { lm.parameterShapes(prefix, head: headName) }

  /// A head that a file holds counts, whatever config.json says of tied embeddings.
  public func weights(from checkpoint: Checkpoint) throws -> Weights {
    var weights = try weights(from: checkpoint, except: [])
    if lm.tiesEmbeddings, checkpoint.contains([headName]) {
      weights[headName] = try checkpoint.matrix([headName], shape: [lm.vocabulary, lm.width])
    }
    return weights
  }

  public func ignores(_ name: String) -> Bool {
    name.hasSuffix("rotary_emb.inv_freq") || (lm.tiesEmbeddings && name == headName)
  }
}
