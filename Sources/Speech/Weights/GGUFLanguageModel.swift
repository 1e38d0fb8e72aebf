// The language model of a GGUF file under the names that Hugging Face's files use, so that everything
// behind the reader is the same for both.

import JSON
import Tensor

/// A file whose tensors go by other names.
public struct RenamedWeights: WeightFile {
  public let path: String
  public let map: MappedFile
  public let entries: [String: WeightEntry]
}

extension GGUF {
  /// The tensors of the language model by the names of Hugging Face's Qwen2.
  ///
  /// Its projections to queries and keys lie as they do there; those of some other architectures are
  /// permuted.
  ///
  /// - Parameters:
  ///   - prefix: what the names begin with, as `model.` where the model stands alone, or
  ///     `language_model.model.` where it is part of a Qwen2-Audio
  ///   - head: the name of the head's weight
  /// - Throws: where the file holds another architecture.
  public func languageModel(prefix: String, head: String) throws -> RenamedWeights {
    try checkArchitecture()
    let top = [
      "token_embd.weight": prefix + "embed_tokens.weight",
      "output_norm.weight": prefix + "norm.weight",
      "output.weight": head,
    ]
    let parts = [
      "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
      "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
      "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
      "ffn_down": "mlp.down_proj",
    ]
    func renamed(_ name: String) -> String {
      if let name = top[name] { return name }
      let words = name.split(separator: ".", omittingEmptySubsequences: false)
      guard words.count == 4, words[0] == "blk", let part = parts[String(words[2])] else {
        return name
      }
      return "\(prefix)layers.\(words[1]).\(part).\(words[3])"
    }
    let names = entries.map { (renamed($0.key), $0.value) }
    // A tensor that goes by one of the new names in the file itself would hide another.
    return RenamedWeights(
      path: path, map: map,
      entries: try Dictionary(names) { _, _ in
        throw CheckpointError(
          "\(path): holds a tensor under two names; take a file that llama.cpp's converter wrote")
      })
  }

  private func checkArchitecture() throws {
    let name = metadata["general.architecture"]?.string
    guard name == "qwen2" else {
      throw CheckpointError(
        "\(path): \"general.architecture\" is \(name.map { quoted($0) } ?? "missing"); only qwen2 is "
          + "read, take a Qwen2 or Qwen2.5")
    }
    if let parts = metadata["split.count"]?.int, parts > 1 {
      throw CheckpointError(
        "\(path): is one of \(parts) parts; join them with llama-gguf-split --merge")
    }
  }

  /// The sizes of the language model as a config.json of Hugging Face's Qwen2 has them, and the
  /// `text_config` of a Qwen2-Audio.
  ///
  /// - Throws: where the file holds another architecture, lacks a size, or asks for what would silently
  ///   be computed otherwise.
  public func configuration() throws -> JSON {
    try checkArchitecture()
    func value(_ key: String) -> GGUFValue? { metadata["qwen2.\(key)"] }
    func size(_ key: String) throws -> JSON {
      guard let number = value(key)?.int else {
        throw CheckpointError(
          "\(path): \"qwen2.\(key)\" is missing or no whole number; fetch it again")
      }
      return .integer(number)
    }
    guard let embeddings = entries["token_embd.weight"]?.shape, embeddings.count == 2 else {
      throw CheckpointError(
        "\(path): \"token_embd.weight\" is missing or no matrix; fetch it again")
    }
    var config: [String: JSON] = [
      "model_type": "qwen2", "hidden_act": "silu", "vocab_size": .integer(embeddings[0]),
      "hidden_size": try size("embedding_length"), "num_hidden_layers": try size("block_count"),
      "num_attention_heads": try size("attention.head_count"),
      "intermediate_size": try size("feed_forward_length"),
      "max_position_embeddings": try size("context_length"),
      "tie_word_embeddings": .bool(entries["output.weight"] == nil),
    ]
    if value("attention.head_count_kv") != nil {
      config["num_key_value_heads"] = try size("attention.head_count_kv")
    }
    if value("attention.key_length") != nil {
      config["head_dim"] = try size("attention.key_length")
    }
    for (key, name) in [
      ("attention.layer_norm_rms_epsilon", "rms_norm_eps"), ("rope.freq_base", "rope_theta"),
    ] {
      guard let given = value(key) else { continue }
      guard let number = given.double, number.isFinite else {
        throw CheckpointError(
          "\(path): \"qwen2.\(key)\" is \(given.shown); it should be a number, fetch it again")
      }
      config[name] = .number(number)
    }
    for (key, usual) in [("rope.scaling.type", "none"), ("attention.sliding_window", "0")] {
      guard let given = value(key), given.string ?? given.int.map(String.init) != usual else {
        continue
      }
      throw CheckpointError(
        "\(path): \"qwen2.\(key)\" is \(given.shown), which is not implemented; take a file without it"
      )
    }
    let ends = ["eos", "eot"].compactMap { metadata["tokenizer.ggml.\($0)_token_id"]?.int }
    if !ends.isEmpty { config["eos_token_id"] = .array(Set(ends).sorted().map { .integer($0) }) }
    if let template = metadata["tokenizer.chat_template"]?.string {
      config["chat_template"] = .string(template)
    }
    return .object(config)
  }
}

extension Checkpoint {
  /// The path of the only GGUF file of a folder; nil where it has none.
  ///
  /// - Throws: where there are several.
  static func ggufFile(in folder: String) throws -> String? {
    guard let names = try? fileNames(in: folder).filter({ $0.hasSuffix(".gguf") }) else {
      return nil
    }
    guard names.count < 2 else {
      throw CheckpointError(
        "\(folder): has several GGUF files, \(names.map { quoted($0) }.joined(separator: ", ")); keep "
          + "one of them in a folder")
    }
    return names.first.map { "\(folder)/\($0)" }
  }
}
