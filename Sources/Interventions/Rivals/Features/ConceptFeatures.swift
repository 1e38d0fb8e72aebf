// Which recordings, and which moments of them, a feature of an autoencoder stands for, and whether these are
// of one kind: retrieval and filter of AR&D (arXiv 2602.22253), resolved in time (`paper/definitions.md`,
// D165).

import Speech
import Tensor

/// A clip that was retrieved for a feature.
public struct RetrievedClip: Codable, Sendable, Equatable {
  /// Its place among the clips.
  public let clip: Int
  /// The feature's mean activation there times the share of positions at which it is present.
  public let score: Double
  /// The largest activation; 0 where the feature is silent.
  public let peak: Double
  /// The run of positions about the peak at which the feature is present; of a silent clip one position that
  /// was drawn.
  public let first: Int
  public let count: Int
  /// That run in milliseconds.
  public let start: Double
  public let end: Double

  var positions: Range<Int> { first..<(first + count) }
}

/// A feature with what it stands for.
public struct ConceptFeature: Codable, Sendable {
  public let feature: Int
  /// Over all positions of all clips: the mean activation, the largest, and the share at which it is present.
  public let meanActivation: Double
  public let range: Double
  public let coverage: Double
  public let top: [RetrievedClip]
  public let bottom: [RetrievedClip]
  /// By embedding, and the same of clips that are drawn, in runs as long.
  public let monosemanticity: [Double]
  public let drawn: [Double]

  /// The representative score.
  public var score: Double { meanActivation * coverage }

  public init(
    feature: Int, meanActivation: Double, range: Double, coverage: Double,
    top: [RetrievedClip] = [], bottom: [RetrievedClip] = [], monosemanticity: [Double] = [],
    drawn: [Double] = []
  ) {
    (self.feature, self.meanActivation, self.range) = (feature, meanActivation, range)
    (self.coverage, self.top, self.bottom) = (coverage, top, bottom)
    (self.monosemanticity, self.drawn) = (monosemanticity, drawn)
  }
}

/// What a stretch of a clip is like: a vector of the same length for all.
public struct StretchEmbedding: Sendable {
  public let name: String
  let vector: @Sendable (_ clip: ConceptClip, _ positions: Range<Int>) -> [Double]

  public init(
    _ name: String,
    vector: @escaping @Sendable (_ clip: ConceptClip, _ positions: Range<Int>) -> [Double]
  ) {
    (self.name, self.vector) = (name, vector)
  }

  /// The share of positions that each phone has.
  public static func phones(of clips: [ConceptClip]) -> StretchEmbedding {
    let names = Set(clips.flatMap(\.phones)).sorted()
    return StretchEmbedding("phones") { clip, positions in
      names.map { name in
        Double(positions.count { clip.phones[$0] == name }) / Double(positions.count)
      }
    }
  }

  /// The mean of the other layer, less its mean over all positions of the clips.
  public static func layer(of clips: [ConceptClip]) -> StretchEmbedding {
    let rows = clips.reduce(0) { $0 + $1.context.rows }
    let sums = clips.map { clip in (clip.context.columnMeans, Double(clip.context.rows)) }
    let mean = (sums.first?.0 ?? []).indices.map { c in
      sums.reduce(0) { $0 + $1.0[c] * $1.1 } / Double(max(rows, 1))
    }
    return StretchEmbedding("layer") { clip, positions in
      zip(clip.context.rows(Array(positions)).columnMeans, mean).map { $0 - $1 }
    }
  }
}

/// m = (E_H - E_L) / sigma: E_H is the mean cosine of two of the top vectors, E_L that of a top and a bottom
/// one, and sigma their pooled standard deviation, at least 0.1.
///
/// - Returns: 0 where there are fewer than two top vectors or no bottom one
public func monosemanticity(top: [[Double]], bottom: [[Double]]) -> Double {
  let high = top.indices.flatMap { i in top[..<i].map { cosine($0, top[i]) } }
  let low = top.flatMap { one in bottom.map { cosine(one, $0) } }
  guard !high.isEmpty, !low.isEmpty else { return 0 }
  func mean(_ x: [Double]) -> Double { x.reduce(0, +) / Double(x.count) }
  func squares(_ x: [Double]) -> Double {
    let centre = mean(x)
    return x.reduce(0) { $0 + ($1 - centre) * ($1 - centre) }
  }
  let freedom = Double(max(high.count + low.count - 2, 1))
  let deviation = ((squares(high) + squares(low)) / freedom).squareRoot()
  return (mean(high) - mean(low)) / max(deviation, 0.1)
}

/// 0 where either is zero.
private func cosine(_ a: [Double], _ b: [Double]) -> Double {
  func product(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }
  let lengths = (product(a, a) * product(b, b)).squareRoot()
  return lengths > 0 ? product(a, b) / lengths : 0
}

