// What must hold to the bit before any effect is read (`paper/definitions.md`, D22): a run's own
// activations change nothing, and all of the source's give the source's answer. The same cells of two
// recordings that are one recording must change nothing in either direction.

import Corpus
import Speech

/// Shares of the gap, one for each cut of the model and direction.
public struct Gates: Codable, Sendable {
  /// Everything from the run itself, which must be 0.
  public var own: [Double] = []
  /// Everything from the other run, which must be 1.
  public var all: [Double] = []
}

extension SpeechLanguageModel {
  /// The residual sites at each of which everything passes, where what a second encoder heard is patched
  /// with them.
  var gateSites: [Site] { mapSites.filter { $0.stage != branchSites.first?.stage } }

  /// The gates of a pair, computed like any other cell, without skipping.
  ///
  /// - Parameters: runs that have kept the branch beside the encoder, where there is one
  public func gates(clean: Trace, corrupt: Trace) throws -> Gates {
    var gates = Gates()
    for (base, source) in [(corrupt, clean), (clean, corrupt)] {
      let gap = source.logitDifference - base.logitDifference
      func shares(of donor: Trace) throws -> [Double] {
        try changes(base, from: donor).map { $0 / gap }
      }
      gates.own += try shares(of: base)
      gates.all += try shares(of: source)
    }
    return gates
  }

  /// The change of the logit difference, in nats, where what passes at each site is taken from another
  /// run; 0 where the site has no position in the window.
  public func changes(_ base: Trace, from source: Trace, in window: Window = .all) throws
    -> [Double]
  {
    let interventions = try gateSites.map { site in
      try cut(at: site).compactMap {
        try Selection(Cell($0, window), base: base, source: source, .identity)?.patch()
      }
    }
    return try patched(base, interventions, skipping: false)
      .map { $0.logitDifference - base.logitDifference }
  }
}

extension SpeechModel {
  /// The changes of the logit difference, in nats, where all of one member's activations are put into the
  /// other's run, at every cut and in both directions.
  public func changesOfAll(_ pair: MinimalPair, root: String) throws -> [Double] {
    let runs = try sharingFrames(pair, root: root)
    return try model.changes(runs.corrupt, from: runs.clean)
      + model.changes(runs.clean, from: runs.corrupt)
  }

  /// The changes of the corrupt run's logit difference, in nats, where the clean run's activations are put
  /// into it at every cut: all of them, those before, around and behind the changed phone, and those of
  /// the position where the answer is read.
  ///
  /// - Parameter margin: milliseconds on either side of the phone
  public func changesByWindow(_ pair: MinimalPair, margin: Double, root: String) throws -> [Double]
  {
    let runs = try sharingFrames(pair, root: root)
    let (start, end) = (pair.changed.start - margin, pair.changed.end + margin)
    return try [
      Window.all, .milliseconds(-1000, start), .milliseconds(start, end), .milliseconds(end, 1e6),
      .positions(-1, nil),
    ].flatMap { try model.changes(runs.corrupt, from: runs.clean, in: $0) }
  }
}
