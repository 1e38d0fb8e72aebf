// Causal scrubbing (Chan et al., 2022): every activation is replaced by one from a run that the
// hypothesis says is as good; if the behaviour persists the hypothesis may be true.
//
// The graph is cut where everything that follows must pass. At a cut the important windows of the
// activation that names it are drawn one by one from runs of equal feature; all other positions, and
// what passes beside it (the sound that Whisper's decoder attends to, what a second encoder heard),
// together from any run. Important windows may have inputs of their own, at an earlier cut.

import JSON
import Speech
import Tensor

/// What one reference gave.
public struct ScrubbedItem: Sendable, Codable {
  public let id: String
  public let group: String
  /// Logit differences, answer against foil: of the model, by scrubbed draw, and of each run that
  /// might have been drawn with nothing kept.
  public let model: Double
  public let scrubbed: [Double]
  public let random: [Double]
  /// The loss -log p(answer), likewise.
  public let modelLoss: Double
  public let scrubbedLosses: [Double]
  public let randomLosses: [Double]
  /// D_KL(model || scrubbed) over the next token, by draw.
  public let divergences: [Double]
}

/// A model, the runs that it is scrubbed with, and a hypothesis on it.
public struct Scrubbing: Sendable {
  public let model: any SpeechLanguageModel
  public let items: [ScrubItem]
  public let hypothesis: Hypothesis
  /// How often each reference is drawn.
  public let draws: Int
  private let donors: [DonorClass: [Int]]
  private let everyone: [String: [Int]]

  private struct DonorClass: Hashable {
    let stratum: String
    let feature: String
    let value: String
  }

  /// - Throws: where a site is no residual site, cuts do not go from the answer backwards, an item
  ///   lacks a feature, or a class has no donor but the reference itself.
  public init(
    _ model: any SpeechLanguageModel, _ items: [ScrubItem], _ hypothesis: Hypothesis, draws: Int
  )
    throws
  {
    (self.model, self.items, self.hypothesis, self.draws) = (model, items, hypothesis, draws)
    guard draws > 0, !items.isEmpty else {
      throw CellError("scrubbing takes at least one item and one draw of each")
    }
    var donors: [DonorClass: [Int]] = [:]
    for feature in hypothesis.root.features {
      for (i, item) in items.enumerated() {
        guard let value = item.features[feature] else {
          let known = item.features.keys.sorted().joined(separator: ", ")
          throw CellError(
            "\(item.id): has no feature \(quoted(feature)), which the hypothesis names; it has \(known)"
          )
        }
        let key = DonorClass(stratum: item.stratum, feature: feature, value: value)
        donors[key, default: []].append(i)
      }
    }
    self.donors = donors
    everyone = Dictionary(grouping: items.indices, by: { items[$0].stratum })
    try check(hypothesis.root, before: nil)
    if let alone = donors.filter({ $0.value.count < 2 }).keys.min(by: { "\($0)" < "\($1)" }) {
      throw CellError(
        "only one item has \(alone.feature) \(quoted(alone.value)) (\(alone.stratum)): it would be "
          + "scrubbed with itself, which tests nothing. Add pairs, or leave it out")
    }
  }

  /// The activations that cut the model; a second encoder alone does not.
  private var cuts: [Site] {
    model.cutsToText.map { $0.kind == .branch ? nil : $0.site }.compactMap { $0 }
  }

  private func check(_ cut: HypothesisCut, before depth: Int?) throws {
    guard let place = cuts.firstIndex(of: cut.site) else {
      throw CellError(
        "\(cut.site) does not cut the model: activations beside it reach the answer too. Scrubbing "
          + "takes " + cuts.map { "\($0)" }.joined(separator: ", "))
    }
    if let depth, place >= depth {
      throw CellError(
        "\(cut.site) does not lie before \(cuts[depth]), whose input it should be; give an earlier "
          + "site")
    }
    for parent in cut.parents {
      if let inputs = parent.inputs { try check(inputs, before: place) }
    }
  }

