// One checkpoint under sanity checks: what was measured on its pairs, and means of it with intervals over
// groups.

import Corpus
import Speech
import Tensor

/// Everything that is measured on one pair.
public struct CheckedPair: Codable, Sendable {
  public let gates: Gates
  public let shams: ShamPair
  public let directed: DirectedPair

  /// LD_clean - LD_corrupt.
  public var gap: Double { shams.gap(\.difference) }
}

extension SpeechModel {
  /// Measures one pair in a window that follows its changed phone.
  ///
  /// - Parameters:
  ///   - transcribe: what asks for the whole text
  ///   - gated: whether the gates are measured too, which cost two runs a cut and direction
  ///   - answers: first tokens of all answers, by prompt
  ///   - root: the folder below which the recordings lie
  ///   - random: split by the pair's name
  public func checked(
    _ pair: MinimalPair, of suite: PairSuite, at site: Site, _ window: PairWindow,
    transcribe: String = "transcribe:", gated: Bool = true, answers: [String: Set<Int>],
    root: String, _ random: Random
  ) throws -> CheckedPair {
    let runs = try WindowedPair(pair, of: suite, self, at: site, window, root: root)
    return CheckedPair(
      gates: gated ? try model.gates(clean: runs.clean, corrupt: runs.corrupt) : Gates(),
      shams: try shams(runs, bystanders: answers[pair.prompt] ?? [], random.split("noise")),
      directed: try directed(runs, transcribe: transcribe, random.split("wrong window")))
  }
}

/// A checkpoint with what was measured on the pairs that enter (`paper/definitions.md`, D17).
public struct SanitySubject: Sendable {
  public let name: String
  public let speech: SpeechModel
  /// All pairs that were asked for, and those that were measured.
  public let pairs: [MinimalPair]
  public let measured: [CheckedPair]
  private let kept: [Int]
  private let draws: Int
  private let random: Random

  /// - Parameters:
  ///   - measured: of the first of the pairs, or of all
  ///   - kept: the pairs that enter, by their place
  ///   - draws: of groups, for intervals
  public init(
    _ name: String, _ speech: SpeechModel, _ pairs: [MinimalPair], _ measured: [CheckedPair],
    kept: [Int], draws: Int, _ random: Random
  ) {
    (self.name, self.speech, self.pairs, self.measured) = (name, speech, pairs, measured)
    (self.kept, self.draws, self.random) = (kept, draws, random)
  }

  /// The mean gap of the pairs that enter, in nats.
  public var gap: Double { kept.reduce(0) { $0 + measured[$1].gap } / Double(kept.count) }

  /// A mean over the pairs that enter, over that of another quantity.
  ///
  /// - Parameter id: names the draws
  public func mean(
    _ id: String, over whole: (CheckedPair) -> Double = { _ in 1 },
    _ value: (CheckedPair) -> Double
  ) -> SanityEvidence {
    let groups = kept.map { pairs[$0].group }
    return SanityEvidence(
      ratioOfMeans(
        kept.map { value(measured[$0]) }, kept.map { whole(measured[$0]) }, groups: groups,
        draws: draws, random.split(id)),
      count: kept.count, groups: Set(groups).count)
  }

  /// How much more often something holds of one than of another.
  public func excess(
    _ id: String, of one: (CheckedPair) -> Bool, over other: (CheckedPair) -> Bool
  ) -> SanityEvidence {
    mean(id) { (one($0) ? 1 : 0) - (other($0) ? 1 : 0) }
  }

  /// What stands beside the checks, by name: of each sham the recovery of log p of the right answer and
  /// of its advantage, and how often the right answer is said; how often the donor's answer is said.
  public var details: [(name: String, number: Estimate)] {
    let shams = Sham.allCases.flatMap { sham -> [(String, Estimate)] in
      let name = sham.rawValue.hyphenated
      func share(_ what: String, _ quantity: (ShamReading) -> Double) -> (String, Estimate) {
        let evidence = mean("\(name) \(what)", over: { $0.shams.gap(quantity) }) {
          $0.shams.change(by: sham, quantity)
        }
        return ("donor.\(name).\(what)", evidence.number)
      }
      return [
        share("LD", \.difference), share("logp", \.clean), share("A", \.advantage),
        ("donor.\(name).says", mean("\(name) says") { $0.shams.restores(sham) ? 1 : 0 }.number),
      ]
    }
    let directors = Director.allCases.map { director in
      let name = "follows.\(director.rawValue.hyphenated)"
      return (name, mean(name) { $0.directed[director].answer ? 1 : 0 }.number)
    }
    let unpatched = mean("follows.unpatched") { $0.directed.unpatched.answer ? 1 : 0 }
    return shams + directors + [("follows.unpatched", unpatched.number)]
  }
}

extension String {
  /// The words of a name with hyphens between them.
  fileprivate var hyphenated: String { split(separator: " ").joined(separator: "-") }
}
