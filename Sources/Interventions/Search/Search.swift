// Search: an estimate of the effect of every cell at once (`paper/definitions.md`, D33 to D40).
// It proposes; only exact patching decides.

import Speech
import Tensor

/// How the effect of a cell is estimated from slopes.
public enum SearchMethod: Hashable, Sendable {
  /// Slope at the base run times the move to the source run (attribution patching, Nanda 2023).
  case attribution
  /// The same, with queries and keys through the softmax itself, one key at a time (QK-fix).
  case attributionQK
  /// Slopes along a path of inputs, times what each activation moves in each step of it. The scores
  /// of every cut through the model add up to the whole effect (Dhamdhere et al., 2018).
  case conductance(steps: Int)
  /// The mean slope along a path of inputs times the whole move (Hanna et al., 2024). Does not add up
  /// at inner cuts.
  case integratedGradients(steps: Int)
  /// Attribution by the rules of relevance propagation (Jafari et al., 2025).
  case relevance(freezingPatterns: Bool)
  /// The mean size of attribution with one layer's write at a time closed to the reverse pass, so
  /// that direct and indirect effects cannot cancel (GradDrop, Kramár et al., 2024). Has no sign.
  case gradDrop

  public var name: String {
    switch self {
    case .attribution: "attribution"
    case .attributionQK: "qk-fix"
    case .conductance: "conductance"
    case .integratedGradients: "integrated-gradients"
    case .relevance(false): "relp"
    case .relevance(true): "relp-frozen-patterns"
    case .gradDrop: "graddrop"
    }
  }

  /// Steps along the path, where there is one.
  public var steps: Int? {
    switch self {
    case .conductance(let steps), .integratedGradients(let steps): steps
    default: nil
    }
  }
}

/// What a search is asked for.
public struct SearchOptions: Sendable {
  public var method: SearchMethod
  public var sites: [Site]
  public var target = Target.logitDifference
  public var alignment = Alignment.identity
  /// What moves along the path of inputs; the model's usual start where nil.
  public var path: PathStart?
  /// Runs each layer again on the way back, so that the record of one is in memory at a time, at the
  /// price of one more pass for each way back (architectures that splice sound into a prompt).
  public var recomputes = false

  public init(_ method: SearchMethod, sites: [Site]) {
    self.method = method
    self.sites = sites
  }
}

/// The estimated effects of one pair in one direction.
public struct SearchResult: Sendable {
  public let method: SearchMethod
  public let scores: [Site: SiteScores]
  /// The target of the base run, and of the run that the scores explain: the source run, or the end
  /// of the path.
  public let base: Double
  public let end: Double
  /// What moved along the path, where there was one.
  public let path: PathStart?
  public var cost: Cost

  /// The change of the target that the scores explain.
  public var total: Double { end - base }

  /// How far the scores of all positions of some sites are from the total, as a share of it. Zero is
  /// complete; only a cut through which everything passes can be.
  public func residual(of cut: [Site]) -> Double? {
    let totals = cut.compactMap { scores[$0]?.total }
    return totals.count == cut.count ? (totals.reduce(0, +) - total) / total : nil
  }

  public func residual(at site: Site) -> Double? { residual(of: [site]) }
}

extension SpeechLanguageModel {
  /// Estimates, for every position and coordinate of some sites, the change of the target of the base
  /// run if it took the source run's value.
  ///
  /// - Throws: where a site is unknown or cannot be scored, or the runs cannot be aligned.
  public func search(base: Question, source: Question, _ options: SearchOptions) throws
    -> SearchResult
  {
    for site in options.sites {
      try check(site)
      if site.activation == .logits {
        throw CellError("\(site): the logits are what is explained; search sites before them")
      }
    }
    var (result, cost) = try Cost.timed {
      switch options.method {
      case .conductance(let steps), .integratedGradients(let steps):
        try alongPath(base, source, options, steps: steps)
      default: try atBase(base, source, options)
      }
    }
    cost.forwards = result.cost.forwards
    cost.backwards = result.cost.backwards
    result.cost = cost
    return result
  }

