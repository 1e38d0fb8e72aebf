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
/// The folder holds config.json, weights, inputs.json, expected.safetensors, patches.json and three
/// recordings; its README states the format. Features are compared at 5e-5, and everything after
/// them starts from the stored features: activations and logits at 2e-5 (5e-5 in LLaMA-Omni's unit
/// generator), gradients at 1e-4 of their largest value (at least 1e-4), patch experiments at 5e-5,
/// all absolute.
public func parity(folder: String) throws -> [ParityRow] {
  let golden = try GoldenData(folder: folder)
  var rows: [ParityRow] = []
  var kept: [String: [String: Tensor]] = [:]
  for name in ["base", "source", "source_eq"] {
    rows += try golden.frontEndRows(name)
    let run = try golden.run(name)
    kept[name] = run.kept
    rows += try golden.codecRows(name)
    if let units = golden.inputs["units"]?[name]?["collapsed"]?.elements {
      let equal = units.compactMap(\.int) == run.model.units
      rows.append(
        ParityRow(name: "\(name)/units", difference: equal ? 0 : .infinity, tolerance: 0))
    }
    for (key, computed) in run.kept.sorted(by: { $0.key < $1.key }) {
      let path = "\(name)/\(key)"
      if golden.expected.entries[path] == nil { continue }
      rows.append(
        ParityRow(
          name: path, difference: try golden.difference(computed, path),
          tolerance: golden.tolerance(of: key)))
    }
  }
  // Every stored activation must have been compared: a site that is not computed is a failure.
  let compared = Set(rows.map(\.name))
  for path in golden.expected.entries.keys.sorted()
  where !path.hasPrefix("grad") && !path.hasPrefix("patch/") && !compared.contains(path) {
    rows.append(ParityRow(name: "\(path) (not computed)", difference: .infinity, tolerance: 0))
  }
  for metric in golden.metrics { rows += try golden.gradientRows(metric) }
  return rows + (try golden.patchRows(kept))
}

extension GoldenData {
  func difference(_ computed: Tensor, _ path: String) throws -> Double {
    let reference = try expected.tensor(path)
    guard reference.count == computed.count else { return .infinity }
    return Double(computed.largestDifference(to: reference))
  }

  /// Whole numbers must be equal.
  func tolerance(of key: String) -> Double {
    if key == "keep" || key.hasSuffix("argmax") { return 0 }
    let deep = key.hasPrefix("gen.") || key.hasPrefix("depth.") || key == "audio_logits"
    return deep ? 5e-5 : 2e-5
  }

  /// One run with every activation kept by the name of its site.
  ///
  /// - Parameter differentiated: keep activations as they stand in the record of gradients, with
  ///   their padding
  func run(
    _ name: String, differentiated: Bool = false, patch: Patch? = nil, kept mask: [Int]? = nil
  ) throws -> (model: ModelRun, kept: [String: Tensor]) {
    var seen: [(site: Site, x: Tensor)] = []
    var input = try input(name)
    input.kept = mask
    input.extent = .padded
    let place = try patch.map { try placed($0, in: input) }
    let model = try model.run(input) { site, x in
      // The first activations of every branch become variables.
      var x = differentiated && !x.isDifferentiated ? x.variable : x
      if let patch, let place, site == patch.site { x = Patch.applying([patch], to: x, at: place) }
      seen.append((site, x))
      return x
    }
    var kept: [String: Tensor] = ["logits": model.logits]
    for (site, x) in seen {
      kept["\(site)"] = differentiated ? x : model.positions(of: x, at: site) ?? x
    }
    for (name, site) in aliases { kept[name] = kept["\(site)"] }
    return (model, kept)
  }

  /// Where the positions of a patch's site lie, from a run without it: a patch further up may change
  /// how many there are, but not at its own site.
  private func placed(_ patch: Patch, in input: ModelInput) throws -> Place {
    guard let place = try model.run(input, tap: nil).place(of: patch.site), place.pattern == nil
    else {
      throw CheckpointError("\(folder)/patches.json: \(patch.site) cannot be patched by position")
    }
    return place
  }

  func gradientRows(_ metric: GoldenMetric) throws -> [ParityRow] {
    let prefix = metric.gradients
    let paths = expected.entries.keys.filter { $0.hasPrefix(prefix) }.sorted()
    let (model, kept) = try run("base", differentiated: true)
    guard let output = kept[metric.output] else {
      throw CheckpointError("\(folder)/inputs.json: the model has no \"\(metric.output)\"")
    }
    let row = try metricRow(metric, output, model)
    var seed = [Float](repeating: 0, count: output.count)
    seed[row * output.width + metric.a] += 1
    seed[row * output.width + metric.b] -= 1
    let names = paths.map { String($0.dropFirst(prefix.count)) }
    if let name = names.first(where: { kept[$0] == nil || Site($0) == nil }) {
      throw CheckpointError("\(folder)/expected.safetensors: \(prefix)\(name): no such site")
    }
    let gradients = output.gradients(
      of: names.map { kept[$0]! }, weights: Tensor(output.shape, seed))
    return try zip(paths, gradients).map { path, gradient in
      let site = Site(String(path.dropFirst(prefix.count)))!
      let own = model.positions(of: gradient, at: site) ?? gradient
      let reference = try expected.tensor(path)
      let largest = reference.withNumbers { $0.reduce(0) { max($0, abs($1)) } }
      return ParityRow(
        name: path, difference: try difference(own, path),
        tolerance: 1e-4 * max(1, Double(largest)))
    }
  }

