// What was fixed beforehand about the map of a speech language model of published halves: which pairs,
// which windows, what counts as the middle of the language model, and what is claimed.

import JSON
import Speech
import Tensor

/// The part "speechLM" of a preregistration, such as `paper/preregistration-speech-lm.json`.
public struct AskedRules: Sendable {
  /// The layers of the language model among which the last position should take over.
  public let handOver: ClosedRange<Double>
  /// How much less than Whisper's decoder the language model may read.
  public let margin: Double
  private let part: RulesPart

  /// - Throws: an error that names the file and what is missing, or the windows of `AskedGrid` where they
  ///   are not those that were fixed.
  public init(_ path: String) throws {
    part = try RulesPart("speechLM", of: path)
    let (next, layers) = (AskedGrid.next, AskedGrid.every)
    guard part["windows"]?["next"]?.double == next, part["windows"]?["layers"]?.int == layers
    else {
      throw CheckpointError(
        "\(path): \"speechLM.windows\" must be {\"layers\": \(layers), \"next\": \(next)}, the windows and "
          + "depths that maps of asked pairs have; restore the file, or the windows")
    }
    guard let from = part["handOver"]?["from"]?.double, let to = part["handOver"]?["to"]?.double,
      from <= to
    else {
      throw CheckpointError(
        "\(path): \"speechLM.handOver\" must name layers \"from\" and \"to\", in rising order")
    }
    handOver = from...to
    guard let margin = part["margin"]?.double, margin >= 0 else {
      throw CheckpointError("\(path): \"speechLM.margin\" must be a number of 0 or more")
    }
    self.margin = margin
  }

  /// Of a kind's pairs every so many-th is asked, the first among them.
  public func step(ofPairs kind: String) throws -> Int { try part.count(kind, in: "everyPair") }

  /// The most pairs of a kind whose maps are computed, of those that enter.
  public func most(ofPairs kind: String) throws -> Int { try part.count(kind, in: "atMost") }

  /// Of the pairs whose maps are computed every so many-th is taken for something else too.
  public func step(ofTurns name: String) throws -> Int { try part.count(name, in: "everyTurn") }

  /// What a claim says.
  public func statement(_ claim: String) throws -> String { try part.statement(claim) }
}

/// What the claims about a speech language model of published halves come to (`paper/definitions.md`,
/// D110).
public struct AskedVerdicts: Sendable {
  /// The changed moment at the projector's output, in both directions and of an unrelated item.
  public var sufficiency: Estimate
  public var necessity: Estimate
  public var unrelated: Estimate
  /// The depth at which the last position has taken over, in both directions; nil where it never does.
  public var takesOver: [Estimate?]
  /// What the language model recovers there, less what Whisper's own decoder does.
  public var difference: Estimate

  public init(
    sufficiency: Estimate, necessity: Estimate, unrelated: Estimate, takesOver: [Estimate?],
    difference: Estimate
  ) {
    (self.sufficiency, self.necessity) = (sufficiency, necessity)
    (self.unrelated, self.takesOver, self.difference) = (unrelated, takesOver, difference)
  }

  /// Both lower bounds reach the threshold, and the unrelated item stays below.
  public func isBottleneck(_ threshold: Double) -> Bool {
    sufficiency.low >= threshold && necessity.low >= threshold
      && sufficiency.low > unrelated.high
  }

  /// In each direction the whole interval lies in the middle.
  public func takesOver(in middle: ClosedRange<Double>) -> Bool {
    !takesOver.isEmpty
      && takesOver.allSatisfy { depth in
        depth.map { middle.contains($0.low) && middle.contains($0.high) } ?? false
      }
  }

  /// The lower bound of the difference is no more than a margin below zero.
  public func readsAsMuch(within margin: Double) -> Bool { difference.low >= -margin }
}

extension Array {
  /// So many of the elements at most, spread evenly over all of them, the first among them.
  public func spread(_ most: Int) -> [Element] {
    count <= most ? self : (0..<most).map { self[$0 * count / most] }
  }
}