  /// What should be said of how little there is to draw from.
  public var warnings: [String] {
    let few = donors.values.map(\.count).filter { $0 < draws }
    guard let fewest = few.min() else { return [] }
    let usesItself = hypothesis.root.samplers.contains(.equal)
    let members = donors.values.reduce(0) { $0 + $1.count }
    // One draw in so many of a class is the reference: on average over references, classes / members.
    let share = Int((100 * Double(donors.count) / Double(members)).rounded())
    return [
      "\(few.count) of \(donors.count) classes of equal feature have fewer donors than the \(draws) "
        + "draws, the smallest \(fewest): draws repeat"
        + (usesItself
          ? ", and \(share) % of them are the reference itself; the sampler \"other\" leaves it out"
          : "")
    ]
  }

  /// Scrubs every item, with each as the reference in turn.
  ///
  /// - Parameter random: the same stream gives the same draws, whatever the order of computation
  public func run(_ random: Random, progress: @Sendable (Int) -> Void = { _ in }) throws
    -> [ScrubbedItem]
  {
    try mapInParallel(items.count) { i in
      let result = try scrubbed(i, random.split(items[i].id))
      progress(i)
      return result
    }
  }

  private func scrubbed(_ index: Int, _ random: Random) throws -> ScrubbedItem {
    let item = items[index]
    let question = item.trace.question
    let states = try (0..<draws).map { draw in
      try state(at: hypothesis.root, for: index, random.split(draw))
    }
    let logits = item.trace.continued(states)
    let own = question.nextToken(item.trace.logits)
    let outcomes = logits.map { question.outcome($0, against: own) }
    let loss: (Outcome) -> Double = { -Elementary.log(max($0.probability, 1e-300)) }
    // With nothing kept the answer comes from another run altogether.
    let strangers = everyone[item.stratum]!.map { question.outcome(items[$0].trace.logits) }
    return ScrubbedItem(
      id: item.id, group: item.group, model: item.trace.logitDifference,
      scrubbed: outcomes.map(\.logitDifference), random: strangers.map(\.logitDifference),
      modelLoss: loss(item.trace.outcome), scrubbedLosses: outcomes.map(loss),
      randomLosses: strangers.map(loss),
      divergences: outcomes.map { $0.divergence ?? 0 })
  }

  /// The state at a cut that the hypothesis allows for a reference.
  private func state(at cut: HypothesisCut, for index: Int, _ random: Random) throws
    -> any RunState
  {
    let item = items[index]
    let site = cut.site
    let place = model.cuts.firstIndex { $0.site == site }!
    let rest = draw(cut.others, for: index, feature: "", shared: index, random.split("others"))
    var state = item.trace.states[place]
    let other = items[rest].trace.states[place]
    for stream in state.streams.indices {
      guard let own = state.site(ofStream: stream) else { continue }
      state.streams[stream] = try taking(
        Array(try item.trace.place(of: own).rows.indices), of: index, from: other.streams[stream],
        at: try item.counterparts(in: items[rest], at: own), rest, own,
        into: state.streams[stream])
    }
    for (p, parent) in cut.parents.enumerated() {
      let stream = random.split("parent \(p)")
      let donor = draw(
        parent.sampler, for: index, feature: parent.feature, shared: rest, stream.split("draw"))
      var source = items[donor].trace.states[place]
      if let inputs = parent.inputs {
        source = try self.state(at: inputs, for: donor, stream.split("inputs"))
        while source.cut < place, source.advance(tap: nil) {}
      }
      let own = try item.positions(of: parent.window, at: site)
      let there = try items[donor].positions(of: parent.window, at: site)
      state.streams[0] = try taking(
        own, of: index, from: source.streams[0], at: stretched(there, to: own.count), donor, site,
        into: state.streams[0])
    }
    return state
  }

