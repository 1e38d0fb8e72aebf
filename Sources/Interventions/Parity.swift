// Parity with a reference implementation: every activation, gradient and patch experiment of a
// folder of golden data, compared with what this package computes from the same weights.

import JSON
import Speech
import Tensor

/// The worst difference of one quantity, and what is allowed.
public struct ParityRow: Sendable {
  public let name: String
  public let difference: Double
  public let tolerance: Double

  /// A NaN fails.
  public var passes: Bool { difference <= tolerance }
}

/// Compares a folder of golden data with this package.
///
/// The folder holds config.json, model.safetensors, preprocessor_config.json, inputs.json,
/// expected.safetensors, patches.json and three recordings; its README states the format. Log-mel
/// features are compared at 5e-5, and everything after them starts from the stored features:
/// activations and logits at 2e-5, gradients at 1e-4 of their largest value (at least 1e-4), patch
/// experiments at 5e-5, all absolute.
public func parity(folder: String) throws -> [ParityRow] {
  let fixture = try Fixture(folder: folder)
  var rows: [ParityRow] = []
  var kept: [String: [String: Tensor]] = [:]
  for name in fixture.runs {
    rows.append(try fixture.melRow(name))
    let run = try fixture.run(name)
    kept[name] = run.kept
    for (key, computed) in run.kept.sorted(by: { $0.key < $1.key }) {
      let path = "\(name)/\(key)"
      if fixture.expected.entries[path] == nil { continue }
      rows.append(
        ParityRow(
          name: path, difference: try fixture.difference(computed, path), tolerance: 2e-5))
    }
  }
  // Every stored activation must have been compared: a site that is not computed is a failure.
  let compared = Set(rows.map(\.name))
  for path in fixture.expected.entries.keys.sorted()
  where !path.hasPrefix("grad/") && !path.hasPrefix("patch/") && !compared.contains(path) {
    rows.append(ParityRow(name: "\(path) (not computed)", difference: .infinity, tolerance: 2e-5))
  }
  return rows + (try fixture.gradientRows()) + (try fixture.patchRows(kept))
}

/// The files of a folder of golden data.
private struct Fixture {
  let folder: String
  let model: Qwen2Audio
  let inputs: JSON
  let patches: JSON
  let expected: Safetensors
  let runs: [String]
  let a: Int
  let b: Int

  init(folder: String) throws {
    self.folder = folder
    model = try Qwen2Audio(folder: folder)
    inputs = try readJSON("\(folder)/inputs.json")
    patches = try readJSON("\(folder)/patches.json")
    expected = try Safetensors(path: "\(folder)/expected.safetensors")
    runs = try inputs.object("prompt_ids").keys.sorted()
    let metric = inputs["metric"] ?? [:]
    (a, b) = (try metric.int("a"), try metric.int("b"))
    guard a >= 0, b >= 0, a < model.config.vocabulary, b < model.config.vocabulary else {
      throw CheckpointError("\(folder)/inputs.json: the metric's tokens are not in the vocabulary")
    }
  }

  func difference(_ computed: Tensor, _ path: String) throws -> Double {
    let reference = try expected.tensor(path)
    guard reference.count == computed.count else { return .infinity }
    return Double(computed.largestDifference(to: reference))
  }

  /// The front end on the recording, against the stored features.
  func melRow(_ run: String) throws -> ParityRow {
    let wave = try Waveform(contentsOf: "\(folder)/\(run).wav")
    let features = LogMel(
      bands: model.config.melBands, samples: 2 * model.config.maxSourcePositions * LogMel.hop)
    let mel = transposed(features(wave.samples))
    return ParityRow(
      name: "\(run)/mel", difference: try difference(mel, "\(run)/mel"), tolerance: 5e-5)
  }

  func batch(_ run: String) throws -> Batch {
    let mel = transposed(try expected.tensor("\(run)/mel"))
    let frames = try inputs.object("valid_mel_frames")
    let ids = try inputs.object("prompt_ids")
    guard let valid = frames[run]?.int, let tokens = ids[run]?.elements?.compactMap(\.int) else {
      throw CheckpointError("\(folder)/inputs.json: run \"\(run)\" is incomplete")
    }
    return try Batch(
      model.config, clips: [Clip(mel: mel, validFrames: valid)], prompts: [Prompt(tokens)],
      extent: .padded)
  }

