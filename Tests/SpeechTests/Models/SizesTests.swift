// Sizes that the reference takes, beside those of the golden folders: what is not given, heads that
// share keys, frames of other rates.

import Foundation
import JSON
import Speech
import Tensor
import Testing

@Suite struct SizesTests {
  /// A field that is null is a field that is not there.
  @Test func nullIsNothing() throws {
    let fields = [
      "head_dim", "num_key_value_heads", "frame_rate", "_frame_rate", "num_quantizers", "norm_eps",
    ]
    let json = JSON.object(Dictionary(uniqueKeysWithValues: fields.map { ($0, JSON.null) }))
    #expect(try MimiConfig(json) == MimiConfig([:]))
    #expect(try MimiConfig([:]).frame == 1920)
  }

  /// As in the reference, positions of the transformers are counted up and frames down, and there are
  /// half as many frames where their rate is not given.
  @Test func framesOfOtherRates() throws {
    func frame(_ fields: [String: JSON]) throws -> Int {
      try MimiConfig(
        .object(
          ["sampling_rate": 16_000, "upsampling_ratios": [10, 8, 8]].merging(fields) { $1 })
      ).frame
    }
    #expect(try frame([:]) == 2 * 640)
    #expect(try frame(["_frame_rate": 5.0]) == 5 * 640)
    #expect(try frame(["frame_rate": 11.0]) == 2 * 640)
    #expect(try frame(["sampling_rate": 16_100, "frame_rate": 8.7]) == 2 * 640)
    refuses("frame_rate is no lower than that of the transformers") {
      _ = try frame(["frame_rate": 25.0])
    }
  }

  @Test func sizesThatNoReferenceTakes() {
    for (fields, words) in [
      (["compress": 65], "compress is larger than num_filters"),
      (["upsample_groups": 3], "hidden_size is no multiple of upsample_groups"),
      (["head_dim": 33], "the width of a head is odd"),
      (["num_key_value_heads": 3], "no multiple of num_key_value_heads"),
      (["num_attention_heads": 7], "no multiple of num_attention_heads"),
      (["num_semantic_quantizers": 33], "num_semantic_quantizers"),
    ] as [(JSON, String)] {
      refuses("the sizes of the codec do not fit together: ", words) { _ = try MimiConfig(fields) }
    }
  }

  /// One head of keys and values for both heads of the depth transformer is the same as twice the
  /// same one.
  @Test func depthHeadsShareKeys() throws {
    let whole = try Safetensors(path: stored("moshi/model.safetensors"))
    func logits(keyHeads: Int) throws -> Tensor {
      let scratch = try Scratch()
      for name in ["config.json", "base.wav", "inputs.json"] {
        try FileManager.default.copyItem(
          atPath: stored("moshi/\(name)"), toPath: "\(scratch.path)/\(name)")
      }
      var members = try readJSON(stored("moshi/config.json")).members!
      var depth = members["depth_decoder_config"]!.members!
      depth["num_key_value_heads"] = .integer(keyHeads)
      members["depth_decoder_config"] = .object(depth)
      try Data(JSON.object(members).text.utf8).write(
        to: URL(fileURLWithPath: "\(scratch.path)/config.json"))
      var tensors: [String: Tensor] = [:]
      for name in whole.entries.keys {
        let x = try whole.tensor(name)
        tensors[name] = x
        guard name.hasPrefix("depth_decoder.layers."),
          name.contains("k_proj") || name.contains("v_proj")
        else { continue }
        // [steps, heads * width, in], of which the first head is kept.
        let (steps, rows) = (x.shape[0], x.shape[1])
        let kept = (0..<steps).flatMap { step in
          (0..<keyHeads).flatMap { _ in (0..<rows / 2).map { step * rows + $0 } }
        }
        tensors[name] = gatherRows(x, kept).reshaped([steps, keyHeads * rows / 2, x.width])
      }
      try Data(TensorFile(tensors).bytes).write(
        to: URL(fileURLWithPath: "\(scratch.path)/model.safetensors"))
      let model = try openModel(folder: scratch.path)
      let text = try readJSON(stored("moshi/inputs.json"))["text_stream"]!.elements!
      let wave = try Waveform(contentsOf: "\(scratch.path)/base.wav")
      let input = ModelInput(clip: try model.clip(wave), tokens: text.compactMap(\.int))
      var seen: Tensor?
      _ = try model.run(input) { site, x in
        if site == Site("depth.logits") { seen = x }
        return x
      }
      return try #require(seen)
    }
    let (shared, twice) = (try logits(keyHeads: 1), try logits(keyHeads: 2))
    #expect(shared.isFinite && shared.largestDifference(to: twice) < 1e-5)
  }
}
