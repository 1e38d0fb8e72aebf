// The procedure from coarse to fine as a whole: chosen on some sentences, quoted on others, beside what drawn
// neurons and those of the gradient search recover (`paper/definitions.md`, D166).

import Corpus
import Speech
import Tensor

/// What is kept at each stage, and what it is compared with.
public struct CoarseToFineSettings: Sendable {
  /// Layers and windows that are kept, and neurons of the final set.
  public var layers = 2
  public var windows = 2
  public var neurons = 50
  /// Windows of time around the onset of the changed phone, and the text.
  public var grid =
    CoarseToFine.sliding(size: 120, stride: 60, in: -240...480) + [Window.text(0, nil)]
  /// Points of the path of conductance.
  public var steps = 8
  /// Sets that are drawn, and orders of neurons.
  public var draws = 20
  public var orders = 5
  /// The condition whose activations are taken, and the one that takes them; as long as each other.
  public var source = Condition.clean
  public var base = Condition.noise
  public var conditions = ConditionSettings()

  public init() {}
}

/// What the procedure found and what its set recovers on other sentences.
public struct CoarseToFineResult: Codable, Sendable {
  /// The windows that were kept, and the neurons of the set, as cells are written.
  public let windows: [String]
  public let neurons: [String]
  /// Sentences on which cells were chosen, of which so many entered.
  public let known: Int
  public let entered: Int
  /// Cells of each stage.
  public let stages: [Int]
  public let steps: Int
  /// On other sentences, those that enter: the set, as many neurons by conductance among all, all of the
  /// kept windows, and sets drawn among all neurons and among those of the kept windows.
  public let quoted: [TracedSets]
  /// Growing sets of the kept windows' neurons there.
  public let saturation: [TracedSaturation]
  /// How many sets were drawn of either kind.
  public let draws: Int

  public init(
    windows: [String], neurons: [String], known: Int, entered: Int, stages: [Int], steps: Int,
    quoted: [TracedSets], saturation: [TracedSaturation], draws: Int
  ) {
    (self.windows, self.neurons, self.known, self.entered) = (windows, neurons, known, entered)
    (self.stages, self.steps, self.quoted) = (stages, steps, quoted)
    (self.saturation, self.draws) = (saturation, draws)
  }

  /// Runs that the search took, on the sentences on which cells were chosen.
  public var runs: Int { TraceCost.staged(stages, asked: known, entered: entered) }
  /// What the gradient search took on the same sentences.
  public var conductanceRuns: Int {
    TraceCost.conductance(steps: steps, asked: known, entered: entered)
  }

  /// Sets of `quoted`.
  public enum Sets: String, CaseIterable, Sendable {
    case found
    case conductance
    case windows
    /// Drawn among all neurons of all windows: the matched control.
    case drawn
    /// Drawn among those of the kept windows, which stage three alone could beat.
    case drawnWithin = "drawn within"
  }

  /// The recovery by one kind of set, of drawn ones the mean.
  public func recovery(_ sets: Sets, draws: Int, _ random: Random) throws -> Estimate {
    let range =
      switch sets {
      case .found: 0..<1
      case .conductance: 1..<2
      case .windows: 2..<3
      case .drawn: 3..<(3 + self.draws)
      case .drawnWithin: (3 + self.draws)..<(3 + 2 * self.draws)
      }
    return try quoted.recovery(of: range, draws: draws, random.split(sets.rawValue))
  }

  /// Whether the set recovers more than drawn ones, interval from interval, no less than the gradient
  /// search's, and took fewer runs.
  public func isFoundForLess(_ found: Estimate, drawn: Estimate, conductance: Estimate) -> Bool {
    found.low > drawn.high && found.value >= conductance.value && runs < conductanceRuns
  }
}

extension SpeechModel {
  /// Goes from layers to windows to neurons on some sentences, and patches what is found in others.
  ///
  /// - Parameters:
  ///   - known: factorial pairs on which cells are chosen
  ///   - quoted: others
  ///   - minimumGap: of sentences that enter, in nats (D17)
  ///   - random: of drawn sets and orders
  /// - Throws: where no sentence enters, both splits share a sentence, or more cells are kept than there
  ///   are.
  public func coarseToFine(
    choosingOn known: [MinimalPair], quotedOn quoted: [MinimalPair],
    _ settings: CoarseToFineSettings, minimumGap: Double, root: String, _ random: Random
  ) throws -> CoarseToFineResult {
    if let shared = quoted.first(where: { pair in known.contains { $0.group == pair.group } }) {
      throw CellError(
        "coarse to fine: sentence \(shared.group) is among those that choose and those that are quoted; "
          + "take two splits")
    }
    func runs(_ pairs: [MinimalPair]) throws -> [TracedRuns] {
      try mapInParallel(pairs.count) {
        try tracedRuns(
          of: pairs[$0], from: settings.source, into: settings.base, settings.conditions,
          root: root)
      }.filter {
        PairFilter(minimumGap: minimumGap, needsFoil: false)
          .reason(clean: $0.said.source, corrupt: $0.said.base) == nil
      }
    }
    let (own, others) = (try runs(known), try runs(quoted))
    guard let first = own.first, !others.isEmpty else {
      throw CellError(
        "coarse to fine: \(own.count) of \(known.count) and \(others.count) of \(quoted.count) sentences "
          + "are right in the source condition by \(minimumGap) nats more; take a worse base condition"
      )
    }
    func kept(_ cells: [Cell], _ count: Int) throws -> [Cell] {
      let found = try mapInParallel(own.count) { try traced(cells.map { [$0] }, own[$0]) }
      return try cells.best(count, by: found.changes)
    }
    let procedure = try coarseToFine(first, windows: settings.grid)
    let stretches = procedure.windows(of: try kept(procedure.layers, settings.layers))
    let windows = try kept(stretches, settings.windows)
    let candidates = procedure.neurons(of: windows)
    let ranked = try kept(candidates, candidates.count)
    guard settings.neurons <= ranked.count else {
      throw CellError(
        "coarse to fine: \(settings.neurons) neurons are wanted of \(ranked.count); keep more windows"
      )
    }
    let all = procedure.all
    let scores = try mapInParallel(own.count) {
      try conductance(of: all, own[$0], steps: settings.steps)
    }
    let proposed = try all.best(
      settings.neurons, by: all.indices.map { i in scores.reduce(0) { $0 + $1[i] } })
    func drawn(_ name: String, _ cells: [Cell]) throws -> [[Cell]] {
      try (0..<settings.draws).map {
        try cells.drawn(settings.neurons, random.split(name).split($0))
      }
    }
    let set = Array(ranked.prefix(settings.neurons))
    let sets =
      try [set, proposed, windows] + drawn("all", all) + drawn("within", candidates)
    return CoarseToFineResult(
      windows: windows.map(\.description), neurons: set.map(\.description), known: known.count,
      entered: own.count, stages: [procedure.layers, stretches, candidates].map(\.count),
      steps: settings.steps,
      quoted: try mapInParallel(others.count) { try traced(sets, others[$0]) },
      saturation: try mapInParallel(others.count) {
        try saturation(
          of: ranked, others[$0], draws: settings.orders, random.split("orders"))
      }, draws: settings.draws)
  }
}
