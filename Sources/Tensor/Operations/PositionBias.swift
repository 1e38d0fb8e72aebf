// A bias of relative position for attention scores, gated by the query.

/// The gate of each query and head from eight units u: a (b s - 1) + 2, where a and b are the
/// sigmoids of the sums of u's two halves (Chi et al., 2022).
///
/// - Parameters:
///   - units: [rows * heads, 8]
///   - scale: one number s a head
/// - Returns: [rows, heads]
public func positionGate(_ units: Tensor, _ scale: Tensor, heads: Int) -> Tensor {
  precondition(units.width == 8 && scale.count == heads && units.rows % heads == 0)
  let rows = units.rows / heads
  func halves(_ i: Int) -> (a: Float, b: Float) {
    let u = units.row(i)
    let (first, second) = (u[0] + u[1] + u[2] + u[3], u[4] + u[5] + u[6] + u[7])
    let both = sigmoid(Vector(first, second, 0, 0, 0, 0, 0, 0))
    return (both[0], both[1])
  }
  let out = Tensor(uninitialized: [rows, heads])
  for i in 0..<out.count {
    let (a, b) = halves(i)
    out.start[i] = a * (b * scale.start[i % heads] - 1) + 2
  }
  return Tensor(
    shape: out.shape, storage: out.storage,
    node: Node.of([units, scale]) { g in
      let (dUnits, dScale) = (Tensor(uninitialized: units.shape), Tensor(scale.shape))
      for i in 0..<out.count {
        let (a, b) = halves(i)
        let (s, upstream) = (scale.start[i % heads], g.start[i])
        let first = upstream * (b * s - 1) * a * (1 - a)
        let second = upstream * a * s * b * (1 - b)
        for j in 0..<8 { dUnits.row(i)[j] = j < 4 ? first : second }
        dScale.start[i % heads] += upstream * a * b
      }
      return [dUnits, dScale]
    })
}

/// gate[i, h] * table[bucket(j - i), h] for every query i, key j and head h, laid out as `places` says.
///
/// - Parameters:
///   - gates: [query rows, heads]
///   - table: [buckets, heads]
///   - buckets: the bucket of each distance j - i, from -n to n
public func positionBias(
  _ gates: Tensor, _ table: Tensor, buckets: [Int], places: PatternLayout
) -> Tensor {
  let heads = places.heads
  precondition(gates.width == heads && table.width == heads && buckets.count % 2 == 1)
  let middle = buckets.count / 2
  let out = Tensor([places.count])
  func forEachPair(_ body: (_ place: Int, _ gate: Int, _ entry: Int) -> Void) {
    places.visit { query, key, head, start, stride in
      for i in 0..<query.range.count {
        for j in 0..<key.count {
          body(
            start + i * stride + j, (query.start + i) * heads + head,
            buckets[j - (query.first + i) + middle] * heads + head)
        }
      }
    }
  }
  forEachPair { out.start[$0] = gates.start[$1] * table.start[$2] }
  return Tensor(
    shape: out.shape, storage: out.storage,
    node: Node.of([gates, table]) { g in
      let (dGates, dTable) = (Tensor(gates.shape), Tensor(table.shape))
      forEachPair { place, gate, entry in
        dGates.start[gate] += g.start[place] * table.start[entry]
        dTable.start[entry] += g.start[place] * gates.start[gate]
      }
      return [dGates, dTable]
    })
}
