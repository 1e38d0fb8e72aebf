// What a query or a key does to the result through the softmax, without linearising it: the patterns
// are computed anew with the one query or key moved, and multiplied with the slope of the result by
// the patterns (QK-fix of Kramár et al., 2024; `paper/definitions.md`, D39).

/// An attention of one run, and the slope of the result by its patterns.
public struct AttentionSlopes {
  /// Behind their rotary positions, where there are such: [query rows, heads * headWidth] and
  /// [key rows, keyHeads * headWidth].
  public let q: Tensor
  public let k: Tensor
  public let keyHeads: Int
  /// As `attentionPatterns` gives them, and the slope by each.
  public let patterns: Tensor
  public let slopes: Tensor
  public let places: PatternLayout

  public init(
    q: Tensor, k: Tensor, keyHeads: Int, patterns: Tensor, slopes: Tensor, places: PatternLayout
  ) {
    self.q = q
    self.k = k
    self.keyHeads = keyHeads
    self.patterns = patterns
    self.slopes = slopes
    self.places = places
  }

  private var headWidth: Int { q.width / places.heads }
  private var scale: Double { Double(1 / Float(headWidth).squareRoot()) }

  /// The estimated change of the result when one query moves:
  /// (softmax(s') - A) . dM/dA, where s' are the scores of the moved query.
  ///
  /// - Parameter moved: the queries in their new place, laid out as `q`
  /// - Returns: for each query row and head
  public func effect(ofQueries moved: Tensor) -> [Double] {
    let heads = places.heads
    var effects = [Double](repeating: 0, count: q.rows * heads)
    places.visit { query, key, h, start, stride in
      let column = h * headWidth
      let keyColumn = h * keyHeads / heads * headWidth
      for i in 0..<query.range.count {
        let row = start + i * stride
        // A' is proportional to A e^delta, which keeps what is masked at zero.
        let deltas = (0..<key.count).map { j in
          difference(moved, q, query.start + i, column, k, key.start + j, keyColumn)
        }
        let top = deltas.indices.filter { patterns.start[row + $0] > 0 }.map { deltas[$0] }.max()
        guard let top else { continue }
        var (sum, weighted, own) = (0.0, 0.0, 0.0)
        for j in 0..<key.count {
          let (p, g) = (Double(patterns.start[row + j]), Double(slopes.start[row + j]))
          let weight = p * Elementary.exp(deltas[j] - top)
          sum += weight
          weighted += weight * g
          own += p * g
        }
        effects[(query.start + i) * heads + h] = weighted / sum - own
      }
    }
    return effects
  }

  /// The estimated change of the result when one key moves, all others in their place, over all
  /// queries and over the heads that share the key:
  /// (p' - p) (g - A . g) / (1 - p) with p' = p e^d / (1 - p + p e^d), d the change of its score.
  ///
  /// - Parameter moved: the keys in their new place, laid out as `k`
  /// - Returns: for each key row and head of keys
  public func effect(ofKeys moved: Tensor) -> [Double] {
    let heads = places.heads
    var effects = [Double](repeating: 0, count: k.rows * keyHeads)
    places.visit { query, key, h, start, stride in
      let column = h * headWidth
      let keyHead = h * keyHeads / heads
      for i in 0..<query.range.count {
        let row = start + i * stride
        var own = 0.0
        for j in 0..<key.count {
          own += Double(patterns.start[row + j]) * Double(slopes.start[row + j])
        }
        for j in 0..<key.count {
          let p = Double(patterns.start[row + j])
          guard p > 0, 1 - p > 1e-12 else { continue }
          let delta = difference(
            moved, k, key.start + j, keyHead * headWidth, q, query.start + i, column)
          let raised = p * Elementary.exp(delta)
          let change = raised / (1 - p + raised) - p
          effects[(key.start + j) * keyHeads + keyHead] +=
            change * (Double(slopes.start[row + j]) - own) / (1 - p)
        }
      }
    }
    return effects
  }

  /// scale * (moved - x)[row] . other[otherRow] over the columns of one head.
  private func difference(
    _ moved: Tensor, _ x: Tensor, _ row: Int, _ column: Int, _ other: Tensor, _ otherRow: Int,
    _ otherColumn: Int
  ) -> Double {
    let (a, b) = (moved.row(row) + column, x.row(row) + column)
    let c = other.row(otherRow) + otherColumn
    var sum = 0.0
    for j in 0..<headWidth { sum += (Double(a[j]) - Double(b[j])) * Double(c[j]) }
    return scale * sum
  }
}
