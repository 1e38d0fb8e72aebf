// What was fixed beforehand about transfer: what counts as compact, as preserved and as separable, how
// much is drawn, and what is claimed.

import JSON
import Speech
import Tensor

/// The part "transfer" of a preregistration, such as `paper/preregistration-transfer.json`.
public struct TransferRules: Sendable {
  /// The largest share of an activation's numbers that a compact subspace has.
  public let compactShare: Double
  /// By how much the share of runs whose speaker is named right may fall.
  public let preserved: Double
  /// The harmonic mean of Cause and Isolate from which on subspaces are separable.
  public let separable: Double
  /// Width of the changed moment in milliseconds, and the noise of a condition in dB.
  public let moment: Double
  public let noise: Double
  /// Random orders of components, and draws of each random family.
  public let orders: Int
  public let families: Int
  /// The K that subspaces are trained for, none where none is, and passes over the pairs.
  public let trainedSizes: [Int]
  public let epochs: Int
  private let part: RulesPart

  /// - Throws: an error that names the file and the entry that is missing or out of range.
  public init(_ path: String) throws {
    part = try RulesPart("transfer", of: path)
    compactShare = try part.number("compactShare", upTo: 1)
    preserved = try part.number("preserved", upTo: 1)
    separable = try part.number("separable", upTo: 1)
    moment = try part.number("moment", upTo: 1000)
    noise = try part.number("noise", upTo: 60)
    orders = Int(try part.number("orders", in: "draws", upTo: 10_000))
    families = Int(try part.number("families", in: "draws", upTo: 10_000))
    if let trained = part["trained"] {
      epochs = Int(try part.number("epochs", in: "trained", upTo: 1000))
      trainedSizes = trained["sizes"]?.elements?.compactMap(\.int) ?? []
      try checkCounts(trainedSizes, dimension: .max, of: "dimensions")
    } else {
      (epochs, trainedSizes) = (0, [])
    }
  }

  /// The most pairs of a split that are asked, or of what else is counted; for models that are costly to
  /// run.
  public func most(_ name: String) throws -> Int { try part.count(name, in: "atMost") }

  /// What a claim says.
  public func statement(_ claim: String) throws -> String { try part.statement(claim) }
}

/// What the claims about transfer come to for one model (`paper/definitions.md`, D117).
public struct TransferVerdicts: Sendable {
  public var lexical: PartStudy
  /// The unpatched base run, the lexical subspace, and another item's part in it.
  public var base: TransferShares
  public var patched: TransferShares
  public var wrong: TransferShares
  /// Harmonic means of Cause and Isolate of both parts.
  public var separations: [Estimate]

  public init(
    lexical: PartStudy, base: TransferShares, patched: TransferShares, wrong: TransferShares,
    separations: [Estimate]
  ) {
    (self.lexical, self.base, self.patched) = (lexical, base, patched)
    (self.wrong, self.separations) = (wrong, separations)
  }

  /// Each claim, and whether it holds.
  public func claims(_ rules: Preregistration, _ transfer: TransferRules) -> [(String, Bool)] {
    let (curve, controls) = (lexical.curve, lexical.controls)
    let chosen = curve.choice.chosen.index
    let sufficiency = curve.sufficiency[chosen]
    let wrongItem = controls.chosen.wrongItem ?? 0
    let isCompact = curve.k90.map {
      Double($0) <= transfer.compactShare * Double(curve.width)
    }
    return [
      (
        "T1",
        isCompact == true && controls.overShuffled.low > 0 && controls.overNorm.low > 0
      ),
      (
        "T2",
        sufficiency.low >= rules.bottleneckRecovery
          && curve.necessity[chosen].low >= rules.bottleneckRecovery
          && wrongItem < rules.bottleneckRecovery && wrongItem < sufficiency.low
      ),
      (
        "T3",
        patched.sourceText.low >= rules.bottleneckRecovery
          && patched.sourceText.low > wrong.sourceText.high
          && base.baseVoice.value - patched.baseVoice.value <= transfer.preserved
      ),
      ("T4", separations.allSatisfy { $0.low >= transfer.separable }),
    ]
  }
}