extension SparseAutoencoder {
  /// Retrieves for each feature that is present somewhere the clips with the largest and the smallest score,
  /// of different groups, and measures how alike the first are.
  ///
  /// - Parameters:
  ///   - count: p, how many clips at either end
  ///   - random: draws among clips with the same score, most of which are silent
  /// - Returns: in the features' order
  /// - Throws: where there are fewer than 2 p groups of clips, or p is below 2.
  public func concepts(
    in clips: [ConceptClip], count: Int = 4, _ embeddings: [StretchEmbedding], _ random: Random
  ) throws -> [ConceptFeature] {
    let groups = Set(clips.map(\.group)).count
    guard count >= 2, groups >= 2 * count else {
      throw CellError(
        "\(count) top and \(count) bottom clips of \(groups) groups: give clips of at least "
          + "\(2 * max(count, 2)) groups, and take 2 clips or more")
    }
    let encoded = try mapInParallel(clips.count) { DoubleMatrix(self.encoded(clips[$0].rows)) }
    let positions = encoded.reduce(0) { $0 + $1.rows }
    return try mapInParallel(features) { feature -> ConceptFeature? in
      let values = encoded.map { f in (0..<f.rows).map { f[$0, feature] } }
      let all = values.joined()
      guard let range = all.max(), range > 0 else { return nil }
      let stream = random.split(feature)
      let scores = values.map { $0.reduce(0, +) / Double($0.count) * share(presentIn: $0) }
      func retrieve(_ order: [Int], _ name: String) -> [RetrievedClip] {
        var seen: Set<String> = []
        let chosen = order.filter { seen.insert(clips[$0].group).inserted }.prefix(count)
        return chosen.map { clip in
          var draw = stream.split(name).split(clip)
          return RetrievedClip(
            clip, score: scores[clip], values[clip], spans: clips[clip].spans, silent: &draw)
        }
      }
      var shuffle = stream.split("order")
      let order = shuffle.permutation(clips.count)
      // The sort is stable: equal scores stay in the drawn order.
      let top = retrieve(order.sorted { scores[$0] > scores[$1] }, "top")
      let taken = Set(top.map { clips[$0.clip].group })
      let rest = order.filter { !taken.contains(clips[$0].group) }
      let bottom = retrieve(rest.sorted { scores[$0] < scores[$1] }, "bottom")
      func vectors(_ retrieved: [RetrievedClip], _ embedding: StretchEmbedding) -> [[Double]] {
        retrieved.map { embedding.vector(clips[$0.clip], $0.positions) }
      }
      let others = drawnRuns(like: top + bottom, among: clips, stream.split("drawn"))
      return ConceptFeature(
        feature: feature, meanActivation: all.reduce(0, +) / Double(positions), range: range,
        coverage: Double(all.count { $0 > 0 }) / Double(positions), top: top, bottom: bottom,
        monosemanticity: embeddings.map {
          monosemanticity(top: vectors(top, $0), bottom: vectors(bottom, $0))
        },
        drawn: embeddings.map {
          monosemanticity(
            top: vectors(Array(others[..<top.count]), $0),
            bottom: vectors(Array(others[top.count...]), $0))
        })
    }.compactMap { $0 }
  }
}

/// The share of numbers above 0.
private func share(presentIn values: [Double]) -> Double {
  Double(values.count { $0 > 0 }) / Double(values.count)
}

extension RetrievedClip {
  /// - Parameters:
  ///   - values: the feature's activations by position
  ///   - draw: where a silent clip's position comes from
  fileprivate init(
    _ clip: Int, score: Double, _ values: [Double], spans: [TimeSpan], silent draw: inout Random
  ) {
    let peak = values.max() ?? 0
    var run: Range<Int>
    if peak > 0 {
      let place = values.firstIndex(of: peak) ?? 0
      run = place..<(place + 1)
      while run.lowerBound > 0, values[run.lowerBound - 1] > 0 {
        run = (run.lowerBound - 1)..<run.upperBound
      }
      while run.upperBound < values.count, values[run.upperBound] > 0 {
        run = run.lowerBound..<(run.upperBound + 1)
      }
    } else {
      let place = draw.below(values.count)
      run = place..<(place + 1)
    }
    self.init(clip, score: score, peak: peak, run, spans)
  }

  fileprivate init(_ clip: Int, score: Double, peak: Double, _ run: Range<Int>, _ spans: [TimeSpan])
  {
    (self.clip, self.score, self.peak) = (clip, score, peak)
    (first, count) = (run.lowerBound, run.count)
    (start, end) = (spans[run.lowerBound].start, spans[run.upperBound - 1].end)
  }
}

/// Runs as long as those retrieved, in clips of different groups that are drawn.
private func drawnRuns(
  like retrieved: [RetrievedClip], among clips: [ConceptClip], _ random: Random
) -> [RetrievedClip] {
  var random = random
  var seen: Set<String> = []
  let order = random.permutation(clips.count).filter { seen.insert(clips[$0].group).inserted }
  return zip(retrieved, order).map { one, clip in
    let spans = clips[clip].spans
    let count = min(one.count, spans.count)
    let first = random.below(spans.count - count + 1)
    return RetrievedClip(clip, score: 0, peak: 0, first..<(first + count), spans)
  }
}
