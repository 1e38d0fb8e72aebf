// The map of one pair under each corruption, and how alike the maps are (`paper/definitions.md`, D151).

import Corpus
import Speech
import Tensor

extension SpeechModel {
  /// Sufficiency of everything that passes at a depth, window by window, into a corrupt run; beside it an
  /// unrelated item, moved as far. Where the sound decides which frames become tokens, all runs keep those
  /// of the clean recording, since of silence next to nothing would be kept.
  ///
  /// - Throws: where a recording is unusable or a partner is missing.
  public func corruptionMap(
    _ kind: CorruptSound, of pair: MinimalPair, _ partners: CorruptionPartners
  ) throws -> TaskMap {
    func asked(_ wave: Waveform) throws -> Question {
      try question(wave, pair.prompt, answers: pair.answers, of: pair.id)
    }
    let own = try asked(pair.clean.waveform(root: partners.root))
    let first = try model.trace(own)
    func run(_ question: Question) throws -> Trace {
      try model.trace(question.keepingFrames(of: first), keeping: model.branchSites)
    }
    let (clean, corrupt) = (try run(own), try run(asked(partners.sound(kind, for: pair))))
    let other = try partners.strangers(to: pair).control
    let stranger = try model.trace(
      asked(other.clean.waveform(root: partners.root)), keeping: model.branchSites)

    let windows = TaskWindows.all(of: pair).map { Optional($0) }
    var lending = windows
    lending[TaskWindows.answer] = nil
    lending[TaskWindows.whole] = nil
    var map = PairMap(clean: clean.logitDifference, corrupt: corrupt.logitDifference)
    map.sufficiency = try model.cutMap(corrupt, with: .source(clean), windows)
    map.unrelated = try model.cutMap(
      corrupt, with: .unrelated(stranger, shift: other.onset - pair.onset, matching: clean),
      lending)
    (map.selfPatched, map.allPatched) = try model.cutIntegrity(map, clean, corrupt)
    return TaskMap(map: map, unrelatedNecessity: [])
  }
}

/// Maps of the same pairs under one corruption, and which of the pairs enter (D17).
public struct CorruptedPairs: Sendable {
  public let kind: CorruptSound
  public let maps: [TaskMap]
  public let kept: [Int]

  public init(_ kind: CorruptSound, _ maps: [TaskMap], minimumGap: Double) {
    let filter = PairFilter(minimumGap: minimumGap, needsFoil: kind.saysFoil)
    (self.kind, self.maps) = (kind, maps)
    kept = maps.indices.filter {
      filter.reason(clean: maps[$0].map.clean, corrupt: maps[$0].map.corrupt) == nil
    }
  }

  /// Recovery by [site][window], a ratio of means over the pairs that enter.
  public var recovery: [[Double?]] {
    kept.map { maps[$0].map }.recovery(.sufficiency, \.sufficiency)
  }

  /// By pair and cell, the windows of sound alone: the change in nats, of the source or of the control.
  fileprivate func cells(of pairs: [Int], unrelated: Bool = false) -> [[Double?]] {
    pairs.map { pair in
      maps[pair].map.sufficiency.indices.flatMap { site in
        TaskWindows.sound.map {
          maps[pair].effect(.sufficiency, site, $0, unrelated: unrelated)
        }
      }
    }
  }
}

extension Array where Element == CorruptedPairs {
  /// How alike the maps under each two corruptions are, over the pairs that enter under both; then how
  /// alike the unrelated item's map is to the source's under one corruption: what the place where anything
  /// could matter makes of two maps that share no content.
  ///
  /// - Parameter groups: the resampling unit of every pair, entering or not
  public func agreements(groups: [String], draws: Int, _ random: Random) -> [(
    name: String, agreement: MapAgreement
  )] {
    var found: [(String, MapAgreement)] = []
    func add(
      _ name: String, _ pairs: [Int], _ x: [[Double?]], _ y: [[Double?]]
    ) {
      guard !pairs.isEmpty else { return }
      let agreement = ComparedCells(estimates: x, effects: y).agreement(
        groups: pairs.map { groups[$0] }, sizes: [10], draws: draws, random.split(name))
      if let agreement { found.append((name, agreement)) }
    }
    for (i, one) in enumerated() {
      for other in dropFirst(i + 1) {
        let both = one.kept.filter(other.kept.contains)
        add(
          "\(one.kind.title) / \(other.kind.title)", both, one.cells(of: both),
          other.cells(of: both))
      }
    }
    for one in self {
      add(
        "\(one.kind.title) / unrelated item", one.kept,
        one.cells(of: one.kept, unrelated: true), one.cells(of: one.kept))
    }
    return found
  }
}

extension CorruptedPairs {
  /// How many pairs enter, what the changed phone's moment at the connector recovers, and where in time and
  /// depth the effect lies; of the last three the unrelated item's beside the source's.
  ///
  /// - Parameters:
  ///   - pairs: all that were measured
  ///   - series: whose rows they are
  public func places(
    _ pairs: [MinimalPair], _ options: LocalisationOptions, _ series: String, _ random: Random
  ) -> [AblationRow] {
    let own = kept.map { maps[$0] }
    let entering = kept.map { pairs[$0] }
    let groups = entering.map(\.group)
    let enters = Set(kept)
    var rows = [
      AblationRow(
        "pairs that enter", kind.title, series,
        ratioOfMeans(
          maps.indices.map { enters.contains($0) ? 1 : 0 }, maps.map { _ in 1 },
          groups: pairs.prefix(maps.count).map(\.group), draws: options.draws,
          random.split("enters")))
    ]
    for isControl in [false, true] {
      let name = kind.title + (isControl ? ", unrelated" : "")
      let draw = random.split(isControl ? "control" : "source")
      let moment = own.map {
        $0.effect(.sufficiency, options.connector, TaskWindows.moment, unrelated: isControl) ?? 0
      }
      let place = own.localisation(
        .sufficiency, of: entering, options, unrelated: isControl, draw)
      rows.append(
        AblationRow(
          "moment", name, series,
          ratioOfMeans(
            moment, own.map(\.map.gap), groups: groups, draws: options.draws, draw.split("moment")))
      )
      rows.append(AblationRow("near", name, series, place.near))
      rows.append(AblationRow("depth", name, series, place.depth))
    }
    return rows
  }
}
