// How far a sound spreads in an encoder that sees all of it: the changed span alone is exchanged in the
// waveform, and each position's activation is compared with that of the whole recording
// (`paper/definitions.md`, D127).

import Corpus
import Speech
import Tensor

/// The squared length of what an exchange in the waveform moves, by distance from it.
public struct Leakage: Codable, Sendable {
  /// By [site of the encoder][distance]: sums over positions, and how many there are. The first
  /// distance is inside the span, then come steps outside it, to both sides, the last one open.
  public var squares: [[Double]]
  public var counts: [[Double]]

  /// Width of a step of distance in milliseconds, and how many there are.
  public static let step = 40.0
  public static let steps = 20

  public init(squares: [[Double]], counts: [[Double]]) {
    (self.squares, self.counts) = (squares, counts)
  }

  /// The place among the distances of a moment, of a span that begins and ends when.
  public static func bin(_ centre: Double, _ start: Double, _ end: Double) -> Int {
    let distance = max(start - centre, centre - end, 0)
    return distance == 0 ? 0 : min(1 + Int(distance / step), steps)
  }
}

extension SpeechModel {
  /// The clean recording against the same with the corrupt one's samples in the changed span.
  public func leakage(of pair: MinimalPair, root: String) throws -> Leakage {
    let (whole, other) = (
      try pair.clean.waveform(root: root), try pair.corrupt.waveform(root: root)
    )
    let (start, end) = (pair.changed.start, pair.changed.end)
    let samples = [start, end].map {
      min(Int($0 * Double(whole.rate) / 1000), min(whole.samples.count, other.samples.count))
    }
    var spliced = whole.samples
    spliced.replaceSubrange(samples[0]..<samples[1], with: other.samples[samples[0]..<samples[1]])
    let asked = try questions(for: pair, root: root).clean
    let edited = Question(
      clip: try clip(Waveform(samples: spliced, rate: whole.rate)), tokens: asked.tokens,
      answer: asked.answer, foil: asked.foil)
    let (own, changed) = try model.sharingFrames(asked, edited)
    let sites = encoderSites
    var found = Leakage(
      squares: sites.map { _ in [Double](repeating: 0, count: Leakage.steps + 1) },
      counts: sites.map { _ in [Double](repeating: 0, count: Leakage.steps + 1) })
    for (s, site) in sites.enumerated() {
      let spans = try own.place(of: site).spans
      let (a, b) = (try own.activation(of: site), try changed.activation(of: site))
      for (position, span) in spans.enumerated() {
        guard let centre = span?.centre else { continue }
        let bin = Leakage.bin(centre, start, end)
        for j in 0..<a.width {
          let move = Double(a[position, j]) - Double(b[position, j])
          found.squares[s][bin] += move * move
        }
        found.counts[s][bin] += 1
      }
    }
    return found
  }

  /// The residual sites of the encoder, from its input up.
  public var encoderSites: [Site] { model.mapSites.filter { $0.stage == .encoder } }
}

extension Array where Element == Leakage {
  /// The root mean square move a position at each distance, over that inside the span; 0 where no
  /// position is as far away.
  public func curve(site: Int) -> [Double] {
    let means = (0...Leakage.steps).map { bin -> Double in
      let count = reduce(0) { $0 + $1.counts[site][bin] }
      return count == 0 ? 0 : reduce(0) { $0 + $1.squares[site][bin] } / count
    }
    return means.map { means[0] > 0 ? ($0 / means[0]).squareRoot() : 0 }
  }

  /// The distance from the span within which a share of all squared length lies, in milliseconds, with
  /// its interval over groups.
  public func width(
    site: Int, holding share: Double, groups: [String], draws: Int, _ random: Random
  ) -> Estimate {
    let rows = clustered(map { $0.squares[site] }, by: groups).map(sum)
    return clusterInterval(of: rows, draws: draws, widened: true, random) { rows in
      let squares = sum(rows)
      var rest = share * squares.reduce(0, +)
      for (bin, square) in squares.enumerated() {
        if rest <= square {
          let into = square > 0 ? rest / square : 0
          return bin == 0 ? 0 : Leakage.step * (Double(bin - 1) + into)
        }
        rest -= square
      }
      return Leakage.step * Double(Leakage.steps)
    }
  }
}
