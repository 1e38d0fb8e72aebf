// The parameters of Moshi: one set of names here, made of either family of files.

import Tensor

extension MoshiConfig: ModelConfig {
  public var parameterShapes: [String: [Int]] {
    codec.parameterShapes.merging(ownShapes) { $1 }
  }

  /// Name and shape of every parameter outside the codec, by the names of the Hugging Face files.
  var ownShapes: [String: [Int]] {
    var shapes: [String: [Int]] = [:]
    let (d, inner, n) = (lm.width, depth.decoder.width, codebooks)
    for k in 0..<2 * n { shapes["embed_tokens.\(k).weight"] = [codebookSize + 1, d] }
    shapes["decoder.model.embed_tokens.weight"] = [lm.vocabulary + 1, d]
    shapes["decoder.model.norm.weight"] = [d]
    shapes["decoder.lm_head.weight"] = [lm.vocabulary, d]
    func layer(_ prefix: String, _ config: DecoderConfig, _ steps: [Int]) {
      let (d, queryWidth) = (config.width, config.headWidth * config.heads)
      let keyWidth = config.headWidth * config.keyHeads
      for (name, outputs, inputs) in [
        ("q", queryWidth, d), ("k", keyWidth, d), ("v", keyWidth, d), ("o", d, queryWidth),
      ] {
        shapes[prefix + "self_attn.\(name)_proj.linear.weight"] = steps + [outputs, inputs]
      }
      shapes[prefix + "mlp.fc1.weight"] = steps + [2 * config.mlp, config.width]
      shapes[prefix + "mlp.fc2.weight"] = steps + [config.width, config.mlp]
      shapes[prefix + "input_layernorm.weight"] = [config.width]
      shapes[prefix + "post_attention_layernorm.weight"] = [config.width]
    }
    for i in 0..<lm.layers { layer("decoder.model.layers.\(i).", lm, []) }
    for i in 0..<depth.decoder.layers { layer("depth_decoder.layers.\(i).", depth.decoder, [n]) }
    shapes["depth_decoder.text_embed_tokens.weight"] = [lm.vocabulary + 1, inner]
    for k in 0..<n - 1 {
      shapes["depth_decoder.embed_tokens.\(k).weight"] = [codebookSize + 1, inner]
    }
    shapes["depth_decoder.input_projections.weight"] = [n, inner, d]
    shapes["depth_decoder.lm_heads.weight"] = [n, codebookSize, inner]
    return shapes
  }

  public func aliases(of name: String) -> [String] {
    name.hasPrefix("audio_encoder.") ? codec.aliases(of: name) : [name]
  }

  public func weights(from checkpoint: Checkpoint) throws -> Weights {
    var stored = try codec.weights(from: checkpoint)
    if checkpoint.contains(["text_emb.weight"]) {
      stored.merge(Weights(try originalParameters(checkpoint)))
    } else {
      for (name, shape) in ownShapes {
        stored[name] = try checkpoint.matrix([name], shape: shape)
      }
    }
    return stored
  }