  /// The row of the tensor `output` that holds a metric's last position.
  private func metricRow(_ metric: GoldenMetric, _ output: Tensor, _ run: ModelRun) throws -> Int {
    guard metric.output != "logits", let site = Site(metric.output),
      let place = run.place(of: site)
    else { return output.rows - 1 }
    return place.rows[place.rows.count - place.rowsPerStep + (metric.subStep ?? 0)]
  }

  func patchRows(_ kept: [String: [String: Tensor]]) throws -> [ParityRow] {
    try patches.array("patches").flatMap { entry -> [ParityRow] in
      let id = try entry.string("id")
      let patch = try self.patch(entry, id: id, kept)
      let mask = entry["keep_mask"]?.string == "frozen_to_base" ? try keptRows("base", kept) : nil
      let run = try run("base", patch: patch, kept: mask)
      let last = gatherRows(run.model.logits, [run.model.logits.rows - 1])
      var rows = [
        ParityRow(
          name: "patch/\(id)/logits_last",
          difference: try difference(last, "patch/\(id)/logits_last"), tolerance: 5e-5)
      ]
      for metric in metrics {
        guard let output = run.kept[metric.output], entry[metric.after] != nil else { continue }
        let perStep = Site(metric.output).flatMap { run.model.place(of: $0)?.rowsPerStep } ?? 1
        let row = output.rows - perStep + (metric.subStep ?? 0)
        let value = Double(output[row, metric.a]) - Double(output[row, metric.b])
        rows.append(
          ParityRow(
            name: "patch/\(id)/\(metric.name)",
            difference: abs(value - (try entry.double(metric.after))), tolerance: 5e-5))
      }
      if let after = entry["keep_after"]?.elements?.compactMap(\.int), entry["keep_mask"] != nil {
        let own = try keptRows("patched", ["patched": run.kept])
        rows.append(
          ParityRow(
            name: "patch/\(id)/keep", difference: own == after ? 0 : .infinity, tolerance: 0))
      }
      return rows
    }
  }

  private func patch(_ entry: JSON, id: String, _ kept: [String: [String: Tensor]]) throws -> Patch
  {
    func bad(_ reason: String) -> CheckpointError {
      CheckpointError(
        "\(folder)/patches.json: patch \(id): \(reason); correct the entry, or make the folder again"
      )
    }
    let siteName = try entry.string("site")
    guard let site = Site(siteName), model.sites.contains(site) else {
      let stage = siteName.prefix { $0 != "." }
      let near = model.sites.map { "\($0)" }.filter { $0.prefix { $0 != "." } == stage }
      let known = near.isEmpty ? Array(Set(model.sites.map(\.stage.rawValue))).sorted() : near
      throw bad(
        "no site \"\(siteName)\"; the model has \(near.isEmpty ? "the stages " : "")"
          + known.joined(separator: ", "))
    }
    let sourceName = try entry.string("source")
    guard let source = kept[sourceName]?[siteName] else {
      throw bad("run \"\(sourceName)\" has no \"\(siteName)\"")
    }
    let perStep = try run("base").model.place(of: site)?.rowsPerStep ?? 1
    let base = (kept["base"]?[siteName]?.rows ?? 0) / perStep
    let positions = try entry.array("index_map").flatMap { pair -> [(base: Int, source: Int)] in
      let indices = pair.elements?.compactMap(\.int) ?? []
      guard indices.count == 2, (0..<base).contains(indices[0]),
        (0..<source.rows / perStep).contains(indices[1])
      else {
        throw bad(
          "index_map has an entry outside the \(base) positions of the base run and the "
            + "\(source.rows / perStep) of the source run")
      }
      return (0..<perStep).map { (indices[0] * perStep + $0, indices[1] * perStep + $0) }
    }
    let rows = gatherRows(source, positions.map(\.source))
    let places = positions.map(\.base)
    if let head = entry["head"]?.int {
      let heads = try run("base").model.place(of: site)?.heads ?? 1
      guard (0..<heads).contains(head) else {
        throw bad("head \(head); \(siteName) has \(heads) from 0 on")
      }
      if heads > 1 {
        let width = source.width / heads
        return Patch(
          site, positions: places, index: head,
          taking: rows.columns((head * width)..<((head + 1) * width)))
      }
    }
    if try entry.string("kind") == "subspace" {
      let basis = try expected.tensor(try entry.string("basis"))
      guard basis.rows == source.width else {
        throw bad("the basis has \(basis.rows) rows, the site is \(source.width) wide")
      }
      return Patch(site, positions: places, subspace: basis, of: rows)
    }
    return Patch(site, positions: places, taking: rows)
  }

  /// The connector's rows that became tokens in a run.
  private func keptRows(_ run: String, _ kept: [String: [String: Tensor]]) throws -> [Int] {
    guard let keep = kept[run]?["keep"] else {
      throw CheckpointError("\(folder)/patches.json: has a keep mask, but the model keeps all rows")
    }
    return keep.numbers.indices.filter { keep.numbers[$0] != 0 }
  }
}
