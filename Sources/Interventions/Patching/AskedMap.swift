// The map of one minimal pair in a speech language model that is asked in natural language: every site
// by every window patched exactly in both directions, with an unrelated item beside each cell, the
// heads at the last position, and the estimates of the search.

import Corpus
import Speech
import Tensor

/// Logit differences of one pair in a speech language model.
public struct AskedMap: Codable, Sendable {
  /// By [site][window] of `AskedGrid`; `unrelated` is empty where it was not wanted.
  public var map: PairMap
  /// The corrupt run with one head of the clean one at the last position, by [layer][head]; empty where
  /// heads were not wanted.
  public var heads: [[Double?]] = []
  /// What everything took.
  public var cost = Cost()
}

/// What is wanted of a pair's map beside both directions and integrity.
public struct AskedParts: Sendable {
  /// The other pair, whose clean member is the matched control; nil where none is wanted.
  public var unrelated: MinimalPair?
  public var searches = false
  public var heads = false
  /// Otherwise sufficiency of the changed moment and of the last position alone, for controls.
  public var isWhole = true

  public init(
    unrelated: MinimalPair? = nil, searches: Bool = false, heads: Bool = false,
    isWhole: Bool = true
  ) {
    (self.unrelated, self.searches) = (unrelated, searches)
    (self.heads, self.isWhole) = (heads, isWhole)
  }
}

extension SpeechModel {
  /// Patches the corrupt run with the clean one and the reverse in every cell of the grid.
  ///
  /// - Throws: where the pair or its control cannot be asked, or its answers begin with the same token.
  public func map(
    _ pair: MinimalPair, _ parts: AskedParts, root: String, recordings: HumanRecordings?
  ) throws -> AskedMap {
    // The control is read at the pair's own answers.
    func asking(_ other: MinimalPair) throws -> AskedPair {
      let answers = pair.answers
      guard
        let asked = try asked(other, answers: answers, root: root, recordings: recordings)
      else {
        throw CheckpointError(
          "pair \(pair.id): both answers begin with the same token; leave the pair out")
      }
      return asked
    }
    let (map, cost) = try Cost.timed {
      let asked = try asking(pair)
      let windows = AskedGrid.windows(
        pair, end: 10 * Double(asked.clean.clip.validFrames), before: asked.before)
      let stranger = try parts.unrelated.map {
        (question: try asking($0).clean, shift: $0.onset - pair.onset)
      }
      return try model.map(asked, windows, stranger, parts)
    }
    var whole = map
    whole.cost = cost
    return whole
  }
}

extension AudioLanguageModel {
  /// The same of two questions.
  ///
  /// - Parameters:
  ///   - windows: those of `AskedGrid`
  ///   - stranger: the matched control, and how much later its change is, in milliseconds
  func map(
    _ asked: AskedPair, _ windows: [Window?], _ stranger: (question: Question, shift: Double)?,
    _ parts: AskedParts
  ) throws -> AskedMap {
    let grid = AskedGrid(self)
    let z = (0..<grid.layers).map { Site(.lm, $0, .z) }
    let clean = try trace(asked.clean, keeping: parts.heads ? z : [])
    let corrupt = try trace(asked.corrupt, keeping: parts.heads ? z : [])
    let wanted = windows.indices.map { i in
      parts.isWhole || i == AskedGrid.moment || i == AskedGrid.last ? windows[i] : nil
    }
    let cells = grid.sites.flatMap { site in wanted.compactMap { $0.map { Cell(site, $0) } } }
    func table(_ values: [Double?]) -> [[Double?]] {
      var values = values[...]
      return grid.sites.map { _ in wanted.map { $0 == nil ? nil : values.removeFirst() } }
    }

    var map = PairMap(clean: clean.logitDifference, corrupt: corrupt.logitDifference)
    map.sufficiency = table(try patched(corrupt, with: .source(clean), cells: cells))
    guard parts.isWhole else { return AskedMap(map: map) }
    map.necessity = table(try patched(clean, with: .source(corrupt), cells: cells))
    if let stranger {
      let other = Donor.unrelated(
        try trace(stranger.question), shift: stranger.shift, matching: clean)
      map.unrelated = table(try patched(corrupt, with: other, cells: cells))
    }
    func everything(from source: Trace) throws -> [Double] {
      let cells = grid.cuts.map { Cell($0) }
      return try patched(corrupt, with: .source(source), cells: cells, skipping: false)
        .map { ($0! - map.corrupt) / map.gap }
    }
    map.selfPatched = try everything(from: corrupt)
    map.allPatched = try everything(from: clean)
    if parts.searches {
      map.searchSufficiency = table(try attribution(of: clean, into: corrupt, cells: cells))
    }
    guard parts.heads else { return AskedMap(map: map) }
    let single = (0..<grid.layers).flatMap { layer in
      (0..<grid.heads).map { Cell(z[layer], index: $0, .text(-1, nil)) }
    }
    var found = try patched(corrupt, from: clean, cells: single.map { [$0] })[...]
    let heads = (0..<grid.layers).map { _ in (0..<grid.heads).map { _ in found.removeFirst() } }
    return AskedMap(map: map, heads: heads)
  }
}

extension Array where Element == AskedMap {
  /// The share of the mean gap that each head moves, as ratios of means, by [layer][head]; empty where no
  /// map has heads.
  public var headRecovery: [[Double?]] {
    let measured = filter { !$0.heads.isEmpty }
    let gap = measured.reduce(0) { $0 + $1.map.gap }
    guard let shape = measured.first?.heads else { return [] }
    return shape.indices.map { layer in
      shape[layer].indices.map { head in
        measured.reduce(0) { $0 + ($1.heads[layer][head] ?? $1.map.corrupt) - $1.map.corrupt }
          / gap
      }
    }
  }
}

extension Recogniser {
  /// The same encoder read by its own decoder: the windows of the changed moment at the encoder's sites
  /// of `AskedGrid`, in both directions behind its last layer, elsewhere into the corrupt run alone.
  ///
  /// - Returns: logit differences by [site of the encoder][window of sound]
  public func encoderMap(
    _ pair: MinimalPair, root: String, recordings: HumanRecordings?
  ) throws -> PairMap {
    let questions = try questions(for: pair, root: root, recordings: recordings)
    let clean = try model.trace(questions.clean)
    let corrupt = try model.trace(questions.corrupt)
    let sites = TranscriptGrid(model).encoder
    let wanted = [AskedGrid.changed, AskedGrid.following, AskedGrid.moment]
    let all = AskedGrid.times(pair, end: 10 * Double(questions.clean.clip.validFrames))
    let windows = all.indices.map { wanted.contains($0) ? all[$0] : nil }
    func row(_ site: Site, _ base: Trace, _ source: Trace) throws -> [Double?] {
      var values = try model.patched(
        base, from: source, cells: windows.compactMap { $0.map { [Cell(site, $0)] } })[...]
      return windows.map { $0 == nil ? nil : values.removeFirst() }
    }
    var map = PairMap(clean: clean.logitDifference, corrupt: corrupt.logitDifference)
    map.sufficiency = try sites.map { try row($0, corrupt, clean) }
    map.necessity = try sites.map {
      $0 == sites.last ? try row($0, clean, corrupt) : windows.map { _ in nil }
    }
    return map
  }
}
