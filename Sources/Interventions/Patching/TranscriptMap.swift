// The map of one minimal pair in a recogniser: the encoder, keys and values of cross-attention by time,
// the decoder by text position, its heads one by one, all patched exactly in both directions.

import Corpus
import Speech
import Synchronization
import Tensor

/// Sites and windows of a recogniser's map, the same for all pairs.
public struct TranscriptGrid: Sendable {
  /// The residual stream of the encoder: its input, behind its middle and behind its last layer.
  public let encoder: [Site]
  /// Keys and values of cross-attention, by layer.
  public let keys: [Site]
  public let values: [Site]
  /// The residual stream behind every layer of the decoder.
  public let decoder: [Site]
  /// Heads of a layer of the decoder.
  public let heads: Int

  /// Text positions, counted from the one that predicts the answer.
  public static let text = 4
  /// How long the window behind the changed span is, in milliseconds.
  public static let next = 120.0

  public init(_ model: Whisper) {
    let (encoders, decoders) = (model.config.encoder.layers, model.config.layers)
    encoder = [
      Site(.encoder, .embed), Site(.encoder, (encoders - 1) / 2, .residPost),
      Site(.encoder, encoders - 1, .residPost),
    ]
    keys = (0..<decoders).map { Site(.decoder, $0, .crossK) }
    values = (0..<decoders).map { Site(.decoder, $0, .crossV) }
    decoder = (0..<decoders).map { Site(.decoder, $0, .residPost) }
    heads = model.config.heads
  }

  public var sites: [Site] { encoder + keys + values + decoder }

  /// What a table calls the windows.
  public static let names =
    ["before", "changed", "next", "behind", "padding"] + (0..<text).map { "text[\($0 - text)]" }
  /// The window of the changed span, and that of the position that predicts the answer.
  public static let changed = 1
  public static var answer: Int { names.count - 1 }

  /// Before the changed span, the span, 120 ms behind it, the rest of the sound, the padding up to
  /// 30 s, and the last text positions one by one; nil where a pair has no such stretch, or nobody knows
  /// its boundaries.
  ///
  /// - Parameter end: where the sound ends, in milliseconds
  public static func windows(_ pair: MinimalPair, end: Double) -> [Window?] {
    func window(_ from: Double, _ to: Double) -> Window? {
      from < to ? .milliseconds(from, to) : nil
    }
    let span = pair.clean.phones[pair.changedPhone]
    let isKnown = pair.alignment == .identity
    let next = min(span.end + Self.next, end)
    let stretches = [
      window(-1000, span.start), window(span.start, min(span.end, end)),
      window(span.end, next), window(next, end),
    ]
    return (isKnown ? stretches : stretches.map { _ in nil }) + [window(end, 1e6)]
      + (0..<text).map { .text($0 - text, $0 + 1 < text ? $0 - text + 1 : nil) }
  }
}

/// Logit differences of one pair in a recogniser.
public struct TranscriptMap: Codable, Sendable {
  /// By [site][window] of the grid; `unrelated` holds the changed span alone, of the encoder's sites.
  public var map: PairMap
  /// The clean run's cross-attention and self-attention heads in the corrupt run, at the position that
  /// predicts the answer, by [layer][head].
  public var crossHeads: [[Double?]] = []
  public var ownHeads: [[Double?]] = []

  public init(_ map: PairMap) { self.map = map }
}

