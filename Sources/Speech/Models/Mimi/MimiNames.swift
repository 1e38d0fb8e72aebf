// Kyutai's own files: other names, projections fused into one matrix, and rotary pairs interleaved
// where the Hugging Face files have them in halves.

import Tensor

enum MimiNames {
  /// The name in kyutai's files of what the Hugging Face files call `name`.
  static func original(_ name: String) -> String {
    var parts = name.split(separator: ".").map(String.init)
    switch parts[0] {
    case "encoder", "decoder":
      parts[1] = "model"
      // Every third step of the decoder from the second on is a transposed convolution.
      let isTransposed =
        parts[0] == "decoder" && parts.count == 5 && (Int(parts[2]) ?? 0) % 3 == 2
      let convolution = isTransposed ? "convtr" : "conv"
      parts.replaceSubrange(
        (parts.count - 2)..<(parts.count - 1), with: [convolution, convolution])
    case "downsample": parts.replaceSubrange(1..<2, with: ["conv", "conv", "conv"])
    case "upsample": parts.replaceSubrange(1..<2, with: ["convtr", "convtr", "convtr"])
    case "encoder_transformer", "decoder_transformer":
      parts.insert("transformer", at: 1)
      return parts.joined(separator: ".")
        .replacing("input_layernorm", with: "norm1")
        .replacing("post_attention_layernorm", with: "norm2")
        .replacing("mlp.fc1", with: "linear1").replacing("mlp.fc2", with: "linear2")
        .replacing("self_attn_layer_scale", with: "layer_scale_1")
        .replacing("mlp_layer_scale", with: "layer_scale_2")
        .replacing("o_proj", with: "out_proj")
    default:
      return name.replacing("semantic_residual_vector_quantizer", with: "rvq_first")
        .replacing("acoustic_residual_vector_quantizer", with: "rvq_rest")
        .replacing(".layers.", with: ".vq.layers.").replacing("codebook", with: "_codebook")
        .replacing("embed_sum", with: "embedding_sum")
    }
    return parts.joined(separator: ".")
  }
}

extension MimiConfig {
  /// From either family of files.
  public func weights(from checkpoint: Checkpoint) throws -> Weights {
    let projections = parameterShapes.keys.filter { name in
      ["q", "k", "v"].contains { name.hasSuffix("self_attn.\($0)_proj.weight") }
    }
    let fused = projections.filter { !checkpoint.contains([$0]) }
    var weights = try weights(from: checkpoint, except: Set(fused))
    for layer in Set(fused.map { $0.dropLast("q_proj.weight".count) }) {
      let original = MimiNames.original(layer.dropFirst(prefix.count) + "in_proj_weight")
      let names = [original, original.replacing("in_proj_weight", with: "in_projs.0.weight")]
      let whole = try checkpoint.tensor(names, shape: [3 * width, width])
      for (i, name) in ["q", "k", "v"].enumerated() {
        let part = gatherRows(whole, Array(i * width..<(i + 1) * width))
        weights[layer + "\(name)_proj.weight"] = .float(
          name == "v" ? part : halvedPairs(part, heads: heads))
      }
    }
    return weights
  }
}

/// The rows of a projection whose rotary pairs are neighbours, as one whose pairs are halves.
func halvedPairs(_ weight: Tensor, heads: Int) -> Tensor {
  let half = weight.rows / heads / 2
  return gatherRows(
    weight,
    (0..<weight.rows).map { row in
      let (head, place) = (row / (2 * half), row % (2 * half))
      return head * 2 * half + 2 * (place % half) + place / half
    })
}
