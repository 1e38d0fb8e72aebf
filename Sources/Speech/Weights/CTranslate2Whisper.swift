// The variables of a CTranslate2 Whisper under their Hugging Face names, and the sizes that follow.

import JSON

extension CTranslate2 {
  /// The tensors of a Whisper, and what its config.json would say in the Hugging Face layout.
  static func whisper(_ bytes: UnsafeRawBufferPointer) throws -> ([String: WeightEntry], JSON) {
    var variables = try variables(bytes)
    let settings = variables.filter { $0.value.shape.isEmpty }
    for (name, setting) in settings.sorted(by: { $0.key < $1.key }) {
      try check(name, integer(setting, bytes))
    }
    // The head is the table of token embeddings, by an alias, in all published models.
    let head = "decoder/projection/weight"
    let isTied =
      variables[head] != nil
      && variables[head]?.bytes == variables["decoder/embeddings/weight"]?.bytes
    if isTied {
      for name in [head, head + "_scale"] { variables[name] = nil }
    }
    var entries: [String: WeightEntry] = [:]
    func add(_ variable: Variable, _ name: String, _ scales: Range<Int>? = nil) throws {
      let entry = WeightEntry(
        type: variable.type, shape: variable.shape, bytes: variable.bytes, strides: nil,
        scales: variable.type == .int8 ? scales : nil)
      guard entries.updateValue(entry, forKey: name) == nil else {
        throw CheckpointError("two of its variables are the tensor \(quoted(name))")
      }
    }
    for (name, variable) in variables.sorted(by: { $0.key < $1.key }) {
      if variable.shape.isEmpty || unused.contains(name) { continue }
      let scale = variables[name + "_scale"]
      guard let (parts, kind) = huggingFaceNames(name) else {
        if name.hasSuffix("/weight_scale"), let weight = variables[String(name.dropLast(6))] {
          guard weight.type == .int8 else {
            throw CheckpointError("\(quoted(name)) scales a tensor that is not int8")
          }
          continue
        }
        try add(variable, name)
        continue
      }
      try check(name, variable, scale, parts: parts.count)
      for (i, part) in parts.enumerated() {
        let own = variable.part(i, of: parts.count)
        if kind == "bias", part.hasSuffix("k_proj") {
          // Whisper's keys have no bias; a file that gives them one is of another model.
          guard bytes[own.bytes].allSatisfy({ $0 == 0 }) else {
            throw CheckpointError("\(quoted(name)) gives keys a bias, which Whisper has not")
          }
          continue
        }
        try add(own, "\(part).\(kind)", scale?.part(i, of: parts.count).bytes)
      }
    }
    return (entries, try sizes(variables, settings, isTied, bytes))
  }

  /// Nothing that a forward pass needs.
  private static let unused: Set = ["decoder/alignment_heads", "decoder/alignment_layer"]

  /// The tensors that a variable holds, one below the other, without their last part, and that part;
  /// nil of a variable that Whisper does not have.
  private static func huggingFaceNames(_ name: String) -> (tensors: [String], kind: String)? {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count >= 3, let stage = parts.first, ["encoder", "decoder"].contains(stage) else {
      return nil
    }
    let kinds = [
      "weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias", "encodings": "weight",
    ]
    guard let kind = kinds[parts.last!] else { return nil }
    let prefix = "model.\(stage)."
    if name == "decoder/projection/weight" { return (["proj_out"], kind) }
    if parts.count == 3, let there = outer[parts[1]] { return ([prefix + there], kind) }
    guard parts.count >= 4, parts[1].hasPrefix("layer_"), let i = Int(parts[1].dropFirst(6)),
      parts[1] == "layer_\(i)",
      let there = inner[parts[2...].dropLast().joined(separator: "/")]
    else { return nil }
    return (there.map { "\(prefix)layers.\(i).\($0)" }, kind)
  }

  private static let outer = [
    "conv1": "conv1", "conv2": "conv2", "position_encodings": "embed_positions",
    "embeddings": "embed_tokens", "layer_norm": "layer_norm",
  ]

  private static let inner = [
    "self_attention/layer_norm": ["self_attn_layer_norm"],
    "self_attention/linear_0": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    "self_attention/linear_1": ["self_attn.out_proj"],
    "attention/layer_norm": ["encoder_attn_layer_norm"],
    "attention/linear_0": ["encoder_attn.q_proj"],
    "attention/linear_1": ["encoder_attn.k_proj", "encoder_attn.v_proj"],
    "attention/linear_2": ["encoder_attn.out_proj"],
    "ffn/layer_norm": ["final_layer_norm"], "ffn/linear_0": ["fc1"], "ffn/linear_1": ["fc2"],
  ]