extension Recogniser {
  /// Patches the corrupt run with the clean one and the reverse in every cell of the grid.
  ///
  /// - Parameters:
  ///   - unrelated: another pair, whose clean member is the matched control; nil where none is wanted
  ///   - searching: whether attribution's estimates are wanted beside the exact effects
  ///   - full: whether heads, the reverse direction and integrity are wanted too
  public func map(
    _ pair: MinimalPair, unrelated: MinimalPair?, root: String, recordings: HumanRecordings?,
    searching: Bool = false, full: Bool = true
  ) throws -> TranscriptMap {
    let grid = TranscriptGrid(model)
    let questions = try questions(for: pair, root: root, recordings: recordings)
    let answers = Site.Activation.crossZ
    let kept =
      grid.keys + grid.values
      + (0..<model.config.layers).flatMap { [Site(.decoder, $0, answers), Site(.decoder, $0, .z)] }
    let clean = try model.trace(questions.clean, keeping: full ? kept : [])
    let corrupt = try model.trace(questions.corrupt, keeping: full ? kept : [])
    let frames = max(questions.clean.clip.validFrames, questions.corrupt.clip.validFrames)
    let windows = TranscriptGrid.windows(pair, end: 10 * Double(frames))
    let sites = full ? grid.sites : grid.encoder

    func table(_ base: Trace, _ source: Trace) throws -> [[Double?]] {
      let cells = sites.flatMap { site in windows.map { $0.map { Cell(site, $0) } } }
      var values = try model.patched(
        base, from: source, cells: cells.compactMap { $0 }.map { [$0] })[...]
      return sites.map { _ in windows.map { $0 == nil ? nil : values.removeFirst() } }
    }
    var map = PairMap(clean: clean.logitDifference, corrupt: corrupt.logitDifference)
    map.sufficiency = try table(corrupt, clean)
    if let unrelated, let changed = windows[TranscriptGrid.changed] {
      let stranger = try model.trace(
        try self.questions(for: unrelated, root: root, recordings: recordings).clean)
      let values = try model.patched(
        corrupt,
        with: .unrelated(stranger, shift: unrelated.onset - pair.onset, matching: clean),
        cells: grid.encoder.map { Cell($0, changed) })
      map.unrelated = values.map { [$0] }
    }
    guard full else { return TranscriptMap(map) }
    map.necessity = try table(clean, corrupt)
    (map.selfPatched, map.allPatched) = try integrity(grid, map, clean: clean, corrupt: corrupt)
    if searching {
      map.searchSufficiency = try search(grid, windows, of: clean, into: corrupt)
    }

    var whole = TranscriptMap(map)
    func heads(_ activation: Site.Activation) throws -> [[Double?]] {
      let cells = (0..<model.config.layers).flatMap { layer in
        (0..<grid.heads).map { Cell(Site(.decoder, layer, activation), index: $0, .text(-1, nil)) }
      }
      var values = try model.patched(corrupt, from: clean, cells: cells.map { [$0] })[...]
      return (0..<model.config.layers).map { _ in
        (0..<grid.heads).map { _ in values.removeFirst() }
      }
    }
    whole.crossHeads = try heads(.crossZ)
    whole.ownHeads = try heads(.z)
    return whole
  }

  /// Recoveries of everything that passes at a depth, taken from the run itself and from the other one:
  /// in the decoder, the residual stream and what it attends to.
  private func integrity(
    _ grid: TranscriptGrid, _ map: PairMap, clean: Trace, corrupt: Trace
  ) throws -> (own: [Double], all: [Double]) {
    let sets =
      grid.encoder.map { [Cell($0)] }
      + grid.decoder.map { [Cell($0), Cell(Site(.encoder, .final))] }
    func recoveries(from source: Trace) throws -> [Double] {
      let patches = try sets.map { set in
        try set.compactMap {
          try Selection($0, base: corrupt, source: source, .identity)?.patch()
        }
      }
      return try model.patched(corrupt, patches, skipping: false)
        .map { ($0.logitDifference - map.corrupt) / map.gap }
    }
    return (try recoveries(from: corrupt), try recoveries(from: clean))
  }

  /// Attribution's estimates at the residual sites of the grid.
  private func search(
    _ grid: TranscriptGrid, _ windows: [Window?], of source: Trace, into base: Trace
  ) throws -> [[Double?]] {
    let residual = Set(grid.encoder + grid.decoder)
    let cells = grid.sites.filter(residual.contains).flatMap { site in
      windows.compactMap { $0 }.map { Cell(site, $0) }
    }
    var values = try oneAtATime.withLock { _ in
      try model.attribution(of: source, into: base, cells: cells)
    }[...]
    return grid.sites.map { site in
      windows.map { $0 == nil || !residual.contains(site) ? nil : values.removeFirst() }
    }
  }
}

/// A backward pass holds the patterns of every layer, 0.4 GB of them in the encoder of Whisper base over
/// 30 s; pairs that are mapped beside each other take turns at it.
private let oneAtATime = Mutex(())
