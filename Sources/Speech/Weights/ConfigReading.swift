// Reading sizes from a published config.json, with errors that name the field.

import JSON
import Tensor

extension JSON {
  /// A whole number between `least` and `most`; `usual` where the field is missing or null.
  ///
  /// The largest are well above any published model; beyond them tables that depend on the
  /// configuration alone would fill the memory before a weight is read.
  func size(_ key: String, usual: Int? = nil, from least: Int = 1, upTo most: Int) throws -> Int {
    guard let value = self[key], value != .null else {
      if let usual { return usual }
      throw JSONError("\"\(key)\" is missing")
    }
    guard let number = value.int, number >= least, number <= most else {
      throw JSONError(
        "\"\(key)\" is \(shortened(value.compactText)); it should lie between \(least) and \(most)")
    }
    return number
  }

  /// A number above 0; `usual` where the field is missing or null.
  func positive(_ key: String, usual: Double) throws -> Double {
    guard let value = self[key], value != .null else { return usual }
    let number = try double(key)
    guard number > 0, number.isFinite else {
      throw JSONError("\"\(key)\" is \(shortened(value.compactText)); it should be above 0")
    }
    return number
  }

  /// The base of rotary positions: below a thousandth, angles of late positions pass what a turn can be told from.
  func rotaryBase() throws -> Double {
    let base = try positive("rope_theta", usual: 10_000)
    guard base >= 1e-3 else {
      throw JSONError("\"rope_theta\" is \(base); it should be a thousandth or more, usually 10000")
    }
    return base
  }

  /// Refuses a choice that this implementation would silently compute otherwise.
  func requires(_ key: String, _ expected: JSON) throws {
    guard let value = self[key], value != expected else { return }
    throw JSONError(
      "\"\(key)\" is \(shortened(value.compactText)); only \(shortened(expected.compactText)) is implemented"
    )
  }

  /// The object of this name.
  func part(_ key: String) throws -> JSON {
    guard let value = self[key] else { throw JSONError("\"\(key)\" is missing") }
    guard value.members != nil else { throw JSONError("\"\(key)\" should be an object") }
    return value
  }
}

extension EncoderConfig {
  /// The sizes in the configuration of a Hugging Face Whisper.
  init(whisper json: JSON) throws {
    try json.requires("activation_function", "gelu")
    self.init(
      melBands: try json.size("num_mel_bins", usual: 80, upTo: 511),
      width: try json.size("d_model", usual: 384, upTo: 1 << 20),
      layers: try json.size("encoder_layers", usual: 4, upTo: 1024),
      heads: try json.size("encoder_attention_heads", usual: 6, upTo: 1 << 20),
      mlp: try json.size("encoder_ffn_dim", usual: 1536, upTo: 1 << 24),
      positions: try json.size("max_source_positions", usual: 1500, upTo: 1 << 16))
    try check("d_model", "encoder_attention_heads")
  }

  /// The sizes in the `dims` of an openai-whisper file.
  init(dims json: JSON) throws {
    let width = try json.size("n_audio_state", upTo: 1 << 20)
    self.init(
      melBands: try json.size("n_mels", upTo: 511), width: width,
      layers: try json.size("n_audio_layer", upTo: 1024),
      heads: try json.size("n_audio_head", upTo: 1 << 20), mlp: 4 * width,
      positions: try json.size("n_audio_ctx", upTo: 1 << 16))
    try check("n_audio_state", "n_audio_head")
  }

  private func check(_ widthKey: String, _ headsKey: String) throws {
    guard width % heads == 0, width % 2 == 0 else {
      throw JSONError(
        "the sizes do not fit together: \(widthKey) is no even multiple of \(headsKey)")
    }
  }
}

extension DecoderConfig {
  /// The sizes in the configuration of a Hugging Face Llama.
  init(llama json: JSON) throws {
    try json.requires("hidden_act", "silu")
    let heads = try json.size("num_attention_heads", usual: 32, upTo: 1 << 20)
    // Newer files keep the rotary positions in an object of their own.
    let rope = json["rope_parameters"] ?? json
    self.init(
      vocabulary: try json.size("vocab_size", usual: 32_000, upTo: 1 << 28),
      width: try json.size("hidden_size", usual: 4096, upTo: 1 << 20),
      layers: try json.size("num_hidden_layers", usual: 32, upTo: 1024), heads: heads,
      keyHeads: try json.size("num_key_value_heads", usual: heads, upTo: 1 << 20),
      mlp: try json.size("intermediate_size", usual: 11_008, upTo: 1 << 24),
      maxPositions: try json.size("max_position_embeddings", usual: 2048, upTo: 1 << 20),
      epsilon: try json.positive("rms_norm_eps", usual: 1e-6),
      theta: try rope.rotaryBase(), ropeScaling: try json.ropeScaling(),
      givenHeadWidth: try json.headWidth(),
      tiesEmbeddings: json["tie_word_embeddings"]?.bool ?? false
    )
    if json["attention_bias"]?.bool == true { biases.formUnion([.queriesKeysValues, .output]) }
    if json["mlp_bias"]?.bool == true { biases.insert(.mlp) }
    guard givenHeadWidth != nil || width % heads == 0 else {
      throw JSONError(
        "the sizes do not fit together: hidden_size is no multiple of num_attention_heads")
    }
    try checkHeads()
  }

  /// Refuses heads that do not fit each other.
  func checkHeads() throws {
    for (fits, problem) in [
      (heads % keyHeads == 0, "num_attention_heads is no multiple of num_key_value_heads"),
      (headWidth % 2 == 0, "the width of a head is odd, rotary positions need an even one"),
    ] where !fits {
      throw JSONError("the sizes do not fit together: \(problem)")
    }
  }
}

extension JSON {
  /// The width of a head, where it is given beside the width of all.
  func headWidth() throws -> Int? {
    guard let width = self["head_dim"], width != .null else { return nil }
    return try size("head_dim", upTo: 1 << 20)
  }

  /// The rescaling of rotary frequencies, in an object of its own in files of any age.
  func ropeScaling() throws -> RopeScaling? {
    guard let object = self["rope_parameters"] ?? self["rope_scaling"] else { return nil }
    switch object["rope_type"]?.string ?? object["type"]?.string ?? "default" {
    case "default": return nil
    case "linear": return .linear(factor: Float(try object.positive("factor", usual: 1)))
    case "llama3":
      return .llama3(
        factor: Float(try object.positive("factor", usual: 8)),
        lowFactor: Float(try object.positive("low_freq_factor", usual: 1)),
        highFactor: Float(try object.positive("high_freq_factor", usual: 4)),
        originalPositions: Float(
          try object.positive("original_max_position_embeddings", usual: 8192)))
    case let kind:
      throw JSONError("rotary positions of type \(quoted(kind)) are not implemented")
    }
  }
}