  /// One run with every activation kept by the name of its site.
  func run(_ name: String, differentiated: Bool = false, patch: Patch? = nil) throws
    -> (logits: Tensor, kept: [String: Tensor], batch: Batch)
  {
    let batch = try batch(name)
    var kept: [String: Tensor] = [:]
    let embedded = model.embedded(batch)
    let logits = model.logits(
      after: .encoder(0), differentiated ? embedded.variable : embedded, in: batch,
      rows: Array(batch.lm.sequences[0].range)
    ) { site, x in
      let x = site == patch?.site ? patch!.applied(to: x) : x
      kept["\(site)"] = differentiated ? x : batch.positions(of: 0, in: x, at: site)
      return x
    }
    kept["logits"] = logits
    return (logits, kept, batch)
  }

  func gradientRows() throws -> [ParityRow] {
    let paths = expected.entries.keys.filter { $0.hasPrefix("grad/") }.sorted()
    let (logits, kept, batch) = try run("base", differentiated: true)
    var seed = [Float](repeating: 0, count: logits.count)
    seed[(logits.rows - 1) * logits.width + a] += 1
    seed[(logits.rows - 1) * logits.width + b] -= 1
    let names = paths.map { String($0.dropFirst("grad/".count)) }
    let missing = names.filter { kept[$0] == nil || Site($0) == nil }
    if let name = missing.first {
      throw CheckpointError("\(folder)/expected.safetensors: grad/\(name): no such site")
    }
    let gradients = logits.gradients(
      of: names.map { kept[$0]! }, weights: Tensor(logits.shape, seed))
    return try zip(paths, gradients).map { path, gradient in
      let site = Site(String(path.dropFirst("grad/".count)))!
      let own = batch.positions(of: 0, in: gradient, at: site)
      let reference = try expected.tensor(path)
      let largest = reference.withNumbers { $0.reduce(0) { max($0, abs($1)) } }
      return ParityRow(
        name: path, difference: try difference(own, path),
        tolerance: 1e-4 * max(1, Double(largest)))
    }
  }

  func patchRows(_ kept: [String: [String: Tensor]]) throws -> [ParityRow] {
    try patches.array("patches").flatMap { entry -> [ParityRow] in
      let id = try entry.string("id")
      let patch = try self.patch(entry, id: id, kept)
      let (logits, _, _) = try run("base", patch: patch)
      let last = gatherRows(logits, [logits.rows - 1])
      let metric = Double(last[a] - last[b])
      return [
        ParityRow(
          name: "patch/\(id)/logits_last",
          difference: try difference(last, "patch/\(id)/logits_last"),
          tolerance: 5e-5),
        ParityRow(
          name: "patch/\(id)/metric", difference: abs(metric - (try entry.double("metric_after"))),
          tolerance: 5e-5),
      ]
    }
  }

  func patch(_ entry: JSON, id: String, _ kept: [String: [String: Tensor]]) throws -> Patch {
    func bad(_ reason: String) -> CheckpointError {
      CheckpointError("\(folder)/patches.json: patch \(id): \(reason)")
    }
    let siteName = try entry.string("site")
    guard let site = Site(siteName) else { throw bad("no site \"\(siteName)\"") }
    let sourceName = try entry.string("source")
    guard let source = kept[sourceName]?[siteName] else {
      throw bad("run \"\(sourceName)\" has no \"\(siteName)\"")
    }
    let base = kept["base"]?[siteName]?.rows ?? 0
    let positions = try entry.array("index_map").map { pair -> (base: Int, source: Int) in
      let indices = pair.elements?.compactMap(\.int) ?? []
      guard indices.count == 2, (0..<base).contains(indices[0]),
        (0..<source.rows).contains(indices[1])
      else { throw bad("index_map has an entry outside the runs") }
      return (indices[0], indices[1])
    }
    var part = PatchedPart.whole
    if let head = entry["head"]?.int {
      let heads = site.stage == .encoder ? model.config.encoderHeads : model.config.heads
      guard (0..<heads).contains(head), site.activation == .z else { throw bad("no such head") }
      part = .head(head, of: heads)
    }
    if try entry.string("kind") == "subspace" {
      part = .subspace(try expected.tensor(try entry.string("basis")))
    }
    return Patch(site, positions: positions, from: source, part: part)
  }
}