  /// Two forward passes and one back, or one back for each layer with GradDrop.
  private func atBase(_ base: Question, _ source: Question, _ options: SearchOptions) throws
    -> SearchResult
  {
    let attentions = options.method == .attributionQK ? AttentionSites.all(in: sites) : []
    let fixed = attentions.filter { $0.touches(options.sites) }
    let writes = options.method == .gradDrop ? layerWrites : []
    let extra = fixed.flatMap(\.sites) + writes.flatMap { $0 }
    let kept = Array(Set(options.sites + extra)).sorted { "\($0)" < "\($1)" }
    let here = try trace(base, keeping: kept, recording: !options.recomputes)
    let there = try trace(source, keeping: kept)
    var cost = Cost()
    cost.forwards = 2
    func scores(blocking blocked: [Site] = []) throws -> [Site: SiteScores] {
      var rules = ReverseRules.gradient
      if case .relevance(let frozen) = options.method {
        rules = .relevance(freezingPatterns: frozen)
      }
      let slopes = try slopes(
        of: here, options.target, at: options.sites + fixed.map(\.pattern), by: rules,
        blocking: blocked)
      cost.forwards += here.record == nil ? 1 : 0
      cost.backwards += 1
      return Dictionary(
        uniqueKeysWithValues: try options.sites.map { site in
          if let attention = fixed.first(where: { [$0.q, $0.k].contains(site) }) {
            return (
              site,
              try attention.scores(of: site, slopes[attention.pattern]!, here, there, options)
            )
          }
          let cell = try Selection(Cell(site), base: here, source: there, options.alignment)!
          return (
            site,
            SiteScores(
              slopes[site]!, try here.place(of: site), from: cell.base, to: cell.source)
          )
        })
    }
    var found: [Site: SiteScores]
    if writes.isEmpty {
      found = try scores()
    } else {
      found = [:]
      for write in writes {
        for (site, score) in try scores(blocking: write) {
          let size = score.combined(score) { a, _ in abs(a) }
          found[site] = found[site].map { $0 + size } ?? size
        }
      }
      // One layer's own components score nothing where it is closed.
      let share = 1 / Double(max(writes.count - 1, 1))
      found = found.mapValues { $0.scaled(by: share) }
    }
    return SearchResult(
      method: options.method, scores: found, base: here.outcome[options.target.metric] ?? 0,
      end: there.outcome[options.target.metric] ?? 0, path: nil, cost: cost)
  }

  /// What each layer adds to the residual stream, by layer.
  private var layerWrites: [[Site]] {
    let writes: [Site.Activation] = [.attnOut, Site.Activation(rawValue: "cross.out"), .mlpOut]
    let stages = [Site.Stage.encoder, .lm, Site.Stage(rawValue: "decoder")]
    var layers: [[Site]] = []
    for stage in stages {
      let own = sites.filter { $0.stage == stage && writes.contains($0.activation) }
      for layer in Set(own.compactMap(\.layer)).sorted() {
        layers.append(own.filter { $0.layer == layer })
      }
    }
    return layers
  }

  /// One forward pass and one back for each point of the path, its ends included.
  private func alongPath(
    _ base: Question, _ source: Question, _ options: SearchOptions, steps: Int
  ) throws -> SearchResult {
    guard steps > 0, steps % 2 == 0 else {
      throw CellError("\(steps) steps along the path; take an even number, such as 16")
    }
    let start = options.path ?? defaultPathStart
    var kept = options.sites
    if case .site(let site) = start { kept.append(site) }
    let (here, there) = (try trace(base, keeping: kept), try trace(source, keeping: kept))
    let path = try InputPath(start, from: here, to: there, options.alignment)
    var cost = Cost()
    cost.forwards = 2
    var integral = PathIntegral(options.method, options.sites)
    var end = here
    for step in 0...steps {
      let point = try path.trace(
        at: Double(step) / Double(steps), self, keeping: kept, recording: !options.recomputes)
      let slopes = try slopes(of: point, options.target, at: options.sites)
      cost.forwards += point.record == nil ? 2 : 1
      cost.backwards += 1
      try integral.add(point, slopes)
      end = point
    }
    var scores = integral.conductance
    if case .integratedGradients = options.method {
      scores = Dictionary(
        uniqueKeysWithValues: try options.sites.map { site in
          let cell = try Selection(Cell(site), base: here, source: there, options.alignment)!
          return (site, try integral.meanSlope(site, here, from: cell.base, to: cell.source))
        })
    }
    return SearchResult(
      method: options.method, scores: scores, base: here.outcome[options.target.metric] ?? 0,
      end: end.outcome[options.target.metric] ?? 0, path: start, cost: cost)
  }
}

extension Target {
  var metric: Metric {
    switch self {
    case .logitDifference: .logitDifference
    case .probability: .probability
    case .sequence: .sequence
    }
  }
}