  /// Refuses numbers that cannot be read, and rows that cannot be told apart.
  private static func check(
    _ name: String, _ variable: Variable, _ scale: Variable?, parts: Int
  ) throws {
    switch variable.type {
    case .int16, .int32:
      throw CheckpointError(
        "\(quoted(name)) is \(variable.type == .int16 ? "int16" : "int32"); float32, float16, bfloat16 "
          + "and int8 can be read")
    case .int8:
      guard let scale, scale.type == .float32, scale.shape == [variable.shape[0]] else {
        throw CheckpointError(
          "\(quoted(name)) is int8 without a float32 scale for each of its rows")
      }
    default: break
    }
    guard variable.shape[0] % parts == 0 else {
      throw CheckpointError(
        "\(quoted(name)) has \(variable.shape[0]) rows, which are no \(parts) equal parts")
    }
  }

  /// Refuses a setting that this implementation would silently compute otherwise.
  private static func check(_ name: String, _ value: Int?) throws {
    let expected = [
      "activation": 3, "alibi": 0, "pre_norm": 1, "scale_embeddings": 0,
      "start_from_zero_embedding": 0,
    ]
    guard let known = name.split(separator: "/").last.flatMap({ expected[String($0)] }),
      value != known
    else { return }
    throw CheckpointError(
      "\(quoted(name)) is \(value.map(String.init) ?? "no whole number"); Whisper has \(known) there"
    )
  }

  /// The value of a setting; nil of one that is no whole number.
  private static func integer(_ setting: Variable, _ bytes: UnsafeRawBufferPointer) -> Int? {
    let place = setting.bytes.lowerBound
    return switch setting.type {
    case .int8: Int(bytes.loadUnaligned(fromByteOffset: place, as: Int8.self))
    case .int16: Int(bytes.loadUnaligned(fromByteOffset: place, as: Int16.self))
    case .int32: Int(bytes.loadUnaligned(fromByteOffset: place, as: Int32.self))
    default: nil
    }
  }

  /// The sizes, by the names of the Hugging Face layout.
  private static func sizes(
    _ variables: [String: Variable], _ settings: [String: Variable], _ isTied: Bool,
    _ bytes: UnsafeRawBufferPointer
  ) throws -> JSON {
    func size(_ name: String, _ dimension: Int, of rank: Int) throws -> Int {
      guard let shape = variables[name]?.shape, shape.count == rank else {
        throw CheckpointError(
          "\(quoted(name)) is missing or has no \(rank) dimensions, so that the sizes are not known"
        )
      }
      return shape[dimension]
    }
    let width = try size("encoder/conv1/weight", 0, of: 3)
    func layers(_ stage: String) -> Int {
      Set(
        variables.keys.filter {
          $0.hasPrefix("\(stage)/layer_") && !$0.hasPrefix("\(stage)/layer_norm")
        }
        .map { $0.split(separator: "/")[1] }
      ).count
    }
    func heads(_ stage: String) -> Int {
      // Older files do not say; a head of any Whisper is 64 wide.
      settings["\(stage)/num_heads"].flatMap { integer($0, bytes) } ?? width / 64
    }
    return [
      "model_type": "whisper", "d_model": .integer(width),
      "num_mel_bins": .integer(try size("encoder/conv1/weight", 1, of: 3)),
      "max_source_positions": .integer(try size("encoder/position_encodings/encodings", 0, of: 2)),
      "max_target_positions": .integer(try size("decoder/position_encodings/encodings", 0, of: 2)),
      "vocab_size": .integer(try size("decoder/embeddings/weight", 0, of: 2)),
      "encoder_layers": .integer(layers("encoder")), "decoder_layers": .integer(layers("decoder")),
      "encoder_attention_heads": .integer(heads("encoder")),
      "decoder_attention_heads": .integer(heads("decoder")),
      "encoder_ffn_dim": .integer(try size("encoder/layer_0/ffn/linear_0/weight", 0, of: 2)),
      "decoder_ffn_dim": .integer(try size("decoder/layer_0/ffn/linear_0/weight", 0, of: 2)),
      "tie_word_embeddings": .bool(isTied),
    ]
  }
}

extension CTranslate2 {
  /// Whether a folder is one of CTranslate2: model.bin, and no weights in the Hugging Face layout.
  static func isFolder(_ folder: String) -> Bool {
    fileExists("\(folder)/model.bin")
      && ![
        "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
        "pytorch_model.bin.index.json",
      ].contains { fileExists("\(folder)/\($0)") }
  }

  /// What config.json would say in the Hugging Face layout: the sizes of the tensors, and the tokens
  /// that CTranslate2's own config.json suppresses.
  static func config(of folder: String, own: JSON) throws -> JSON {
    var config = try CTranslate2(path: "\(folder)/model.bin").sizes.members ?? [:]
    config["suppress_tokens"] = own["suppress_ids"] ?? []
    config["begin_suppress_tokens"] = own["suppress_ids_begin"] ?? []
    return .object(config)
  }
}