  private func taking(
    _ positions: [Int], of index: Int, from content: Tensor, at there: [Int], _ donor: Int,
    _ site: Site, into x: Tensor
  ) throws -> Tensor {
    let rows = try items[index].trace.place(of: site).rows
    let donorRows = try items[donor].trace.place(of: site).rows
    return replacingRows(
      x, at: positions.map { rows[$0] }, with: gatherRows(content, there.map { donorRows[$0] }))
  }

  private func draw(
    _ sampler: DonorSampler, for index: Int, feature: String, shared: Int, _ random: Random
  ) -> Int {
    var random = random
    let item = items[index]
    switch sampler {
    case .exact: return index
    case .shared: return shared
    case .any:
      let all = everyone[item.stratum]!
      return all[random.below(all.count)]
    case .equal:
      let key = DonorClass(
        stratum: item.stratum, feature: feature, value: item.features[feature] ?? "")
      let alike = donors[key]!
      return alike[random.below(alike.count)]
    case .other:
      let key = DonorClass(
        stratum: item.stratum, feature: feature, value: item.features[feature] ?? "")
      let others = donors[key]!.filter { $0 != index }
      return others[random.below(others.count)]
    }
  }
}

extension Hypothesis {
  /// The items that have another donor of each feature by which the hypothesis draws, and those that
  /// would be scrubbed with themselves. Leaving some out may leave others alone; they go too.
  public func withDonors(_ items: [ScrubItem]) -> (kept: [ScrubItem], alone: [ScrubItem]) {
    let features = root.features.sorted()
    func classes(_ item: ScrubItem) -> [[String]] {
      features.map { [item.stratum, $0, item.features[$0] ?? ""] }
    }
    var (kept, alone) = (items, [ScrubItem]())
    while true {
      let counts = kept.flatMap(classes).reduce(into: [:]) { $0[$1, default: 0] += 1 }
      let lonely = kept.filter { classes($0).contains { counts[$0]! < 2 } }
      if lonely.isEmpty { return (kept, alone) }
      alone += lonely
      kept.removeAll { item in classes(item).contains { counts[$0]! < 2 } }
    }
  }
}

extension Hypothesis {
  /// The sites of all its cuts.
  public var sites: Set<Site> { root.sites }
}

extension HypothesisCut {
  fileprivate var sites: Set<Site> {
    parents.reduce(into: [site]) { all, parent in
      if let inputs = parent.inputs { all.formUnion(inputs.sites) }
    }
  }

  /// The features by which something is drawn.
  fileprivate var features: Set<String> {
    parents.reduce(into: []) { names, parent in
      if [.equal, .other].contains(parent.sampler) { names.insert(parent.feature) }
      if let inputs = parent.inputs { names.formUnion(inputs.features) }
    }
  }
}

extension HypothesisCut {
  /// The samplers of all important windows.
  fileprivate var samplers: Set<DonorSampler> {
    parents.reduce(into: []) { all, parent in
      all.insert(parent.sampler)
      if let inputs = parent.inputs { all.formUnion(inputs.samplers) }
    }
  }
}

extension Trace {
  /// The logits that the question reads, from each of several states at one cut; stacked where each
  /// run has its own of every stream.
  fileprivate func continued(_ states: [any RunState]) -> [Tensor] {
    stride(from: 0, to: states.count, by: 12).flatMap { start -> [Tensor] in
      let chunk = Array(states[start..<min(start + 12, states.count)])
      var all = self.states[chunk[0].cut].stacked(chunk.count, knowing: RunMemory())
      let streams = chunk[0].streams.indices.map { i in joiningRows(chunk.map { $0.streams[i] }) }
      guard zip(all.streams, streams).allSatisfy({ $0.rows == $1.rows }) else {
        return chunk.map { $0.logits(question.reads, tap: nil)[0] }
      }
      all.streams = streams
      return all.logits(question.reads, tap: nil)
    }
  }
}
