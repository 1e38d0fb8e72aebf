// How well a score tells beforehand which texts will be right (`paper/definitions.md`, D142).

import Speech
import Tensor

/// A score of a recording, the higher the more likely its text is right; one number a draw where it is drawn.
public struct FailureScore: Sendable {
  public let name: String
  /// By recording and draw.
  public let values: [[Double]]
}

/// The area under the receiver operating characteristic of one score.
public struct FailureArea: Codable, Sendable {
  public let score: String
  public let area: Estimate
  /// The area less that of the output's entropy.
  public let beyondEntropy: Estimate

  public init(score: String, area: Estimate, beyondEntropy: Estimate) {
    (self.score, self.area, self.beyondEntropy) = (score, area, beyondEntropy)
  }
}

extension [NoiseSigns] {
  /// The scores of recordings in noise.
  ///
  /// - Parameters:
  ///   - known: signs of the discovery split, in noise and without, from which directions and the probe are
  ///     estimated
  ///   - clean: which of those are without noise
  ///   - ratios: of speech to noise of each of these recordings
  /// - Throws: where the known ones are of one sort.
  public func failureScores(
    _ known: [NoiseSigns], clean: [Bool], ratios: [Double], draws: Int, shrinkage: Double,
    _ random: Random
  ) throws -> [FailureScore] {
    func axis(_ part: KeyPath<NoiseSigns, [Double]>) throws -> SpeechAxis {
      let sorted = zip(known, clean)
      return try SpeechAxis(
        sounds: sorted.filter { !$0.1 }.map { $0.0[keyPath: part] },
        speech: sorted.filter(\.1).map { $0.0[keyPath: part] })
    }
    func features(_ signs: [NoiseSigns]) -> DoubleMatrix {
      DoubleMatrix(
        rows: signs.count, columns: signs.first?.connector.count ?? 0, signs.flatMap(\.connector))
    }
    let (late, early) = (try axis(\.connector), try axis(\.early))
    let drawn = try (0..<draws).map { try late.drawn(random.split("direction").split($0)) }
    let probe = try Probe(
      features(known), labels: known.map { $0.isRight ? "right" : "wrong" }, shrinkage: shrinkage)
    let read = probe.scores(of: features(self))
    return [
      FailureScore(name: "place, connector", values: map { [late.position(of: $0.connector)] }),
      FailureScore(
        name: "drawn directions there",
        values: map { sign in drawn.map { $0.position(of: sign.connector) } }),
      FailureScore(
        name: "place, first encoder layer", values: map { [early.position(of: $0.early)] }),
      FailureScore(name: "distance from clean speech", values: map { [-$0.distance] }),
      FailureScore(
        name: "probe of the connector", values: indices.map { [read[$0, 0] - read[$0, 1]] }),
      FailureScore(name: "output entropy", values: map { [-$0.entropy] }),
      FailureScore(name: "output probability", values: map { [$0.logProbability] }),
      FailureScore(name: "signal-to-noise ratio", values: ratios.map { [$0] }),
    ]
  }

  /// The area of a score, or of one less that of another, with its interval over groups; the mean over draws.
  public func area(
    of score: FailureScore, less other: FailureScore? = nil, groups: [String], draws: Int,
    _ random: Random
  ) -> Estimate {
    func area(_ items: [Int], _ score: FailureScore) -> Double {
      meanRankedArea(items.map { (self[$0].isRight, score.values[$0]) })
    }
    let clusters = clustered(indices.map { $0 }, by: groups)
    return clusterInterval(of: clusters, draws: draws, widened: true, random) { clusters in
      let items = clusters.flatMap { $0 }
      return area(items, score) - (other.map { area(items, $0) } ?? 0)
    }
  }
}
