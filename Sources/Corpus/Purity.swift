// Acoustic purity: how far the members of a pair are apart in sound, where they should be and where
// they should not (`paper/definitions.md`, D18).

import Speech
import Tensor

/// The root mean square difference of two members' log-mel spectra (80 bands, dB), by place.
public struct Purity: Sendable, Equatable {
  /// Over the frames whose centre lies in a changed span.
  public let inside: Double
  /// Over all other frames; nil where the change is everywhere.
  public let outside: Double?

  /// - Parameters:
  ///   - clean: samples at 16 kHz, at most 3 s.
  ///   - corrupt: the same of the other member.
  ///   - spans: the changed stretches of the clean member in milliseconds; nil for all of it.
  ///   - boundaries: the ends of the clean and of the corrupt member's segments in milliseconds, by
  ///     which a moment of one is found in the other, linearly within each.
  public init(
    clean: [Float], corrupt: [Float], spans: [Range<Double>]?,
    boundaries: (clean: [Double], corrupt: [Double])
  ) {
    let mel = Purity.features
    func decibels(_ samples: [Float]) -> (rows: [[Float]], top: Float) {
      let features = mel(samples)
      // Whisper's scale is (log10 + 4) / 4.
      let rows = (0..<mel.validFrames(samples: samples.count)).map { t in
        (0..<mel.bands).map { 40 * features[t, $0] - 40 }
      }
      return (rows, rows.flatMap { $0 }.max() ?? 0)
    }
    let (a, b) = (decibels(clean), decibels(corrupt))
    // 80 dB below the louder maximum counts as silence for both.
    let floor = max(a.top, b.top) - 80
    var sums = (inside: 0.0, outside: 0.0)
    var counts = (inside: 0, outside: 0)
    for (t, row) in a.rows.enumerated() {
      let moment = Double(10 * t)
      let place = Purity.counterpart(of: moment, boundaries) / 10
      let low = min(max(0, Int(place)), b.rows.count - 1)
      let high = min(low + 1, b.rows.count - 1)
      let weight = Float(min(1, max(0, place - Double(low))))
      let squares = row.indices.reduce(0.0) { sum, band in
        let other = b.rows[low][band] * (1 - weight) + b.rows[high][band] * weight
        let difference = Double(max(row[band], floor) - max(other, floor))
        return sum + difference * difference
      }
      if spans?.contains(where: { $0.contains(moment) }) ?? true {
        sums.inside += squares
        counts.inside += row.count
      } else {
        sums.outside += squares
        counts.outside += row.count
      }
    }
    inside = (sums.inside / Double(max(1, counts.inside))).squareRoot()
    outside = counts.outside > 0 ? (sums.outside / Double(counts.outside)).squareRoot() : nil
  }

  private static let features = LogMel(bands: 80, samples: 3 * LogMel.rate)

  /// The moment of the corrupt member that a moment of the clean one corresponds to.
  static func counterpart(
    of moment: Double, _ boundaries: (clean: [Double], corrupt: [Double])
  ) -> Double {
    let (clean, corrupt) = ([0] + boundaries.clean, [0] + boundaries.corrupt)
    guard let segment = (1..<clean.count).first(where: { moment < clean[$0] }) else {
      return (corrupt.last ?? 0) + moment - (clean.last ?? 0)
    }
    let share = (moment - clean[segment - 1]) / (clean[segment] - clean[segment - 1])
    return corrupt[segment - 1] + share * (corrupt[segment] - corrupt[segment - 1])
  }
}
