// What every architecture owes its user: the sites that it lists are those that a tap sees, each with
// its place; what the parts of a layer write adds up to the residual stream; a replaced site acts.

import Foundation
import JSON
import Speech
import Tensor
import Testing

private let folders = [
  "whisper", "qwen2-audio", "salmonn", "soundwave", "llama-omni", "moshi", "mimi",
]

/// A golden folder's model with its recording and its tokens.
private struct Golden {
  let model: any SpeechLanguageModel
  var input: ModelInput

  init(_ folder: String) throws {
    model = try openModel(folder: stored(folder))
    input = try goldenQuestion(folder, "base", model).input
    let inputs = try readJSON(stored("\(folder)/inputs.json"))
    input.response =
      (inputs["response_ids"]?.elements ?? inputs["response_ids"]?["base"]?.elements)?
      .count
  }

  func states() throws -> (run: ModelRun, order: [Site], kept: [Site: Tensor]) {
    var (order, kept): ([Site], [Site: Tensor]) = ([], [:])
    let run = try model.run(input) { site, x in
      order.append(site)
      kept[site] = x
      return x
    }
    return (run, order, kept)
  }
}

@Suite struct ArchitectureTests {
  @Test(arguments: folders) func aTapSeesTheSites(_ folder: String) throws {
    let golden = try Golden(folder)
    let (run, order, kept) = try golden.states()
    #expect(Set(order) == Set(golden.model.sites))
    #expect(order.count == kept.count, "a site is called once")
    #expect(golden.model.sites.count == Set(golden.model.sites).count)
    for site in golden.model.sites {
      #expect(Site("\(site)") == site)
      guard let place = run.place(of: site), let x = kept[site] else {
        Issue.record("\(site) has no place")
        continue
      }
      #expect(place.rows.count == place.spans.count && !place.rows.isEmpty)
      for span in place.spans.compactMap({ $0 }) { #expect(span.start < span.end) }
      let own = try #require(run.positions(of: x, at: site))
      if place.pattern == nil {
        #expect(place.rows.allSatisfy { $0 < x.rows } || site.activation == .logits)
        #expect(own.width % place.heads == 0)
      } else {
        // Every query of a pattern spreads a weight of one.
        for r in 0..<own.rows {
          let sum = (0..<own.width).reduce(Float(0)) { $0 + own[r, $1] }
          #expect(abs(sum - 1) < 1e-5, "\(site)")
        }
      }
    }
    let sound = golden.model.sites.filter {
      run.place(of: $0)?.spans.contains { $0 != nil } ?? false
    }
    #expect(!sound.isEmpty)
  }

  /// A tap that changes nothing changes no bit, and one that replaces any site moves the output
  /// unless nothing depends on it.
  @Test(arguments: folders) func everySiteActs(_ folder: String) throws {
    let golden = try Golden(folder)
    let (plain, order, kept) = try golden.states()
    #expect(try golden.model.run(golden.input, tap: nil).logits.isIdentical(to: plain.logits))
    // What is downstream of the text, or read by the other output alone.
    let silent: Set<String> = ["gen", "depth", "ctc"]
    for site in order where !silent.contains(site.stage.rawValue) {
      guard let x = kept[site], x.count > 0 else { continue }
      let moved = try golden.model.run(golden.input) { at, x in
        at == site ? x + Tensor(x.shape, normal: 0.5, Random(seed: 5).split("\(site)")) : x
      }
      #expect(!moved.logits.isIdentical(to: plain.logits), "\(site)")
    }
  }

  struct Writes: Sendable, CustomTestStringConvertible {
    let folder: String
    let stage: String
    /// The attention's output projection of layer 0, in the folder's file.
    let projection: String
    var parts = ["attn.out", "mlp.out"]
    var testDescription: String { "\(folder) \(stage)" }
  }

  @Test(arguments: [
    Writes(
      folder: "whisper", stage: "encoder",
      projection: "model.encoder.layers.0.self_attn.out_proj"),
    Writes(
      folder: "whisper", stage: "decoder",
      projection: "model.decoder.layers.0.self_attn.out_proj",
      parts: ["attn.out", "cross.out", "mlp.out"]),
    Writes(
      folder: "qwen2-audio", stage: "encoder",
      projection: "audio_tower.layers.0.self_attn.out_proj"),
    Writes(
      folder: "qwen2-audio", stage: "lm",
      projection: "language_model.model.layers.0.self_attn.o_proj"),
    Writes(
      folder: "salmonn", stage: "lm",
      projection: "llama_model.base_model.model.model.layers.0.self_attn.o_proj"),
    Writes(folder: "soundwave", stage: "lm", projection: "model.layers.0.self_attn.o_proj"),
    Writes(
      folder: "llama-omni", stage: "encoder",
      projection: "model.speech_encoder.blocks.0.attn.out"),
    Writes(folder: "llama-omni", stage: "lm", projection: "model.layers.0.self_attn.o_proj"),
    Writes(
      folder: "llama-omni", stage: "gen",
      projection: "speech_generator.layers.0.self_attn.o_proj"),
    Writes(
      folder: "moshi", stage: "lm", projection: "decoder.model.layers.0.self_attn.o_proj.linear"),
  ])
  func writesAddUp(_ writes: Writes) throws {
    let (run, _, kept) = try Golden(writes.folder).states()
    func at(_ name: String) throws -> Tensor {
      let site = Site("\(writes.stage).0.\(name)")!
      let x = try #require(kept[site])
      return try #require(run.positions(of: x, at: site))
    }
    // The stream behind the layer is the stream before it and what the parts write.
    let sum = try writes.parts.reduce(try at("resid_pre")) { try $0 + at($1) }
    #expect(try sum.largestDifference(to: at("resid_post")) < 1e-5)
    // What attention writes is the sum over heads of z_h W_h^T, and the bias, which is no head's.
    let file = try Safetensors(path: stored("\(writes.folder)/model.safetensors"))
    let weight = try file.tensor(writes.projection + ".weight")
    let z = try at("attn.z")
    let heads = try #require(run.place(of: Site("\(writes.stage).0.attn.z")!)).heads
    #expect(heads > 1)
    let width = z.width / heads
    var total = [Double](repeating: 0, count: z.rows * weight.rows)
    if file.entries[writes.projection + ".bias"] != nil {
      let bias = try file.tensor(writes.projection + ".bias")
      for i in total.indices { total[i] = Double(bias[i % bias.count]) }
    }
    for head in 0..<heads {
      for t in 0..<z.rows {
        for o in 0..<weight.rows {
          for j in head * width..<(head + 1) * width {
            total[t * weight.rows + o] += Double(z[t, j]) * Double(weight[o, j])
          }
        }
      }
    }
    let summed = Tensor([z.rows, weight.rows], total.map(Float.init))
    #expect(try summed.largestDifference(to: at("attn.out")) < 2e-5)
  }

  /// Numbers that no model has are errors that name the field, never a crash.
  @Test(arguments: folders) func badSizesAreNamed(_ folder: String) throws {
    let text = try readJSON(stored("\(folder)/config.json"))
    func check(_ json: JSON, _ path: [String]) throws {
      for (key, value) in json.members ?? [:] {
        if value.members != nil {
          try check(value, path + [key])
        } else if value.double != nil {
          for bad in [JSON.integer(0), .integer(-3), .integer(1 << 60), "many"] {
            let scratch = try Scratch()
            let edited = text.replacing(path + [key], with: bad)
            _ = try scratch.file("config.json", Array(edited.text.utf8))
            do { _ = try openModel(folder: scratch.path) } catch {
              #expect(!"\(error)".isEmpty)
              continue
            }
            Issue.record("\(path + [key]) = \(bad.compactText) opened without weights")
          }
        }
      }
    }
    try check(text, [])
  }
}

extension JSON {
  fileprivate func replacing(_ path: [String], with value: JSON) -> JSON {
    guard let key = path.first, var members else { return value }
    members[key] = members[key]?.replacing(Array(path.dropFirst()), with: value)
    return .object(members)
  }
}