  /// Kyutai's files: projections to queries, keys and values in one matrix with neighbouring rotary
  /// pairs, and the sub-steps' matrices below each other or apart.
  private func originalParameters(_ checkpoint: Checkpoint) throws -> Parameters {
    var p: Parameters = [:]
    let (d, inner, n) = (lm.width, depth.decoder.width, codebooks)
    func take(_ target: String, _ source: String, _ shape: [Int]) throws {
      p[target] = try checkpoint.tensor([source], shape: shape).reshaped(ownShapes[target]!)
    }
    /// Steps below each other in one matrix, or one matrix a step.
    func steps(_ layer: String, _ whole: String, _ each: (Int) -> String, _ rows: Int, _ width: Int)
      throws -> Tensor
    {
      if checkpoint.contains([layer + whole]) {
        return try checkpoint.tensor([layer + whole], shape: [n * rows, width])
      }
      return joiningRows(
        try (0..<n).map { try checkpoint.tensor([layer + each($0)], shape: [rows, width]) })
    }
    try take("decoder.model.embed_tokens.weight", "text_emb.weight", [lm.vocabulary + 1, d])
    try take("decoder.lm_head.weight", "text_linear.weight", [lm.vocabulary, d])
    try take("decoder.model.norm.weight", "out_norm.alpha", [1, 1, d])
    for k in 0..<2 * n {
      try take("embed_tokens.\(k).weight", "emb.\(k).weight", [codebookSize + 1, d])
    }
    for i in 0..<lm.layers {
      let (new, old) = ("decoder.model.layers.\(i).", "transformer.layers.\(i).")
      let fused = try checkpoint.tensor(
        [old + "self_attn.in_proj_weight", old + "self_attn.in_projs.0.weight"],
        shape: [3 * d, d])
      for (j, name) in ["q", "k", "v"].enumerated() {
        let part = gatherRows(fused, Array(j * d..<(j + 1) * d))
        p[new + "self_attn.\(name)_proj.linear.weight"] =
          name == "v" ? part : halvedPairs(part, heads: lm.heads)
      }
      p[new + "self_attn.o_proj.linear.weight"] = try checkpoint.tensor(
        [old + "self_attn.out_proj.weight", old + "self_attn.out_projs.0.weight"], shape: [d, d])
      try take(new + "mlp.fc1.weight", old + "gating.linear_in.weight", [2 * lm.mlp, d])
      try take(new + "mlp.fc2.weight", old + "gating.linear_out.weight", [d, lm.mlp])
      try take(new + "input_layernorm.weight", old + "norm1.alpha", [1, 1, d])
      try take(new + "post_attention_layernorm.weight", old + "norm2.alpha", [1, 1, d])
    }
    try take(
      "depth_decoder.text_embed_tokens.weight", "depformer_text_emb.weight",
      [lm.vocabulary + 1, inner])
    for k in 0..<n - 1 {
      try take(
        "depth_decoder.embed_tokens.\(k).weight", "depformer_emb.\(k).weight",
        [codebookSize + 1, inner])
    }
    p["depth_decoder.input_projections.weight"] = joiningRows(
      try (0..<n).map { try checkpoint.tensor(["depformer_in.\($0).weight"], shape: [inner, d]) }
    ).reshaped([n, inner, d])
    p["depth_decoder.lm_heads.weight"] = joiningRows(
      try (0..<n).map {
        try checkpoint.tensor(["linears.\($0).weight"], shape: [codebookSize, inner])
      }
    ).reshaped([n, codebookSize, inner])
    let mlp = depth.decoder.mlp
    for i in 0..<depth.decoder.layers {
      let (new, old) = ("depth_decoder.layers.\(i).", "depformer.layers.\(i).")
      let fused = try steps(
        old, "self_attn.in_proj_weight", { "self_attn.in_projs.\($0).weight" }, 3 * inner, inner)
      for (j, name) in ["q", "k", "v"].enumerated() {
        let rows = (0..<n).flatMap { k in (0..<inner).map { (3 * k + j) * inner + $0 } }
        p[new + "self_attn.\(name)_proj.linear.weight"] = gatherRows(fused, rows)
          .reshaped([n, inner, inner])
      }
      p[new + "self_attn.o_proj.linear.weight"] = try steps(
        old, "self_attn.out_proj.weight", { "self_attn.out_projs.\($0).weight" }, inner, inner
      ).reshaped([n, inner, inner])
      p[new + "mlp.fc1.weight"] = try steps(
        old, "gating.linear_in.weight", { "gating.\($0).linear_in.weight" }, 2 * mlp, inner
      ).reshaped([n, 2 * mlp, inner])
      p[new + "mlp.fc2.weight"] = try steps(
        old, "gating.linear_out.weight", { "gating.\($0).linear_out.weight" }, inner, mlp
      ).reshaped([n, inner, mlp])
      try take(new + "input_layernorm.weight", old + "norm1.alpha", [1, 1, inner])
      try take(new + "post_attention_layernorm.weight", old + "norm2.alpha", [1, 1, inner])
    }
    return p
  }

  /// The temporal transformer's parameters by the names of the Llama files.
  func temporal(_ p: Weights) -> Weights {
    var out = Weights([
      "model.embed_tokens.weight": p.matrix("decoder.model.embed_tokens.weight"),
      "model.norm.weight": p.matrix("decoder.model.norm.weight"),
      "lm_head.weight": p.matrix("decoder.lm_head.weight"),
    ])
    for i in 0..<lm.layers {
      let (new, old) = ("model.layers.\(i).", "decoder.model.layers.\(i).")
      for name in ["q", "k", "v", "o"] {
        out[new + "self_attn.\(name)_proj.weight"] =
          p.matrix(old + "self_attn.\(name)_proj.linear.weight")
      }
      let wide = p.matrix(old + "mlp.fc1.weight")
      out[new + "mlp.gate_proj.weight"] = wide.rows(0..<lm.mlp)
      out[new + "mlp.up_proj.weight"] = wide.rows(lm.mlp..<2 * lm.mlp)
      out[new + "mlp.down_proj.weight"] = p.matrix(old + "mlp.fc2.weight")
      for norm in ["input_layernorm.weight", "post_attention_layernorm.weight"] {
        out[new + norm] = p.matrix(old + norm)
      }
    }
    return out
  }
}
