// Dynamic time warping (Sakoe and Chiba, 1978) of two recordings by their log-mel features, for an
// alignment that knows nothing of the model that is explained.

import Speech
import Tensor

extension Alignment {
  /// The cheapest monotone path between the frames of two recordings, a frame being 10 ms of log-mel
  /// features and the distance of two frames the Euclidean one, divided by the root of the bands.
  /// Collisions are averaged: a frame of the base run stands for the mean of those that it is joined
  /// with. The cost is the mean distance along the path.
  ///
  /// - Parameters:
  ///   - base: [frames, bands] of the base run's sound, without padding
  ///   - source: the same of the source run's
  public static func dtw(base: Tensor, source: Tensor) -> Alignment {
    let (n, m) = (base.rows, source.rows)
    // The cheapest way to each pair of frames, row by row, and where it comes from.
    var costs = [Double](repeating: 0, count: m)
    var steps = [UInt8](repeating: 0, count: n * m)
    for i in 0..<n {
      let above = costs
      for j in 0..<m {
        var (best, step) = (i == 0 && j == 0 ? 0 : Double.infinity, UInt8(0))
        if i > 0 && j > 0 { (best, step) = (above[j - 1], 0) }
        if i > 0 && above[j] < best { (best, step) = (above[j], 1) }
        if j > 0 && costs[j - 1] < best { (best, step) = (costs[j - 1], 2) }
        costs[j] = best + distance(base, i, source, j)
        steps[i * m + j] = step
      }
    }
    var sums = [(total: Double, count: Double)](repeating: (0, 0), count: n)
    var (i, j, length) = (n - 1, m - 1, 0)
    while true {
      sums[i].total += Double(j)
      sums[i].count += 1
      length += 1
      if i == 0 && j == 0 { break }
      switch steps[i * m + j] {
      case 0: (i, j) = (i - 1, j - 1)
      case 1: i -= 1
      default: j -= 1
      }
    }
    let anchors = sums.enumerated().map { (10 * Double($0), 10 * $1.total / $1.count) }
    return Alignment("dtw", anchors: anchors, cost: costs[m - 1] / Double(length))
  }

  /// The same of two clips; nil where the model has no log-mel features of them.
  public static func dtw(base: Clip, source: Clip) -> Alignment? {
    guard base.validFrames > 0, source.validFrames > 0 else { return nil }
    func heard(_ clip: Clip) -> Tensor { gatherRows(clip.mel, Array(0..<clip.validFrames)) }
    return dtw(base: heard(base), source: heard(source))
  }
}

private func distance(_ a: Tensor, _ i: Int, _ b: Tensor, _ j: Int) -> Double {
  let width = a.width
  return a.withNumbers { x in
    b.withNumbers { y in
      var sum = 0.0
      for k in 0..<width {
        let d = Double(x[i * width + k]) - Double(y[j * width + k])
        sum += d * d
      }
      return (sum / Double(width)).squareRoot()
    }
  }
}
