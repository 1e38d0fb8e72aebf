// Whether a run says that its text will be wrong, before anybody reads it (`paper/definitions.md`, D142).

import Speech
import Tensor

/// What is known of one recording in noise without its right text, and whether the text is right.
public struct NoiseSigns: Codable, Sendable {
  public let isRight: Bool
  /// Means over the tokens that are written, and the end: entropy of the next token, and log-probability of
  /// the one that is taken, in nats.
  public let entropy: Double
  public let logProbability: Double
  /// The mean activation over the sound: behind the first encoder layer, and at the connector's output.
  public let early: [Double]
  public let connector: [Double]
  /// The mean squared Mahalanobis distance of the connector's positions to those of clean speech.
  public let distance: Double
}

extension NoiseListener {
  /// Hears a recording and reads the signs of it.
  ///
  /// - Parameter natural: the connector's output over clean speech
  public func signs(of recording: NoisyRecording, _ natural: Natural, root: String) throws
    -> NoiseSigns
  {
    var input = try asked(recording.noisy(root: root))
    let said = try written(input)
    let first = Site(.encoder, 0, .residPost)
    input.forced = said
    var kept: [Site: Tensor] = [:]
    let run = try model.run(
      input,
      tap: Tap([first, soundSite]) { site, x in
        kept[site] = x.detached
        return x
      })
    let start = run.logits.rows - said.count - 1
    let next = (0...said.count).map { LogProbabilities(run.logits, row: start + $0) }
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    func rows(_ site: Site) -> DoubleMatrix {
      DoubleMatrix(sound(of: input.clip, in: run.positions(of: kept[site]!, at: site)!))
    }
    let there = rows(soundSite)
    let tokens = 0..<run.logits.width
    return NoiseSigns(
      isRight: try isRight(said, recording.text),
      entropy: mean(
        next.map { p in tokens.reduce(0) { $0 - Elementary.exp(p[$1]) * p[$1] } }),
      logProbability: mean(
        next.enumerated().map { i, p in
          i < said.count ? p[said[i]] : tokens.reduce(-.infinity) { max($0, p[$1]) }
        }),
      early: rows(first).columnMeans, connector: there.columnMeans,
      distance: mean(natural.squaredDistances(there.subtracting(natural.mean))))
  }
}
