// A run as a value. A model is a chain of stages; between any two of its layers stands a cut, at which
// everything that follows depends on a few activations alone. The state of a run at a cut can be kept,
// changed in a window, stacked with others that differ only there, and continued.

import Tensor

/// A cut through the chain of a model, named by the activation that passes there.
public struct Cut: Hashable, Sendable {
  public let site: Site
  public let kind: Kind

  public enum Kind: Sendable {
    /// The residual stream on the way from sound to text.
    case residual
    /// That of a second encoder, which joins it.
    case branch
    /// On that way too, such as the waist of a connector.
    case other
    /// Behind the logits: what speaks the answer.
    case spoken
  }

  init(_ site: Site, _ kind: Kind = .residual) {
    self.site = site
    self.kind = kind
  }
}

/// What a finished run knows that a run which differs from it only further on need not compute again.
public struct RunMemory: Sendable {
  /// Keys and values of a causal stage, for runs that begin behind its first positions.
  public internal(set) var keysValues: [Site.Stage: KeyValueCache] = [:]
  /// What a stage that another one waits for has given.
  public internal(set) var outputs: [Site: Tensor] = [:]

  public init() {}

  /// The same, with what another one knows.
  public func joined(with other: RunMemory) -> RunMemory {
    var memory = self
    memory.outputs.merge(other.outputs) { $1 }
    return memory
  }

  /// Leaves out what a stage has given.
  public mutating func forget(_ stage: Site.Stage) {
    outputs = outputs.filter { $0.key.stage != stage }
  }

  mutating func keep(_ site: Site, _ x: Tensor, keys: Site.Activation) {
    if site.activation == keys { keysValues[site.stage, default: .init()].keys.append(x.detached) }
    if site.activation == .v { keysValues[site.stage, default: .init()].values.append(x.detached) }
  }
}

/// Runs of one model that stand at one cut of its chain, one below the other.
public protocol RunState: Sendable {
  /// How many runs are stacked.
  var copies: Int { get }
  /// The index of the cut in the model's `cuts`.
  var cut: Int { get }
  /// What everything that follows depends on: the activation that names the cut first, then what passes
  /// beside it, such as the encoder's output beside Whisper's decoder.
  var streams: [Tensor] { get set }
  /// The activation that a stream is; nil for what is the same in all runs of a question.
  func site(ofStream index: Int) -> Site?
  /// The stream that holds a site's activation while nothing has read it yet, so that it can still be
  /// changed here; nil where the activation is ahead or has been read.
  func stream(waiting site: Site) -> Int?
  /// What the runs have computed so far that runs like them need not compute again.
  var memory: RunMemory { get }

  /// Leaves out `memory`, where the runs' end has it.
  mutating func forget()

  /// The same run so many times, none of which computes what `memory` of the finished run holds.
  func stacked(_ copies: Int, knowing memory: RunMemory) -> Self

  /// What the layer ahead makes of each row by itself, for runs in which only some rows are others.
  func prepared() -> RunMemory

  /// Computes the stretch to the next cut; false, and nothing computed, where there is none or where
  /// nobody listens to what lies behind the logits.
  mutating func advance(tap: Tap?) -> Bool

  /// Whether the positions of this cut see only those before them, so that a change leaves what lies
  /// before it alone.
  var isCausal: Bool { get }
  /// Positions of the cut's stage in one of the runs.
  func positions(of copy: Int) -> Int
  /// Leaves out the positions before `firsts`, a multiple of `rowBlock` for each run, where all runs are
  /// the one whose memory was given.
  mutating func begin(at firsts: [Int])
  /// The first position of this cut's stage that a change of a site's positions, ahead of this cut,
  /// reaches: 0 where it reaches all.
  func first(reachedFrom site: Site, _ positions: [Int]) -> Int

  /// Whether the stage whose logits are read has begun.
  var isText: Bool { get }
  /// Runs on to the logits of some positions of the text.
  ///
  /// - Parameter reads: the positions that are read of a run of so many
  /// - Returns: [reads, vocabulary] of each run
  func logits(_ reads: (Int) -> [Int], tap: Tap?) -> [Tensor]

  /// The run whose last cut this is.
  func finished(tap: Tap?) -> ModelRun

  /// Where the positions of a site lie in one of the stacked runs, in the stretch ahead of this cut;
  /// nil where the model has no such site. Positions before those with which the rows begin have none.
  func place(of site: Site, copy: Int) -> Place?
  /// Whether how many positions a site behind the cut has depends on what is computed on the way.
  func isLaidOutAhead(_ site: Site) -> Bool
}

extension RunState {
  public func prepared() -> RunMemory { RunMemory() }

  public func stream(waiting site: Site) -> Int? {
    !streams.isEmpty && self.site(ofStream: 0) == site ? 0 : nil
  }
}

extension SpeechLanguageModel {
  /// One forward pass. Where `tap` is given, it is called at each of `sites`.
  ///
  /// - Parameter input: a clip and tokens; what `tokens` are depends on the architecture
  public func run(_ input: ModelInput, tap: Tap?) throws -> ModelRun {
    var state = try begin(input, remembering: false, tap: tap)
    while state.advance(tap: tap) {}
    return state.finished(tap: tap)
  }

  /// The same with every activation given to `body`, which returns what takes its place.
  public func run(_ input: ModelInput, _ body: @escaping (Site, Tensor) -> Tensor) throws
    -> ModelRun
  {
    try run(input, tap: Tap(nil, body))
  }

  /// The last cut that a run passes before it computes a site, by its index; that of the cut itself
  /// where the site is one. Nil where it is computed before the first cut, or the model has no such site.
  public func cut(before site: Site) -> Int? {
    let own = Set(cuts.map(\.site))
    var cut = -1
    for other in sites {
      if own.contains(other) { cut += 1 }
      if other == site { return cut < 0 ? nil : cut }
    }
    return nil
  }
}

/// One of several runs that are stacked.
public struct Copy: Sendable {
  let index: Int
  let count: Int

  static let only = Copy(index: 0, count: 1)
}

extension Layout {
  /// The sequences of one of several stacked runs.
  func sequences(of copy: Copy) -> ArraySlice<SequenceRows> {
    let each = sequences.count / copy.count
    return sequences[(copy.index * each)..<((copy.index + 1) * each)]
  }

  /// The same sequences so many times.
  func repeated(_ copies: Int) -> Layout {
    func all<T>(_ values: [T]) -> [T] { (0..<copies).flatMap { _ in values } }
    return Layout(
      counts: all(sequences.map(\.count)), visible: all(sequences.map(\.visible)),
      firsts: all(sequences.map(\.first)))
  }
}

extension Tensor {
  /// The same rows so many times, one below the other.
  func repeated(_ copies: Int) -> Tensor {
    copies == 1 ? self : joiningRows([Tensor](repeating: self, count: copies))
  }
}
